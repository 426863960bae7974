"""Reading tables of molecules. Every row of the file is a row of the table, in its order."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from itertools import count as counted
from pathlib import Path

import numpy as np
import pandas as pd

from molvae.chem.molecules import parse
from molvae.errors import MoleculeError, TableError, nearest

USUAL_NAMES = ("smiles", "canonical_smiles", "isomeric_smiles", "smi", "structure", "molecule")
"""Column names taken for SMILES, in this order, in any case."""

_DECIMAL_COMMA = r"[-+]?\d*(,\d+)?"
"""Numbers as much of Europe writes them, and blanks."""

_PROBED = 50
"""Values looked at when a column of SMILES is searched by content."""


def read_table(source: str | Path) -> pd.DataFrame:
    """Read a CSV or TSV, gzipped or not, as text.

    The first line names the columns. The separator is a tab in a ``.tsv``; else comma,
    semicolon or tab, whichever the first line has most of. Short rows are filled with blanks
    and surplus fields dropped. Blank lines are skipped, but in a table of one column each is a
    row without a molecule.

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
    rows = _rows(source, content, separator)
    while not rows[0]:
        del rows[0]
    header = _distinct(name.strip() for name in rows[0])
    width = len(header)
    # In a table of one column a blank line is a row with a blank, but not at its end.
    while not rows[-1]:
        del rows[-1]
    body = [(row + [""] * width)[:width] for row in rows[1:] if row or width == 1]
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
    if not values:
        raise TableError("No molecules were given.")
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
            "Put a line such as `smiles` above it."
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
        texts = table[known_column(table, name)].str.strip()
        if texts.str.fullmatch(_DECIMAL_COMMA).all():
            texts = texts.str.replace(",", ".")
        column = pd.to_numeric(texts, errors="coerce")
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
    if b"\0" in data[:1000] and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise TableError(f"{source} is no table of text.")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _rows(source: str | Path, content: str, separator: str) -> list[list[str]]:
    """The rows of a CSV text.

    Raises:
        TableError: When a quote is opened and never closed: it would swallow the rows after it.
    """
    csv.field_size_limit(max(csv.field_size_limit(), len(content)))
    try:
        return _lines(content, separator, strict=True)
    except csv.Error as error:
        if "unexpected end" in str(error):
            line = _last_row(content, separator)
            raise TableError(
                f"{source}, line {line}: a quote is opened there and never closed."
            ) from None
        # Other oddities, such as text behind a closing quote, needn't stop anybody.
        return _lines(content, separator, strict=False)


def _lines(content: str, separator: str, *, strict: bool) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=strict))


def _last_row(content: str, separator: str) -> int:
    """The number of the line on which the last row begins."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    begins = before = 1
    for _ in reader:
        begins, before = before, reader.line_num + 1
    return begins


def _near_file(path: Path) -> str:
    folder = path.parent
    names = [one.name for one in islice(folder.iterdir(), 1000)] if folder.is_dir() else []
    hint = nearest(path.name, names)
    return hint if hint.startswith(" Did") else ""


def _distinct(names: Iterable[str]) -> list[str]:
    """Column names; a repeated one gets ``.1``, ``.2`` behind it, as in pandas."""
    distinct: list[str] = []
    for name in names:
        candidates = chain([name], (f"{name}.{count}" for count in counted(1)))
        distinct.append(next(one for one in candidates if one not in distinct))
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
