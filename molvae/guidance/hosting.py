"""Running code that is the user's: it may fail, print, and import its neighbours."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST = 200
"""Characters of what a user's code says that are told."""


class Failed(Exception):  # noqa: N818  # no error of ours: a molecule without a value
    """What was wrong with code of the user's, on one line."""


@contextlib.contextmanager
def hosted(folder: Path | None = None) -> Iterator[None]:
    """Run code of the user's in this block; what it prints goes to standard error.

    The working folder is the one of before when it has ended.

    Args:
        folder: Where its file lies, from which it may import.

    Raises:
        Failed: For whatever it raises, SystemExit too.
        KeyboardInterrupt: As it is.
    """
    try:
        with contextlib.chdir(Path.cwd()), _no_standard_output(), _importing_from(folder):
            yield
    except (Failed, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise Failed(described(error)) from error


def described(error: BaseException) -> str:
    """An exception on one line, whatever its text is."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  # a user's class may fail at this too
        text = ""
    return cut(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def cut(text: str) -> str:
    """A text that isn't too long to be told."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


@contextlib.contextmanager
def _no_standard_output() -> Iterator[None]:
    """Also not for the programs that are started in this block: they know the descriptor alone."""
    sys.stdout.flush()
    ours = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(ours, 1)
        os.close(ours)


@contextlib.contextmanager
def _importing_from(folder: Path | None) -> Iterator[None]:
    if folder is None:
        yield
        return
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # taken away by the code itself
            sys.path.remove(str(folder))
