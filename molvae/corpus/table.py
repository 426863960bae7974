"""Reading tables of molecules. Every row of the file is a row of the table, in its order."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from molvae.chem.molecules import parse
from molvae.errors import MoleculeError, TableError, nearest

USUAL_NAMES = ("smiles", "canonical_smiles", "isomeric_smiles", "smi", "structure", "molecule")
"""Column names taken for SMILES, in this order, in any case."""

_PROBED = 50
"""Values looked at when a column of SMILES is searched by content."""


def read_table(source: str | Path) -> pd.DataFrame:
    """Read a CSV or TSV, gzipped or not, as text.

    The first line names the columns. The separator is a tab in a ``.tsv``; else comma,
    semicolon or tab, whichever the first line has most of. Short rows are filled with blanks,
    surplus fields dropped, blank lines skipped.

    Args:
        source: A path, or ``-`` for standard input.

    Returns:
        A table of strings, blanks being empty strings, indexed from 1 as its rows are counted.

    Raises:
        TableError: When there is no such file, it is empty, or it isn't a table.
    """
    content = _read_text(source)
    if not content.strip():
        raise TableError(f"{source} is empty. A header line and a row a molecule are expected.")
    first = content.lstrip("\r\n").splitlines()[0]
    separator = max(",;\t", key=first.count) if first.strip() else ","
    if str(source).removesuffix(".gz").endswith(".tsv"):
        separator = "\t"
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise TableError(f"{source}, line {reader.line_num}: not a table ({error}).") from None
    header = _distinct(name.strip() for name in rows[0])
    width = len(header)
    body = [(row + [""] * width)[:width] for row in rows[1:]]
    if not body:
        raise TableError(f"{source} has a header ({', '.join(header)}) but no rows.")
    return pd.DataFrame(body, columns=header, index=_row_numbers(len(body)), dtype=str)


def as_table(source: str | Path | pd.DataFrame | Iterable[str]) -> pd.DataFrame:
    """A table of strings from whatever holds molecules: a file, a DataFrame, a list of SMILES."""
    if isinstance(source, pd.DataFrame):
        if source.empty:
            raise TableError("The table has no rows.")
        blank = source.isna()
        table = source.astype(str).mask(blank, "")
        table.columns = _distinct(str(name) for name in table.columns)
        return table.set_axis(_row_numbers(len(table)))
    if isinstance(source, str | Path):
        return read_table(source)
    values = ["" if one is None else str(one) for one in source]
    return pd.DataFrame({"smiles": values}, index=_row_numbers(len(values)), dtype=str)


def smiles_column(table: pd.DataFrame, wanted: str | None = None) -> str:
    """The name of the column that holds SMILES.

    Args:
        table: As `read_table` gives it.
        wanted: The user's choice; searched by name, then by content, when absent.

    Raises:
        TableError: When the wanted column isn't there, or none looks like SMILES.
    """
    if wanted is not None:
        return known_column(table, wanted)
    by_lower = {name.lower(): name for name in reversed(table.columns.tolist())}
    for name in USUAL_NAMES:
        if name in by_lower:
            return by_lower[name]
    shares = {name: _share_of_smiles(table[name]) for name in table.columns}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] < 0.5:
        raise TableError(
            f"No column looks like SMILES among {', '.join(table.columns)}. "
            "Name it with --smiles-column."
        )
    return best


def known_column(table: pd.DataFrame, name: str) -> str:
    """The name itself when the table has that column.

    Raises:
        TableError: When it hasn't, naming the nearest.
    """
    if name not in table.columns:
        raise TableError(f"No column {name!r} in the table.{nearest(name, table.columns)}")
    return name


def numbers(table: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Numeric columns, (rows, names) float64; what is blank or no finite number is NaN.

    Raises:
        TableError: For a column that isn't there or holds no number at all.
    """
    values = np.full((len(table), len(names)), np.nan)
    for place, name in enumerate(names):
        column = pd.to_numeric(table[known_column(table, name)], errors="coerce")
        values[:, place] = column.replace([np.inf, -np.inf], np.nan)
        if np.isnan(values[:, place]).all():
            raise TableError(f"The column {name!r} holds no number.")
    return values


def _read_text(source: str | Path) -> str:
    if str(source) == "-":
        data = sys.stdin.buffer.read()
    else:
        path = Path(source)
        if path.is_dir():
            raise TableError(f"{path} is a folder. Name a CSV file in it.")
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise TableError(f"No file {path}.{_near_file(path)}") from None
        except OSError as error:
            raise TableError(f"Can't read {path}: {(error.strerror or '').lower()}.") from None
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise TableError(f"{source} is a damaged gzip file ({error}).") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _near_file(path: Path) -> str:
    folder = path.parent
    names = [one.name for one in islice(folder.iterdir(), 1000)] if folder.is_dir() else []
    hint = nearest(path.name, names)
    return hint if hint.startswith(" Did") else ""


def _distinct(names: Iterable[str]) -> list[str]:
    """Column names; a repeated one gets ``.1``, ``.2`` behind it, as in pandas."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        distinct.append(f"{name}.{count}" if count else name)
    return distinct


def _row_numbers(count: int) -> pd.RangeIndex:
    return pd.RangeIndex(1, count + 1, name="row")


def _share_of_smiles(column: pd.Series[str]) -> float:
    values = [value for value in column if value.strip()][:_PROBED]
    return sum(map(_is_smiles, values)) / len(values) if values else 0.0


def _is_smiles(text: str) -> bool:
    try:
        parse(text)
    except MoleculeError:
        return False
    return True
