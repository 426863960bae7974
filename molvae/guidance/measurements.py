"""Molecules with values that were measured, from a table as a laboratory keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from molvae.chem.standard import flat_forms
from molvae.codec import Codec, Encodings
from molvae.corpus.table import numbers, smiles_column, unreadable
from molvae.errors import TableError

TOLD = ("input", "smiles", "flattened", "reason")
"""Columns of the rows beside those that were measured."""

NAMED = 10
"""Rows that a note names, each with its reason."""

_NUMBER = r"[-+]?[\d.,]+([eE][-+]?\d+)?"
"""What may be a number, be the point of it a comma or not."""


@dataclass(frozen=True)
class Measurements:
    """What was measured.

    Attributes:
        rows: A row for each one given, in the same order: ``input``, ``smiles`` (canonical, as the
            model sees it; empty where it can't), ``flattened``, the measured columns, and
            ``reason``: why it isn't used, or a value of it isn't.
        molecules: The distinct molecules that can be used, each as it is encoded.
        columns: What was measured, C names.
        means: The mean of the values of each molecule, (N, C), NaN where there is none.
        forms: What `flat_forms` gives for all molecules of the table, also of those that can't be
            used.
    """

    rows: pd.DataFrame
    molecules: Encodings
    columns: tuple[str, ...]
    means: np.ndarray
    forms: frozenset[str]

    @classmethod
    def read(
        cls,
        codec: Codec,
        table: pd.DataFrame,
        columns: Sequence[str],
        *,
        smiles: str | None = None,
    ) -> Measurements:
        """Read a table of texts, as `molvae.corpus.table.as_table` gives it.

        Args:
            codec: The model.
            table: A row a molecule; rows of the same one are replicates.
            columns: The C measured columns, all of them there; blanks are allowed.
            smiles: The column of SMILES; found when absent.

        Raises:
            TableError: For a column that holds no number, or has a name that ``rows`` needs.
        """
        if taken := [name for name in columns if name in TOLD]:
            raise TableError(f"A measured column can't be called {taken[0]!r}: rename it.")
        texts = table[smiles_column(table, smiles)].tolist()
        given = table[list(columns)]
        values = numbers(given.where(given.apply(_like_numbers), ""), columns)
        encodings = codec.encode(texts)
        told = zip(encodings.reasons, unreadable(table), strict=True)
        reasons = [reason and (better or reason) for reason, better in told]
        reasons = [
            reason or _no_numbers(row, number, columns)
            for reason, row, number in zip(reasons, given.to_numpy().tolist(), values, strict=True)
        ]
        parts = (texts, encodings.smiles, encodings.flattened, *values.T, reasons)
        names = ("input", "smiles", "flattened", *columns, "reason")
        rows = pd.DataFrame(dict(zip(names, parts, strict=True)), index=table.index)
        places: dict[str, list[int]] = {}
        for place in np.flatnonzero(encodings.usable & np.isfinite(values).any(axis=1)).tolist():
            places.setdefault(encodings.smiles[place], []).append(place)
        first = np.array([one[0] for one in places.values()], dtype=np.int64)
        merged = np.array([_means(values[one]) for one in places.values()])
        return cls(
            rows,
            encodings.taken(first),
            tuple(columns),
            merged.reshape(-1, len(columns)),
            frozenset(flat_forms(texts)) - {""},
        )

    def notes(self) -> list[str]:
        """What isn't used, each row with its reason."""
        told = self.rows["reason"][self.rows["reason"] != ""]
        notes = [f"Row {row}: {reason}." for row, reason in told.head(NAMED).items()]
        if len(told) > NAMED:
            notes.append(f"And {len(told) - NAMED:,} more rows of which not all can be used.")
        return notes


def _like_numbers(column: pd.Series[str]) -> pd.Series[bool]:
    """Which texts may be numbers: a ``>30`` says nothing of how the others are written."""
    return column.str.strip().str.fullmatch(_NUMBER)


def _no_numbers(texts: Sequence[str], values: np.ndarray, columns: Sequence[str]) -> str:
    """What stands in columns of a row that is no number; blanks are no fault."""
    return "; ".join(
        f"{column} is {text.strip()!r:.40}, which is no number"
        for column, text, value in zip(columns, texts, values, strict=True)
        if text.strip() and not np.isfinite(value)
    )


def _means(values: np.ndarray) -> np.ndarray:
    """Means of columns over their numbers, (R, C) to (C,); NaN where there are none."""
    count = np.isfinite(values).sum(axis=0)
    total = np.where(np.isfinite(values), values, 0).sum(axis=0)
    means: np.ndarray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means
