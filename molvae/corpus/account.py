"""What became of the rows of a table."""

from __future__ import annotations

import csv
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from molvae import files
from molvae.corpus.store import Store

_COLUMNS = ("row", "text", "reason")
_SHOWN = 5
"""Reasons that are told, the commonest first."""


@dataclass(frozen=True)
class Account:
    """What became of the rows of a table: ``rows == kept + merged + rejected``.

    Attributes:
        rows: Rows read.
        kept: Distinct molecules kept.
        merged: Rows that hold a molecule that an earlier row holds.
        changed: Kept molecules that a step of standardising changed, by the step's name
            (`molvae.chem.standard`); ``spelling`` counts those that weren't given as canonical
            SMILES. A molecule counts in each step that changed it.
        rejected: Rows that can't be used, by reason.
    """

    rows: int
    kept: int
    merged: int
    changed: dict[str, int]
    rejected: dict[str, int]

    def __str__(self) -> str:
        lost = sum(self.rejected.values())
        lines = [
            f"{self.rows:,} rows: {self.kept:,} molecules kept, "
            f"{self.merged:,} rows merged, {lost:,} rejected"
        ]
        if self.changed:
            steps = (f"{count:,} x {step}" for step, count in self.changed.items())
            lines.append(f"  changed: {', '.join(steps)}")
        return "\n".join([*lines, *ranked(self.rejected)])


def ranked(reasons: Mapping[str, int]) -> list[str]:
    """Lines that tell how often each reason was met, the commonest first.

    >>> ranked({"empty": 1, "no heavy atom": 1200})
    ['  1,200 x no heavy atom', '  1 x empty']
    """
    order = sorted(reasons.items(), key=lambda item: -item[1])
    lines = [f"  {count:,} x {reason}" for reason, count in order[:_SHOWN]]
    more = len(order) - _SHOWN
    return [*lines, f"  and {more} more reasons"] if more > 0 else lines


class Rejects:
    """The rows that brought no molecule of their own, in their order, read as they are needed.

    Each is a row (from 1, the header not counted), its text as given, and the reason.

    Args:
        store: The molecules of the table.
        late: Why molecules of the store are left out all the same, by their place.
    """

    def __init__(self, store: Store, late: Mapping[int, str]) -> None:
        self._store, self._late = store, late

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        late = ((place, self._late[place]) for place in sorted(self._late))
        return heapq.merge(self._store.rejected(), self._given(self._merged()), self._given(late))

    def table(self) -> pd.DataFrame:
        """All of them: ``row``, ``text``, ``reason``."""
        return pd.DataFrame(list(self), columns=list(_COLUMNS))

    def write(self, path: Path) -> None:
        """Write them as a CSV, row for row.

        Raises:
            OutputError: When the place can't be written to.
        """
        with (
            files.atomic_path(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8", errors="replace") as stream,
        ):
            writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
            writer.writerow(_COLUMNS)
            writer.writerows(self)

    def _merged(self) -> Iterator[tuple[int, str]]:
        """Molecules that an earlier row has brought, by their place."""
        store = self._store
        for place, first in zip(store.like_place, store.like_first, strict=True):
            if place not in self._late:
                yield place, f"same molecule as row {store.row[first]}"

    def _given(self, reasons: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
        store = self._store
        return ((int(store.row[place]), store.text(place), reason) for place, reason in reasons)
