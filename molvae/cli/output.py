"""Writing results: to a file, atomically, or to standard output."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae import files
from molvae.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_PARQUET = ".parquet"

Write = Callable[["pd.DataFrame"], object]
"""Writes the next rows of a table."""


def check_target(target: str | None, *suffixes: str) -> None:
    """Refuse a file that can't be written before the work, not after it.

    Raises:
        OutputError: For another suffix than those, a folder, or a place that can't be written.
    """
    if target is None or target == "-":
        return
    path = Path(target)
    if path.suffix.lower() not in suffixes:
        raise OutputError(f"Can't write {path}: the name must end in {' or '.join(suffixes)}.")
    if path.is_dir():
        raise OutputError(f"Can't write {path}: it is a folder. Name a file in it.")
    files.check_folder(path.parent)


def check_table(target: str, source: str | None = None, *others: str) -> None:
    """`check_target` for a table, which may not take the place of the one it is made from.

    Args:
        target: Where to write.
        source: What is read.
        others: Suffixes that are allowed beside those of tables.

    Raises:
        TableError: For a Parquet file, where pyarrow isn't installed.
    """
    check_target(target, *_SEPARATORS, _PARQUET, *others)
    if source not in (None, "-") and Path(target).resolve() == Path(str(source)).resolve():
        raise OutputError(f"Can't write {target}: it is the file that is read. Name another.")
    if target.lower().endswith(_PARQUET):
        from molvae.corpus.formats.parquet import arrow

        arrow(target)


def check_image(target: str | None) -> None:
    """`check_target` for a picture of molecules; also that they can be drawn here."""
    if target == "-":
        raise OutputError("A picture can't go to standard output. Name a file.")
    check_target(target, ".svg", ".png")
    if target is not None:
        from molvae.chem.drawing import drawer

        drawer()


def write_table(table: pd.DataFrame, target: str, *, digits: int = 6) -> None:
    """Write a table as CSV, or as TSV or Parquet by its suffix; ``-`` is standard output.

    Args:
        table: What to write, without its index.
        target: Where to.
        digits: Significant digits of its numbers; 9 tell any two float32 apart.
    """
    with table_writer(target, digits=digits) as write:
        write(table)


@contextlib.contextmanager
def table_writer(target: str, *, digits: int = 6) -> Iterator[Write]:
    """Write a table part by part; a file gets its name when the block ends well.

    Args:
        target: Where to, as in `write_table`.
        digits: As in `write_table`.
    """
    separator = _SEPARATORS.get(Path(target).suffix.lower(), ",")
    if target == "-":
        yield _text_writer(lambda text: click.echo(text.encode(), nl=False), separator, digits)
        return
    with files.atomic_path(Path(target)) as temporary:
        if target.lower().endswith(_PARQUET):
            with _parquet_writer(temporary) as write:
                yield write
        else:
            with temporary.open("w", encoding="utf-8", newline="") as stream:
                yield _text_writer(stream.write, separator, digits)


def _text_writer(put: Callable[[str], object], separator: str, digits: int) -> Write:
    header = True

    def write(table: pd.DataFrame) -> None:
        nonlocal header
        layout: dict[str, Any] = {
            "index": False,
            "header": header,
            "sep": separator,
            "lineterminator": "\n",
        }
        text = table.to_csv(float_format=f"%.{digits}g", **layout)
        if "\r" in text:  # which the writer leaves unquoted, and readers take for the end of a row
            text = table.to_csv(quoting=csv.QUOTE_ALL, **layout)
        put(text)
        header = False

    return write


@contextlib.contextmanager
def _parquet_writer(path: Path) -> Iterator[Write]:
    """The columns have the types that the first part has."""
    from molvae.corpus.formats.parquet import arrow

    pyarrow = arrow(str(path))
    with contextlib.ExitStack() as opened:
        writer: Any = None

        def write(table: pd.DataFrame) -> None:
            nonlocal writer
            schema = None if writer is None else writer.schema
            rows = pyarrow.Table.from_pandas(table, schema=schema, preserve_index=False)
            if writer is None:
                rows = rows.replace_schema_metadata()
                writer = opened.enter_context(pyarrow.parquet.ParquetWriter(path, rows.schema))
            writer.write_table(rows)

        yield write
