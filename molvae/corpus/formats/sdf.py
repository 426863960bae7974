"""SDF: records of a block of atoms and bonds, and properties."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from molvae.chem.molblocks import LONGEST_BLOCK, BlockRead, read_blocks
from molvae.corpus.formats import AT_A_TIME
from molvae.corpus.formats.content import Content
from molvae.corpus.formats.names import UNREADABLE, distinct
from molvae.errors import TableError
from molvae.parallel import GIVEN_UP, ordered

_END = "$$$$"
_PROPERTY = re.compile(r">.*?<(.*)>")
_COUNTS = re.compile(rb"V[23]000\s*$")
_GIVEN_UP = BlockRead("", GIVEN_UP)
_LONGEST_RECORD = 4 * LONGEST_BLOCK


class StructureData:
    """A row a record: its molecule and its properties.

    The columns are ``smiles``, from the block; ``name``, its title; ``unreadable``, why there is
    no SMILES; and the properties. A first pass finds the properties of all records, in
    the order in which they come; one that is called as a column before it becomes ``smiles.1``.

    Args:
        content: The file.
        workers: Processes that read blocks; by default one a core.

    Raises:
        TableError: When there is no record.
    """

    def __init__(self, content: Content, workers: int | None) -> None:
        self._content, self._workers = content, workers
        self.count, properties = 0, dict[str, None]()
        for record in _records(content):
            self.count += 1
            properties.update(dict.fromkeys(_properties(record)))
        if not self.count:
            raise TableError(f"{content.name} is empty. Records that end in {_END} are expected.")
        self._properties = list(properties)
        self.columns = distinct(["smiles", "name", UNREADABLE, *properties])

    def records(self) -> Iterator[list[str]]:
        """The rows in their order, a text for each column; blanks are empty."""
        left = _records(self._content)
        while records := list(islice(left, AT_A_TIME)):
            blocks = ["\n".join(record[: _end_of_block(record)]) + "\n" for record in records]
            # All at once: nobody else may use the processes before these are read.
            read = list(ordered(read_blocks, blocks, self._workers, given_up=_GIVEN_UP))
            for record, molecule in zip(records, read, strict=True):
                yield self._row(record, molecule)

    def _row(self, record: list[str], read: BlockRead) -> list[str]:
        values = _properties(record)
        fields = [values.get(name, "") for name in self._properties]
        return [read.smiles, record[0].strip() if record else "", read.reason, *fields]


def begins_as_sdf(head: bytes) -> bool:
    """Whether the first bytes of a file are those of an SDF, by its fourth line."""
    lines = head.splitlines()
    return len(lines) > 4 and bool(_COUNTS.search(lines[3]))


def _records(content: Content) -> Iterator[list[str]]:
    """The lines of each record, without its end; of one that is far too long, the first ones."""
    record: list[str] = []
    size = 0
    for line in content.lines():
        if line.startswith(_END):
            yield record
            record, size = [], 0
            continue
        size += len(line)
        if size <= _LONGEST_RECORD:
            record.append(line.rstrip("\r\n"))
    if any(line.strip() for line in record):
        yield record


def _end_of_block(record: list[str]) -> int:
    """The number of lines before the properties."""
    for place, line in enumerate(record):
        if line.startswith("M  END"):
            return place + 1
        if place >= 4 and line.startswith(">"):
            return place
    return len(record)


def _properties(record: list[str]) -> dict[str, str]:
    """The properties of a record: a line ``> <NAME>``, then lines of its value up to a blank."""
    values: dict[str, str] = {}
    lines = iter(record[_end_of_block(record) :])
    for line in lines:
        if found := _PROPERTY.match(line):
            value = []
            for text in lines:
                if not text.strip():
                    break
                value.append(text)
            values[found[1]] = "\n".join(value)
    return values
