"""Tables that are in memory already."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from molvae.corpus.formats import AT_A_TIME
from molvae.corpus.formats.names import distinct
from molvae.errors import TableError


class Frame:
    """The columns of a DataFrame as texts; what is missing is a blank.

    Raises:
        TableError: When it has no row.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        if frame.empty:
            raise TableError("The table has no rows.")
        self._frame = frame
        self.columns = distinct(str(name) for name in frame.columns)
        self.count = len(frame)

    def records(self) -> Iterator[tuple[str, ...]]:
        """The rows in their order, a text for each column; blanks are empty."""
        for start in range(0, self.count, AT_A_TIME):
            part = self._frame.iloc[start : start + AT_A_TIME]
            columns = [texts(part.iloc[:, place]) for place in range(len(self.columns))]
            yield from zip(*columns, strict=True)


def texts(column: pd.Series) -> list[str]:
    """A column as texts; what is missing is empty.

    >>> texts(pd.Series([1.5, None]))
    ['1.5', '']
    """
    blank = column.isna()
    try:
        written = column.astype(str)
    except UnicodeEncodeError:  # half a character of UTF-16, which no file can hold
        written = column.map(lambda one: str(one).encode(errors="replace").decode())
    found: list[str] = written.mask(blank, "").tolist()
    return found
