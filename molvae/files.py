"""Files that are whole or not there: atomic writes, checksums and run folders."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

from filelock import FileLock, Timeout

from molvae.errors import OutputError, nearest

LOCK = ".lock"
"""The file by which a folder is kept for one process."""


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside ``target`` that takes its name when the block ends well.

    The folder of the target is made if need be. When the block raises, the temporary
    file is removed and the target stays as it was.

    Raises:
        OutputError: When the place can't be written to, or the disk is full.
    """
    ensure_folder(target.parent)
    if target.is_dir():
        raise OutputError(f"Can't write {target}: it is a folder. Name a file in it.")
    # The suffix is kept: some writers choose their format by it.
    temporary = target.with_name(f".{secrets.token_hex(4)}.{target.name}")
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except OSError as error:
        raise OutputError(f"Can't write {target}: {reason_of(error)}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_folder(folder: Path) -> Path:
    """Check, without making it, that a folder is there or can be made, and be written in.

    Raises:
        OutputError: When it can't.
    """
    there = next((one for one in (folder, *folder.parents) if one.exists()), Path())
    if not there.is_dir():
        raise OutputError(f"Can't make the folder {folder}: {there} is a file.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"Can't write in the folder {there}: permission denied.")
    return folder


def ensure_folder(folder: Path) -> None:
    """Make a folder and its parents.

    Raises:
        OutputError: When it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Can't make the folder {folder}: {reason_of(error)}.") from error


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder for this process; the lock is gone when the process is, however it ends.

    Raises:
        OutputError: When another process has it.
    """
    ensure_folder(folder)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise OutputError(f"Another run writes in {folder}. Name another folder.") from None
    except OSError as error:
        raise OutputError(f"Can't write in {folder}: {reason_of(error)}.") from error
    try:
        yield
    finally:
        lock.release()


def check_unlocked(folder: Path) -> None:
    """Refuse a folder that another process keeps; one that nobody ever kept isn't made.

    Raises:
        OutputError: When another process has it.
    """
    if (folder / LOCK).exists():
        with locked(folder):
            pass


def write_text(target: Path, text: str) -> None:
    """Write a text file, atomically, in UTF-8 and with the line ends of the text."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def open_text(target: Path) -> TextIO:
    """Open a text file that grows as work goes on, such as a log, behind what is in it.

    Raises:
        OutputError: When it can't be opened.
    """
    try:
        return target.open("a", newline="", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Can't write {target}: {reason_of(error)}.") from error


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def reason_of(error: OSError) -> str:
    """What the system objects to, as part of a sentence."""
    return (error.strerror or str(error)).lower()


def near_file(path: Path) -> str:
    """A hint for a file that isn't there: the nearest name beside it, if one is near."""
    folder = path.parent
    names = [one.name for one in islice(folder.iterdir(), 1000)] if folder.is_dir() else []
    hint = nearest(path.name, names)
    return hint if hint.startswith(" Did") else ""
