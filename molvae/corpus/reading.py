"""Reading molecules in chunks. Every row of a source is a row of a chunk, in its order."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

import pandas as pd

from molvae import settings as checks
from molvae.corpus.formats import Records
from molvae.corpus.formats.content import Content
from molvae.corpus.formats.delimited import Delimited
from molvae.corpus.formats.frame import Frame
from molvae.corpus.formats.parquet import MAGIC, Parquet
from molvae.corpus.formats.sdf import StructureData, begins_as_sdf
from molvae.corpus.formats.smi import SmilesList
from molvae.errors import TableError

CHUNK = 10_240
"""Rows read at a time: a multiple of the blocks of 256 in which latents are decoded."""

_SMILES_LISTS = (".smi", ".smiles", ".ism", ".can")
_STRUCTURES = (".sdf", ".sd", ".mol")
_PARQUET = (".parquet", ".pq")


class TableSource:
    """A table of molecules that is read in chunks, as often as need be; never whole in memory.

    Args:
        records: The rows.
        content: The file that holds them, if one does.

    Attributes:
        columns: The names of the columns, each once.
        count: Rows.
        name: Where they come from, for messages.
    """

    def __init__(self, records: Records, content: Content | None = None) -> None:
        self._records, self._content = records, content
        self.columns, self.count = records.columns, records.count
        self.name = "The table" if content is None else content.name

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the file, unzipped; of a table in memory, that of its CSV."""
        if self._content is not None:
            return self._content.sha256
        digest = hashlib.sha256()
        for record in (self.columns, *self._records.records()):
            line = io.StringIO()
            csv.writer(line, lineterminator="\n").writerow(record)
            digest.update(line.getvalue().encode(errors="surrogatepass"))
        return digest.hexdigest()

    @cached_property
    def head(self) -> pd.DataFrame:
        """The first `CHUNK` rows, from which columns are found."""
        return self._table(list(islice(self._records.records(), CHUNK)), 0)

    def chunks(self, rows: int = CHUNK) -> Iterator[pd.DataFrame]:
        """Tables of texts, blanks being empty, indexed from 1 as the rows are counted.

        Args:
            rows: At most so many at a time.

        Raises:
            TableError: When the file isn't any more what it was when it was opened.
        """
        checks.count("rows", rows)
        left, read = self._records.records(), 0
        while records := list(islice(left, rows)):
            yield self._table(records, read)
            read += len(records)
        if read != self.count or not (self._content is None or self._content.is_unchanged()):
            raise TableError(f"{self.name} was changed while it was read. Read it again.")

    def _table(self, records: Sequence[Sequence[str]], before: int) -> pd.DataFrame:
        index = pd.RangeIndex(before + 1, before + len(records) + 1, name="row")
        return pd.DataFrame(records, columns=list(self.columns), index=index, dtype=str)


Source = str | Path | pd.DataFrame | Iterable[str] | TableSource
"""Where molecules come from: a file, a table, SMILES, or what `open_table` gave."""


def open_table(source: Source, *, workers: int | None = None) -> TableSource:
    """Open what holds molecules.

    A file is taken for what its name says: ``.smi``, ``.smiles``, ``.ism``, ``.can`` (SMILES, then
    a name), ``.sdf``, ``.sd``, ``.mol``, ``.parquet``, ``.pq``, ``.tsv``, and CSV for all others,
    unless they begin as an SDF or Parquet does. Each may be gzipped, but for Parquet, which is
    compressed within.

    Args:
        source: A path, ``-`` for standard input, a DataFrame, or SMILES.
        workers: Processes that read the blocks of an SDF; by default one a core.

    Raises:
        TableError: When there is no such file, it is empty, or it isn't a table.
    """
    if isinstance(source, TableSource):
        return source
    if isinstance(source, pd.DataFrame):
        return TableSource(Frame(source))
    if isinstance(source, str | Path):
        content = Content(source)
        return TableSource(_records(content, workers), content)
    if not isinstance(source, Iterable):
        raise TableError(f"A file, a table or SMILES are wanted, not {source!r:.60}.")
    smiles = pd.DataFrame({"smiles": pd.Series(list(source), dtype=object)})
    if smiles.empty:
        raise TableError("No molecules were given.")
    return TableSource(Frame(smiles))


def _records(content: Content, workers: int | None) -> Records:
    known = (".csv", ".tsv", *_SMILES_LISTS)
    if content.suffix in _SMILES_LISTS:
        return SmilesList(content)
    if content.suffix in _PARQUET or (content.suffix not in known and content.head[:4] == MAGIC):
        return Parquet(content)
    if content.suffix in _STRUCTURES or (
        content.suffix not in known and begins_as_sdf(content.head)
    ):
        return StructureData(content, workers)
    return Delimited(content)
