"""CSV and TSV."""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterator

from molvae.corpus.formats.content import LONGEST_LINE, Content
from molvae.corpus.formats.names import distinct
from molvae.errors import TableError

_SEPARATORS = ",;\t"
_QUOTED = re.compile(r'"[^"]*("|$)')
_END = "end"


class Delimited:
    """Separated values. The first line that isn't blank names the columns.

    The separator is a tab in a ``.tsv``; else comma, semicolon or tab, whichever that line has
    most of. Short rows are filled with blanks and surplus fields dropped. Where there are several
    columns, blank lines are no rows, as in pandas; where there is one, each is a row
    without a value, so that the rows are the lines below the first.

    Raises:
        TableError: When there is no header, no row, or a quote that is never closed.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._separator = "\t" if content.suffix == ".tsv" else self._sniffed()
        rows = self._rows()
        header = next(rows, None)
        if header is None:
            raise TableError(
                f"{content.name} is empty. A header line and a row a molecule are expected."
            )
        self.columns = distinct(name.strip() for name in header)
        self.count = sum(1 for _ in rows)
        if not self.count:
            raise TableError(f"{content.name} has a header ({', '.join(header)}) but no rows.")

    def records(self) -> Iterator[list[str]]:
        """The rows in their order, a text for each column; blanks are empty."""
        width = len(self.columns)
        rows = self._rows()
        next(rows)
        for row in rows:
            yield row if len(row) == width else (row + [""] * width)[:width]

    def _sniffed(self) -> str:
        with contextlib.closing(self._content.lines()) as lines:
            first = next((line for line in lines if line.strip()), "")
        return max(_SEPARATORS, key=_QUOTED.sub("", first).count)

    def _rows(self) -> Iterator[list[str]]:
        """The header and the rows below it."""
        width = 0
        for row in self._parsed():
            blank = not row or (len(row) == 1 and row[0].isspace())
            if blank and width != 1:
                continue
            width = width or len(row)
            yield row

    def _parsed(self) -> Iterator[list[str]]:
        """What the csv module makes of the lines.

        Raises:
            TableError: When a quote is opened and never closed: it would swallow the rows after it.
        """
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
        lines = _Ended(self._content.lines())
        reader = csv.reader(lines, delimiter=self._separator)
        begins = 1
        try:
            for row in reader:
                if lines.over:
                    break
                yield row
                begins = reader.line_num + 1
        except csv.Error:
            row = []
        if row != [_END]:
            raise TableError(
                f"{self._content.name}, line {begins}: a quote is opened there and never closed."
            )


class _Ended:
    """Lines with a last one of our own behind them: within an open quote, it is no row alone."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self.over = lines, False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.over:
            raise StopIteration
        line = next(self._lines, None)
        if line is None:
            self.over = True
            return _END
        return line if line.endswith(("\n", "\r")) else f"{line}\n"
