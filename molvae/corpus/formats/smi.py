"""Lists of SMILES (``.smi``): SMILES first, a name behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from molvae.corpus.formats.content import Content
from molvae.corpus.formats.names import USUAL_NAMES, distinct
from molvae.errors import TableError


class SmilesList:
    """A SMILES a line, and what stands behind the white space is its name.

    The first line names the columns only when it begins with a usual name for SMILES. Then they
    are parted by tabs if it has tabs, else by white space, and the last takes what is left.
    Each line is a row; a blank one has no molecule.

    Raises:
        TableError: When there is no line but blank ones.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._skipped = 0
        self._separator: str | None = None
        self.columns: tuple[str, ...] = ("smiles", "name")
        with contextlib.closing(content.lines()) as lines:
            found = next(((place, line) for place, line in enumerate(lines) if line.strip()), None)
        if found is None:
            raise TableError(f"{content.name} is empty. A SMILES a line is expected.")
        place, first = found
        if first.split()[0].lstrip("#").lower() in USUAL_NAMES:
            self._skipped = place + 1
            self._separator = "\t" if "\t" in first.strip() else None
            names = first.strip().lstrip("#").split(self._separator)
            self.columns = distinct(name.strip() for name in names)
        self.count = sum(1 for _ in content.lines()) - self._skipped
        if not self.count:
            raise TableError(f"{content.name} has a header ({first.strip()}) but no rows.")

    def records(self) -> Iterator[list[str]]:
        """The rows in their order, a text for each column; blanks are empty."""
        width = len(self.columns)
        for place, line in enumerate(self._content.lines()):
            if place >= self._skipped:
                fields = [one.strip() for one in self._fields(line, width)]
                yield fields + [""] * (width - len(fields))

    def _fields(self, line: str, width: int) -> list[str]:
        if width == 1:
            return line.split(self._separator)[:1]
        if self._separator is None:
            return line.split(None, width - 1)
        return line.strip("\r\n").split(self._separator, width - 1)
