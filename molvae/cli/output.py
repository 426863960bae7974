"""Writing results: to a file, atomically, or to standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

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


def check_table(target: str) -> None:
    """`check_target` for a table."""
    check_target(target, *_SEPARATORS)


def check_image(target: str | None) -> None:
    """`check_target` for a picture."""
    check_target(target, ".svg", ".png")


def write_table(table: pd.DataFrame, target: str) -> None:
    """Write a table as CSV, or as TSV by its suffix; ``-`` is standard output."""
    separator = _SEPARATORS.get(Path(target).suffix.lower(), ",")
    text = table.to_csv(index=False, sep=separator, float_format="%.6g", lineterminator="\n")
    if target == "-":
        sys.stdout.write(text)
    else:
        files.write_text(Path(target), text)
