"""Latents, a row each, read part by part from an array, a .npy or a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from molvae.corpus.reading import TableSource, open_table
from molvae.errors import SettingsError, TableError


class LatentSource:
    """Rows of numbers.

    Attributes:
        shape: Rows, and numbers in each.
    """

    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Rows."""
        return self.shape[0] if self.shape else 0

    def chunks(self, rows: int) -> Iterator[np.ndarray]:
        """The rows in their order, at most so many at a time, (N, D) float32.

        What is no number, or too large for one, isn't finite.
        """
        raise NotImplementedError


def open_latents(source: Any) -> LatentSource:
    """Open what holds latents; a file is never whole in memory.

    Args:
        source: An array, (N, D); a .npy, which is mapped into memory; or any other file, a table
            with the columns z1, z2 ... as `molvae encode` writes them. What is open already is
            given back.

    Raises:
        SettingsError: For what is no array of numbers.
        TableError: For a file that can't be read or holds no latents.
    """
    if isinstance(source, LatentSource):
        return source
    if not isinstance(source, str | Path):
        return _Array(_as_array(source))
    if Path(source).suffix.lower() == ".npy":
        return _Array(_mapped(Path(source)))
    return _Columns(open_table(source))


class _Array(LatentSource):
    """The rows of an array."""

    def __init__(self, values: np.ndarray) -> None:
        if values.dtype.kind not in "fiu":
            raise SettingsError(f"The latents hold {values.dtype}, not numbers.")
        self._values, self.shape = values, values.shape

    def chunks(self, rows: int) -> Iterator[np.ndarray]:
        """See `LatentSource`."""
        for start in range(0, max(1, self.count), rows):
            with np.errstate(over="ignore"):  # what is too large for it isn't finite
                yield np.asarray(self._values[start : start + rows], dtype=np.float32)


class _Columns(LatentSource):
    """The columns z1, z2 ... of a table, in the order of their numbers."""

    def __init__(self, table: TableSource) -> None:
        names = [name for name in table.columns if name[:1] == "z" and name[1:].isdecimal()]
        if not names:
            raise TableError(f"{table.name} has no columns z1, z2 ... as encode writes them.")
        self._table, self._names = table, sorted(names, key=lambda name: int(name[1:]))
        self.shape = (table.count, len(names))

    def chunks(self, rows: int) -> Iterator[np.ndarray]:
        """See `LatentSource`."""
        for chunk in self._table.chunks(rows):
            columns = chunk[self._names].apply(pd.to_numeric, errors="coerce")
            with np.errstate(over="ignore"):
                yield columns.to_numpy(dtype=np.float32)


def _as_array(values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise SettingsError(f"The latents are no array: {str(error).splitlines()[0]}") from None


def _mapped(path: Path) -> np.ndarray:
    try:
        values: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise TableError(f"No file {path}.") from None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise TableError(f"{path} is no array of numbers ({error}).") from None
    if not isinstance(values, np.ndarray):
        raise TableError(f"{path} holds several arrays. Save the latents alone, with numpy.save.")
    return values
