"""Writing results: to a file, atomically, or to standard output."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae import files
from molvae.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


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


def check_table(target: str, source: str | None = None) -> None:
    """`check_target` for a table, which may not take the place of the one it is made from."""
    check_target(target, *_SEPARATORS)
    if source not in (None, "-") and Path(target).resolve() == Path(str(source)).resolve():
        raise OutputError(f"Can't write {target}: it is the file that is read. Name another.")


def check_image(target: str | None) -> None:
    """`check_target` for a picture."""
    if target == "-":
        raise OutputError("A picture can't go to standard output. Name a file.")
    check_target(target, ".svg", ".png")


def write_table(table: pd.DataFrame, target: str, *, digits: int = 6) -> None:
    """Write a table as CSV, or as TSV by its suffix; ``-`` is standard output.

    Args:
        table: What to write, without its index.
        target: Where to.
        digits: Significant digits of its numbers; 9 tell any two float32 apart.
    """
    separator = _SEPARATORS.get(Path(target).suffix.lower(), ",")
    layout: dict[str, Any] = {"index": False, "sep": separator, "lineterminator": "\n"}
    text = table.to_csv(float_format=f"%.{digits}g", **layout)
    if "\r" in text:  # which the writer leaves unquoted, and readers take for the end of a row
        text = table.to_csv(quoting=csv.QUOTE_ALL, **layout)
    if target == "-":
        click.echo(text.encode(), nl=False)
    else:
        files.write_text(Path(target), text)
