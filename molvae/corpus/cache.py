"""Where stores are kept, so that a table is encoded once."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

import platformdirs
from filelock import FileLock

from molvae import display, files
from molvae.corpus.building import build
from molvae.corpus.reading import TableSource
from molvae.corpus.store import MANIFEST, Reading, Store, is_whole
from molvae.errors import OutputError

VARIABLE = "MOLVAE_CACHE"
"""The environment variable that names the folder; ``off`` keeps nothing."""

UNUSED_DAYS = 30
"""Stores that nobody has opened for so long are removed when another one is made."""

_UNFINISHED = ".unfinished"


def stored(
    table: TableSource,
    reading: Reading,
    *,
    workers: int | None = None,
) -> Store:
    """The molecules of a table: those kept from an earlier time, or encoded now.

    What is kept goes by the content of the table, by what is read of it and how, and by the
    versions of RDKit and selfies. A store that was cut short or is damaged is made anew.

    Args:
        table: The rows.
        reading: What of them is read, and how.
        workers: Processes to encode in; by default one a core.

    Raises:
        TableError: As `molvae.corpus.building.build`.
        OutputError: When the disk is full.
    """
    place = cache_folder()
    if place is None:
        return _passing(table, reading, workers)
    key = reading.key(table)
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(place / f"{key}.lock")
        lock.acquire()
    except OSError as error:
        display.note(f"Nothing is kept in {place}: {files.reason_of(error)}.")
        return _passing(table, reading, workers)
    try:
        folder = place / key
        if not is_whole(folder):
            _remove_unused(place)
            _make(table, reading, folder, workers)
        os.utime(folder / MANIFEST)
        return Store(folder)
    except OSError as error:
        raise OutputError(
            f"Can't write the encoded molecules in {place}: "
            f"{files.reason_of(error)}. {VARIABLE}=FOLDER names another folder."
        ) from error
    finally:
        lock.release()


def cache_folder() -> Path | None:
    """The folder that stores are kept in, or None when none are to be kept.

    It is ``MOLVAE_CACHE`` when that is set, else molvae's own in the user's cache folder.
    """
    named = os.environ.get(VARIABLE, "")
    if named.lower() in ("off", "0"):
        return None
    return Path(named) if named else Path(platformdirs.user_cache_dir("molvae")) / "tables"


def _passing(table: TableSource, reading: Reading, workers: int | None) -> Store:
    """A store that is removed with the last one who uses it."""
    folder = Path(tempfile.mkdtemp(prefix="molvae-"))
    owner = _Owner(folder)
    try:
        build(table, reading, folder, workers)
    except OSError as error:
        raise OutputError(
            f"Can't write the encoded molecules in {folder.parent}: "
            f"{files.reason_of(error)}. TMPDIR=FOLDER names another folder."
        ) from error
    return Store(folder, owner)


class _Owner:
    """Removes a folder when it is forgotten."""

    def __init__(self, folder: Path) -> None:
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)


def _make(table: TableSource, reading: Reading, folder: Path, workers: int | None) -> None:
    """Build beside the final place, to which only what is whole is moved."""
    unfinished = folder.with_name(folder.name + _UNFINISHED)
    for old in (unfinished, folder):
        shutil.rmtree(old, ignore_errors=True)
    unfinished.mkdir()
    try:
        build(table, reading, unfinished, workers)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _remove_unused(place: Path) -> None:
    """Remove what nobody has opened for long, and what a crash left behind."""
    oldest = time.time() - UNUSED_DAYS * 24 * 3600
    manifests = ((one, one.parent) for one in place.glob(f"*/{MANIFEST}"))
    unfinished = ((one, one) for one in place.glob(f"*{_UNFINISHED}"))
    for dated, folder in (*manifests, *unfinished):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            if dated.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
