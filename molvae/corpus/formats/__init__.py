"""How molecules lie in files, one module a format: each counts its rows, then yields them.

A format is opened by a first pass over its file, which finds all that can be wrong with it;
reading its records is a second one. Neither holds the file in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

AT_A_TIME = 10_000
"""Rows that a format holds in memory, where it has to hold several."""


class Records(Protocol):
    """The rows of a table, of whatever format.

    Attributes:
        columns: The names of the columns, each once.
        count: Rows.
    """

    columns: tuple[str, ...]
    count: int

    def records(self) -> Iterator[Sequence[str]]:
        """The rows in their order, a text for each column; blanks are empty."""
