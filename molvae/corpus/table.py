"""Tables of molecules: all rows at once, and what their columns hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from molvae.chem.molecules import parse
from molvae.corpus.formats.names import UNREADABLE, USUAL_NAMES
from molvae.corpus.reading import CHUNK, Source, TableSource, open_table
from molvae.errors import MoleculeError, TableError, nearest

_DECIMAL_COMMA = r"[-+]?\d*(,\d+)?"
"""Numbers as much of Europe writes them, and blanks."""

_THOUSANDS = r"[-+]?[1-9]\d{0,2},\d{3}"
"""Numbers that may have a decimal comma, or one between thousands."""

_PROBED = 50
"""Values looked at when a column of SMILES is searched by content."""


def read_table(source: str | Path) -> pd.DataFrame:
    """All rows of a file, or of ``-``, at once; see `molvae.corpus.reading.open_table`."""
    return as_table(source)


def as_table(source: Source, *, workers: int | None = None) -> pd.DataFrame:
    """All rows of whatever holds molecules, at once.

    Args:
        source: A file, ``-`` for standard input, a DataFrame, or SMILES.
        workers: Processes that read the blocks of an SDF; by default one a core.

    Returns:
        A table of strings, blanks being empty strings, indexed from 1 as its rows are counted.

    Raises:
        TableError: When there is no such file, it is empty, or it isn't a table.
    """
    return pd.concat(open_table(source, workers=workers).chunks())


def unreadable(table: pd.DataFrame) -> list[str]:
    """Why each row has no SMILES, where its file had a record that can't be read; else empty."""
    if UNREADABLE not in table.columns:
        return [""] * len(table)
    return [str(one) for one in table[UNREADABLE]]


def smiles_column(table: pd.DataFrame | TableSource, wanted: str | int | None = None) -> str:
    """The name of the column that holds SMILES.

    Args:
        table: As `as_table` or `open_table` gives it.
        wanted: The user's choice; searched by name, then by content, when absent.

    Raises:
        TableError: When the wanted column isn't there, or none looks like SMILES.
    """
    if wanted is not None:
        return known_column(table.columns, str(wanted))  # a DataFrame may have numbers as names
    by_lower = {name.lower(): name for name in reversed(list(table.columns))}
    for name in USUAL_NAMES:
        if name in by_lower:
            return by_lower[name]
    # Not by later rows, so that a table read in chunks has the same column.
    table = table.head if isinstance(table, TableSource) else table.head(CHUNK)
    shares = {name: _share_of_smiles(table[name]) for name in table.columns}
    # Letters such as C and N are SMILES as well, so among equals the longest texts win.
    lengths = {name: table[name].head(_PROBED).str.len().mean() for name in table.columns}
    best = max(shares, key=lambda name: (shares[name] >= 0.5, lengths[name] * shares[name]))
    if shares[best] < 0.5:
        raise TableError(
            f"No column looks like SMILES among {', '.join(table.columns)}. "
            "Name it with --smiles-column."
        )
    if _is_smiles(best):
        raise TableError(
            f"The first line names the columns, but {best!r} in it is itself a SMILES. "
            "Put a line such as `smiles` above it, or call a list of SMILES .smi."
        )
    return best


def known_column(columns: Iterable[str], name: str) -> str:
    """The name itself when the table has that column.

    Raises:
        TableError: When it hasn't, naming the nearest.
    """
    if name not in columns:
        raise TableError(f"No column {name!r} in the table.{nearest(name, columns)}")
    return name


class NumberColumns:
    """Numeric columns, read chunk by chunk.

    Args:
        head: The first rows of the table, which tell whether a column has decimal commas.
        names: The P columns.

    Raises:
        TableError: For a column that isn't there, or whose commas may be those of thousands.
    """

    def __init__(self, head: pd.DataFrame, names: Sequence[str]) -> None:
        self._commas = {
            name: _has_commas(name, head[known_column(head.columns, name)].str.strip())
            for name in names
        }
        self._found = dict.fromkeys(self._commas, False)

    def read(self, table: pd.DataFrame) -> np.ndarray:
        """The values of some rows, (N, P) float64; what is blank or no finite number is NaN."""
        values = np.full((len(table), len(self._commas)), np.nan)
        for place, (name, commas) in enumerate(self._commas.items()):
            texts = table[name].str.strip()
            if commas:
                texts = texts.str.replace(",", ".")
            column = pd.to_numeric(texts, errors="coerce").replace([np.inf, -np.inf], np.nan)
            values[:, place] = column
            self._found[name] |= bool(column.notna().any())
        return values

    def require_numbers(self) -> None:
        """Require that each column had a number in what was read.

        Raises:
            TableError: For one that hadn't.
        """
        for name, found in self._found.items():
            if not found:
                raise TableError(f"The column {name!r} holds no number.")


def numbers(table: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Numeric columns of a whole table, (rows, names); see `NumberColumns`.

    Raises:
        TableError: For a column that isn't there or holds no number at all.
    """
    columns = NumberColumns(table.head(CHUNK), names)
    values = columns.read(table)
    columns.require_numbers()
    return values


def _has_commas(name: str, texts: pd.Series[str]) -> bool:
    """Whether a column, stripped of blanks around its values, has decimal commas."""
    if not texts.str.fullmatch(_DECIMAL_COMMA).all():
        return False
    with_comma = texts[texts.str.contains(",", regex=False)]
    if len(with_comma) and with_comma.str.fullmatch(_THOUSANDS).all():
        raise TableError(
            f"The column {name!r} has numbers such as {with_comma.iloc[0]}: a decimal comma, or "
            "thousands? Write them without a comma."
        )
    return len(with_comma) > 0


def _share_of_smiles(column: pd.Series[str]) -> float:
    values = list(islice((value for value in column if value.strip()), _PROBED))
    return sum(map(_is_smiles, values)) / len(values) if values else 0.0


def _is_smiles(text: str) -> bool:
    try:
        parse(text)
    except MoleculeError:
        return False
    return True
