"""Columns of any length on disk: appended block by block, read as they are needed."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from struct import Struct
from threading import Lock
from typing import Any, overload

import numpy as np

_ERRORS = "surrogatepass"  # what a DataFrame holds may be no Unicode text
_END, _PAIR = Struct("<q"), Struct("<qq")
"""Where an array ends, and where one and the next do."""


class Column:
    """A column of numbers in a file of its own.

    Args:
        path: The file; what is in it stays, and more may be appended.
        dtype: Of the numbers.
    """

    def __init__(self, path: Path, dtype: str) -> None:
        self._stream = path.open("ab")
        self._dtype = np.dtype(dtype)

    def append(self, values: Any) -> None:
        """Add numbers, or rows of numbers."""
        self._stream.write(np.ascontiguousarray(values, dtype=self._dtype).tobytes())

    def close(self) -> None:
        """Write what is left."""
        self._stream.close()


class TextColumn:
    """A column of texts: their bytes in one file, where each ends in another.

    Args:
        path: The file of the bytes; the other one is `ends_of` it.
    """

    def __init__(self, path: Path) -> None:
        self._stream, self._ends, self._end = path.open("ab"), Column(ends_of(path), "<i8"), 0

    def append(self, texts: Sequence[str]) -> None:
        """Add texts."""
        written = [text.encode(errors=_ERRORS) for text in texts]
        self._stream.write(b"".join(written))
        ends = self._end + np.cumsum([len(one) for one in written], dtype=np.int64)
        self._ends.append(ends)
        self._end = int(ends[-1]) if len(ends) else self._end

    def close(self) -> None:
        """Write what is left."""
        self._stream.close()
        self._ends.close()


class Columns:
    """Columns that are written together and closed together.

    Args:
        folder: Where their files are.
        numbers: The types of the columns of numbers, by name.
        texts: The names of the columns of texts.
    """

    def __init__(self, folder: Path, numbers: dict[str, str], texts: Iterable[str]) -> None:
        self._closing = ExitStack()
        self._columns: dict[str, Column | TextColumn] = {}
        for name, dtype in numbers.items():
            self._columns[name] = Column(folder / name, dtype)
        for name in texts:
            self._columns[name] = TextColumn(folder / name)
        for column in self._columns.values():
            self._closing.callback(column.close)

    def append(self, **values: Any) -> None:
        """Add to columns what is given for each by name."""
        for name, some in values.items():
            self._columns[name].append(some)

    def __enter__(self) -> Columns:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()


def ends_of(path: Path) -> Path:
    """The file that tells where each text of a column ends."""
    return path.with_name(f"{path.name}.ends")


def mapped(path: Path, dtype: str, width: int | None = None) -> np.ndarray:
    """A column of numbers as it lies on disk, (N,) or (N, width), read-only."""
    kind, size = np.dtype(dtype), path.stat().st_size
    shape = (size // kind.itemsize,) if width is None else (size // (kind.itemsize * width), width)
    if not size:
        return np.zeros(shape, dtype=kind)  # nothing can't be mapped
    # As a plain array, of which a slice is cut ten times as fast as of one of the class memmap.
    return np.memmap(path, dtype=kind, mode="r", shape=shape).view(np.ndarray)


class _File:
    """A file of which parts are read; mapped, all that was ever read of it would fill the memory.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._stream, self._lock = path.open("rb", buffering=0), Lock()
        self.size = path.stat().st_size
        weakref.finalize(self, self._stream.close)

    def read(self, start: int, size: int) -> bytes:
        """So many bytes from a place on; several threads and processes may read at a time."""
        if hasattr(os, "pread"):
            return os.pread(self._stream.fileno(), size, start)
        with self._lock:  # Windows lacks it, and forks no process that would share the place
            self._stream.seek(start)
            return self._stream.read(size)


class Pieces:
    """Arrays of numbers of varied length as they lie on disk, one after the other.

    Args:
        path: The file of the numbers.
        dtype: Their type.
        ends: The file that tells where each array ends.
    """

    def __init__(self, path: Path, dtype: str, ends: Path) -> None:
        self._file, self._ends, self._dtype = _File(path), _File(ends), np.dtype(dtype)

    def __len__(self) -> int:
        return self._ends.size // _END.size

    def __getitem__(self, place: int) -> np.ndarray:
        """An array, (T,)."""
        place = range(len(self))[place]
        read = self._ends.read(max(0, place - 1) * _END.size, (1 + (place > 0)) * _END.size)
        start, end = _PAIR.unpack(read) if place else (0, *_END.unpack(read))
        width = self._dtype.itemsize
        return np.frombuffer(
            self._file.read(start * width, (end - start) * width), dtype=self._dtype
        )


class Texts(Sequence[str]):
    """A column of texts as it lies on disk.

    Args:
        path: The file of the bytes.
    """

    def __init__(self, path: Path) -> None:
        self._pieces = Pieces(path, "u1", ends_of(path))

    def __len__(self) -> int:
        return len(self._pieces)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        """A text, or several."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        return self._pieces[place].tobytes().decode(errors=_ERRORS)


def blocks(path: Path, dtype: str, numbers: int) -> Iterator[np.ndarray]:
    """A column of numbers, so many at a time, read and not mapped: it never fills the memory."""
    with path.open("rb") as stream:
        while len(block := np.fromfile(stream, dtype=dtype, count=numbers)):
            yield block
