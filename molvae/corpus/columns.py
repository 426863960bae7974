"""Columns of any length on disk: appended block by block, read as memory-mapped arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, overload

import numpy as np

_ERRORS = "surrogatepass"  # what a DataFrame holds may be no Unicode text


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


class Texts(Sequence[str]):
    """A column of texts as it lies on disk.

    Args:
        path: The file of the bytes.
    """

    def __init__(self, path: Path) -> None:
        self._bytes, self._ends = mapped(path, "u1"), mapped(ends_of(path), "<i8")

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        """A text, or several."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        start = self._ends[place - 1] if place else 0
        return self._bytes[start : self._ends[place]].tobytes().decode(errors=_ERRORS)


def blocks(path: Path, dtype: str, numbers: int) -> Iterator[np.ndarray]:
    """A column of numbers, so many at a time, read and not mapped: it never fills the memory."""
    with path.open("rb") as stream:
        while len(block := np.fromfile(stream, dtype=dtype, count=numbers)):
            yield block
