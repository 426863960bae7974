"""Files that are whole or not there: atomic writes, checksums and run folders."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from molvae.errors import OutputError


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
        raise OutputError(f"Can't write {target}: {_reason(error)}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def ensure_folder(folder: Path) -> Path:
    """Make a folder and its parents, and check that files can be written there.

    Raises:
        OutputError: When it can't be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Can't make the folder {folder}: {_reason(error)}.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"Can't write in the folder {folder}: permission denied.")
    return folder


def write_text(target: Path, text: str) -> None:
    """Write a text file, atomically, in UTF-8."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
