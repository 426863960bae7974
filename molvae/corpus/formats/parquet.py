"""Parquet, where pyarrow is installed."""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from molvae.corpus.formats import AT_A_TIME
from molvae.corpus.formats.content import Content
from molvae.corpus.formats.frame import texts
from molvae.corpus.formats.names import distinct
from molvae.errors import TableError

MAGIC = b"PAR1"
"""How such a file begins."""

_INDEX = re.compile(r"__index_level_\d+__")


class Parquet:
    """The columns of a Parquet file as texts, read batch by batch; the index of pandas is left out.

    Raises:
        TableError: When pyarrow isn't installed, or the file is damaged or has no row.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        with self._opened() as file:
            schema = file.schema_arrow
            self._places = [
                place for place, name in enumerate(schema.names) if not _INDEX.fullmatch(name)
            ]
            self.columns = distinct(schema.names[place] for place in self._places)
            self.count = file.metadata.num_rows
        if not self.count or not self.columns:
            raise TableError(f"{content.name} has no rows.")

    def records(self) -> Iterator[tuple[str, ...]]:
        """The rows in their order, a text for each column; blanks are empty."""
        with self._opened() as file:
            for batch in file.iter_batches(batch_size=AT_A_TIME):
                columns = [_texts(batch.column(place)) for place in self._places]
                yield from zip(*columns, strict=True)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        name = self._content.name
        pyarrow = arrow(name)
        try:
            with pyarrow.parquet.ParquetFile(self._content.path) as file:
                yield file
        except (pyarrow.ArrowException, OSError) as error:
            reason = (str(error).splitlines() or ["?"])[0]
            raise TableError(f"{name} is no Parquet file that can be read ({reason}).") from None


def arrow(name: str) -> Any:
    """The package pyarrow, with its part for Parquet.

    Raises:
        TableError: When it isn't installed; ``name`` is the file that needs it.
    """
    try:
        importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise TableError(
            f"{name}: Parquet needs pyarrow, which isn't installed: pip install 'molvae[parquet]'"
        ) from None
    return importlib.import_module("pyarrow")


def _texts(column: Any) -> list[str]:
    """A column of a batch as texts, whatever the rows of the batch are."""
    if column.type in _floats():
        return texts(column.to_pandas())
    return texts(pd.Series(column.to_pylist(), dtype=object))


def _floats() -> tuple[Any, ...]:
    pyarrow = importlib.import_module("pyarrow")
    return (pyarrow.float16(), pyarrow.float32(), pyarrow.float64())
