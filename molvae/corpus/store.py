"""The molecules of a table, encoded once and kept on disk; never whole in memory."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from molvae import files
from molvae import settings as checks
from molvae.chem.standard import STEPS, Standard
from molvae.corpus.columns import Pieces, Texts, blocks, mapped
from molvae.corpus.reading import TableSource

FORMAT = 1
"""Raised when stores are made otherwise; those made before are made anew."""

MANIFEST = "manifest.json"
"""Written last: what has none was never finished."""

NUMBERS = {
    "row": "<i8",
    "token_ids": "<u2",
    "ends": "<i8",
    "length": "<i4",
    "hash": "<u8",
    "given": "<i1",
    "steps": "<u1",
    "scaffold": "<u8",
    "values": "<f8",
    "rejected_row": "<i8",
}
"""Columns of numbers and their types; those that begin with ``rejected`` are of other rows."""

TEXTS = ("smiles", "text", "rejected_text", "rejected_reason")
"""Columns of texts. A ``text`` is empty where a row was given as its canonical SMILES."""

LIKE = {"like_place": "<i8", "like_first": "<i8"}
"""Places of molecules that an earlier row has brought, and the place of that one."""

DUPLICATES = ("mean", "first")
"""What like molecules give their first row: the mean of the numbers they have, or nothing."""

_ROWS_AT_A_TIME, _NUMBERS_AT_A_TIME = 1 << 14, 1 << 20


@dataclass(frozen=True)
class Reading:
    """What is read of a table, and how.

    Attributes:
        column: The column of SMILES.
        property_names: Numeric columns.
        split_column: The column that says train, valid or test, if one does.
        duplicates: One of `DUPLICATES`.
        max_tokens: Longer molecules are rejected.
        constraints: The name of one of `molvae.chem.strings.PRESETS`, or ``auto``.
        standard: How the molecules are standardised.
        scaffolds: Whether Murcko scaffolds are found, too.
    """

    column: str
    property_names: tuple[str, ...]
    split_column: str | None
    duplicates: str
    max_tokens: int
    constraints: str
    standard: Standard
    scaffolds: bool

    def __post_init__(self) -> None:
        checks.choice("duplicates", self.duplicates, DUPLICATES)
        checks.count("max_tokens", self.max_tokens)

    def key(self, table: TableSource) -> str:
        """A name for what comes of reading a table so, 40 hexadecimal digits."""
        facts = {
            "format": FORMAT,
            "versions": {name: version(name) for name in ("molvae", "rdkit", "selfies")},
            "reading": asdict(self),
            "table": [table.sha256, list(table.columns), table.count],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:40]


class Store:
    """The molecules of a table that can be encoded, M of them, and what became of its other rows.

    A molecule is known by its place, from 0 on, in the order of the rows.

    Args:
        folder: Where the columns are.
        owner: What removes the folder when nobody uses it any more, if it is a passing one.

    Attributes:
        facts: What the manifest says.
        symbols: What the token ids mean, in the order of their ids, from 0 on.
        holders: How many distinct molecules have each of the symbols, (V,) int64.
        row: The row that brought each molecule, from 1, (M,) int64.
        length: Its symbols, (M,) int32.
        hashes: `molvae.chem.identity.hash_of` its SMILES, (M,) uint64.
        given: The part that its row names, (M,) int8.
        numbers: Its properties, (M, P) float64, NaN for none.
        scaffold: A hash of its Murcko scaffold, (M,) uint64, when they were asked for.
        like_place: Places of molecules that an earlier row has brought, ascending, (L,) int64.
        like_first: The place of that one, (L,) int64.
        smiles: Canonical SMILES.
    """

    def __init__(self, folder: Path, owner: object = None) -> None:
        self.folder, self._owner = folder, owner
        self.facts: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        self.symbols = tuple(self.facts["symbols"])
        self.holders = np.array(self.facts["holders"], dtype=np.int64)
        self.row, self.length = self._mapped("row"), self._mapped("length")
        self.hashes, self.given = self._mapped("hash"), self._mapped("given")
        self.scaffold = self._mapped("scaffold")
        self.like_place = mapped(folder / "like_place", LIKE["like_place"])
        self.like_first = mapped(folder / "like_first", LIKE["like_first"])
        properties = len(self.facts["reading"]["property_names"])
        self.numbers = (
            mapped(folder / "values", NUMBERS["values"], properties)
            if properties
            else np.empty((len(self.row), 0))
        )
        self.smiles, self._text = Texts(folder / "smiles"), Texts(folder / "text")
        self._ids = Pieces(folder / "token_ids", NUMBERS["token_ids"], folder / "ends")

    def __len__(self) -> int:
        return len(self.row)

    def __reduce__(self) -> tuple[Callable[..., Store], tuple[Path]]:
        """Another process opens the same files."""
        return Store, (self.folder,)

    @property
    def preset(self) -> str:
        """The name of the constraints under which the molecules are written."""
        return str(self.facts["preset"])

    def fingerprint(self) -> str:
        """What tells these molecules and their properties from others."""
        seen = [self.facts["files"][name] for name in ("token_ids", "length", "hash", "values")]
        return hashlib.sha256(json.dumps([self.symbols, seen]).encode()).hexdigest()

    def ids(self, place: int) -> np.ndarray:
        """The ids of a molecule's symbols, (T,) uint16."""
        return self._ids[place]

    def text(self, place: int) -> str:
        """The text that a molecule was given as."""
        return self._text[place] or self.smiles[place]

    def rejected(self) -> Iterator[tuple[int, str, str]]:
        """Rows that hold no molecule that can be encoded, with their text and the reason."""
        texts, reasons = (Texts(self.folder / f"rejected_{one}") for one in ("text", "reason"))
        return zip(map(int, self._mapped("rejected_row")), texts, reasons, strict=True)

    def changed(self, kept: np.ndarray) -> dict[str, int]:
        """How many molecules, of those chosen by (M,) bool, each step of standardising changed."""
        masks = np.arange(256)
        counts, first = np.zeros(len(masks), dtype=np.int64), 0
        for steps in blocks(self.folder / "steps", NUMBERS["steps"], _NUMBERS_AT_A_TIME):
            counts += np.bincount(steps[kept[first : first + len(steps)]], minlength=len(masks))
            first += len(steps)
        found = {
            name: int(counts[(masks >> bit & 1).astype(bool)].sum())
            for bit, name in enumerate(STEPS)
        }
        return {name: count for name, count in found.items() if count}

    def lengths(self, chosen: np.ndarray) -> dict[int, int]:
        """How many of the molecules chosen by (M,) bool have so many symbols, by that number."""
        counts, first = Counter[int](), 0
        for lengths in blocks(self.folder / "length", NUMBERS["length"], _NUMBERS_AT_A_TIME):
            found = np.bincount(lengths[chosen[first : first + len(lengths)]])
            counts.update({length: int(found[length]) for length in np.flatnonzero(found).tolist()})
            first += len(lengths)
        return dict(sorted(counts.items()))

    def counts(self, chosen: np.ndarray) -> np.ndarray:
        """How often each symbol occurs in the molecules chosen by (M,) bool: (V,) int64."""
        total = np.zeros(len(self.symbols), dtype=np.int64)
        for ids, owners in spread(self.folder):
            total += np.bincount(ids[chosen[owners]], minlength=len(total))
        return total

    def holding(self, symbols: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Places, of those chosen by (M,) bool, of molecules with one of the symbols, (V,) bool."""
        found = [owners[symbols[ids] & chosen[owners]] for ids, owners in spread(self.folder)]
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)

    def _mapped(self, name: str) -> np.ndarray:
        return mapped(self.folder / name, NUMBERS[name])


def spread(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of a store's token ids, and the place of the molecule that each of them is of."""
    first = 0
    with (folder / "token_ids").open("rb") as stream:
        for lengths in blocks(folder / "length", NUMBERS["length"], _ROWS_AT_A_TIME):
            ids = np.fromfile(stream, dtype=NUMBERS["token_ids"], count=int(lengths.sum()))
            yield ids, np.repeat(np.arange(first, first + len(lengths)), lengths)
            first += len(lengths)


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the manifest of a store whose columns are done."""
    known = {one.name: [one.stat().st_size, files.sha256(one)] for one in sorted(folder.iterdir())}
    text = json.dumps({"format": FORMAT, **facts, "files": known}, indent=2)
    files.write_text(folder / MANIFEST, text + "\n")


def is_whole(folder: Path) -> bool:
    """Whether a store was finished, and nothing in it has changed since."""
    try:
        facts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        found = {name: (folder / name).stat().st_size for name in facts["files"]}
        return facts["format"] == FORMAT and all(
            [found[name], files.sha256(folder / name)] == known
            for name, known in facts["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
