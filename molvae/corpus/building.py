"""From the rows of a table to a store: encoded in processes, written as they come, then merged."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from molvae.chem.fragments import scaffold_of
from molvae.chem.identity import hash_of
from molvae.chem.standard import STEPS, Standard
from molvae.chem.strings import AUTO, LADDER, PRESETS, Constraints, Encoded, encode_many
from molvae.corpus.columns import Column, Columns, Texts, blocks, mapped
from molvae.corpus.reading import TableSource
from molvae.corpus.splits import NO_SPLIT, SplitColumn
from molvae.corpus.store import LIKE, NUMBERS, TEXTS, Reading, seal, spread
from molvae.corpus.table import NumberColumns, unreadable
from molvae.parallel import CHUNK, GIVEN_UP, SMALL, streamed

_GIVEN_UP = (Encoded("", "", GIVEN_UP), "")
_BIT = {step: 1 << bit for bit, step in enumerate(STEPS)}
_HASHES_AT_A_TIME, _PLACES_AT_A_TIME = 1 << 19, 1 << 20
_PAIRS = "<i8"


@dataclass(frozen=True)
class _Piece:
    """Some rows of a table: their texts, why they have none, their values and parts."""

    first_row: int
    texts: list[str]
    told: list[str]
    values: np.ndarray
    given: np.ndarray


def build(table: TableSource, reading: Reading, folder: Path, workers: int | None) -> None:
    """Encode a table into an empty folder.

    Args:
        table: The rows.
        reading: What of them is read, and how.
        folder: What becomes a `molvae.corpus.store.Store`.
        workers: Processes to encode in; by default one a core.

    Raises:
        TableError: When a column isn't there or holds nothing of what it should.
        OSError: When the disk is full.
    """
    values = NumberColumns(table.head, reading.property_names)
    parts = SplitColumn(table.columns, reading.split_column)
    writer = _Writer(reading)
    pieces: deque[_Piece] = deque()

    def texts() -> Iterator[list[str]]:
        for piece in _pieces(table, reading.column, values, parts):
            pieces.append(piece)
            yield piece.texts

    work = partial(
        _encoded,
        constraints=PRESETS[LADDER[0] if reading.constraints == AUTO else reading.constraints],
        standard=reading.standard,
        widen=reading.constraints == AUTO,
        scaffolds=reading.scaffolds,
    )
    workers = 1 if table.count < SMALL else workers
    with Columns(folder, NUMBERS, TEXTS) as columns:
        for encoded in streamed(work, texts(), workers, given_up=_GIVEN_UP):
            writer.write(columns, pieces.popleft(), encoded)
    parts.require_training()
    values.require_numbers()
    merge(folder, reading)
    facts = {
        "reading": asdict(reading),
        "rows": table.count,
        "symbols": list(writer.symbols),
        "holders": _holders(folder, len(writer.symbols)).tolist(),
        "preset": writer.preset,
        "rejected": dict(writer.reasons),
    }
    seal(folder, facts)


def _pieces(
    table: TableSource, column: str, values: NumberColumns, parts: SplitColumn
) -> Iterator[_Piece]:
    """The rows of a table, as many at a time as a process takes."""
    for chunk in table.chunks():
        texts, told = chunk[column].tolist(), unreadable(chunk)
        numbers, given = values.read(chunk), parts.read(chunk)
        for start in range(0, len(texts), CHUNK):
            some = slice(start, start + CHUNK)
            row = int(chunk.index[start])
            yield _Piece(row, texts[some], told[some], numbers[some], given[some])


def _encoded(
    texts: Sequence[str],
    *,
    constraints: Constraints,
    standard: Standard,
    widen: bool,
    scaffolds: bool,
) -> list[tuple[Encoded, str]]:
    """What is found of each text in a process of its own: the molecule, and its scaffold."""
    found = encode_many(texts, constraints, standard, widen=widen)
    if not scaffolds:
        return [(one, "") for one in found]
    return [(one, scaffold_of(one.smiles) if one.smiles else "") for one in found]


class _Writer:
    """Writes molecules as they come, and keeps what is known only at the end.

    Attributes:
        symbols: The id of each symbol, in the order in which they came.
        preset: The constraints that all molecules written so far are admitted by.
        reasons: How many rows were rejected for each reason.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.symbols: dict[str, int] = {}
        self.preset = LADDER[0] if reading.constraints == AUTO else reading.constraints
        self.reasons: Counter[str] = Counter()
        self._end = 0

    def write(
        self, columns: Columns, piece: _Piece, encoded: Sequence[tuple[Encoded, str]]
    ) -> None:
        """Write what became of some rows."""
        ids: list[int] = []
        kept, lengths = [], []
        rejected: dict[int, str] = {}
        for place, (one, _) in enumerate(encoded):
            tokens = one.tokens
            if reason := self._objection(piece, place, one, len(tokens)):
                rejected[place] = reason
                continue
            kept.append(place)
            lengths.append(len(tokens))
            ids += [self.symbols.setdefault(token, len(self.symbols)) for token in tokens]
            if one.admitted_by:
                # What a narrower preset of the ladder admits, a wider one writes and reads alike.
                self.preset = max(self.preset, one.admitted_by, key=LADDER.index)
        self.reasons.update(rejected.values())
        molecules = [encoded[place][0] for place in kept]
        texts = [piece.texts[place] for place in kept]
        ends = self._end + np.cumsum(lengths, dtype=np.int64)
        self._end += sum(lengths)
        columns.append(
            row=piece.first_row + np.array(kept, dtype=np.int64),
            token_ids=ids,
            ends=ends,
            length=lengths,
            hash=np.array([hash_of(one.smiles) for one in molecules], dtype=np.uint64),
            given=piece.given[kept],
            steps=[sum(_BIT[step] for step in one.steps) for one in molecules],
            values=piece.values[kept],
            smiles=[one.smiles for one in molecules],
            text=["" if t == one.smiles else t for t, one in zip(texts, molecules, strict=True)],
            rejected_row=piece.first_row + np.array(list(rejected), dtype=np.int64),
            rejected_text=[piece.texts[place] for place in rejected],
            rejected_reason=list(rejected.values()),
        )
        if self._reading.scaffolds:
            hashes = [hash_of(encoded[place][1]) for place in kept]
            columns.append(scaffold=np.array(hashes, dtype=np.uint64))

    def _objection(self, piece: _Piece, place: int, one: Encoded, tokens: int) -> str:
        """Why a row is rejected, empty when it isn't."""
        if one.reason:
            return piece.told[place] or one.reason
        if piece.given[place] == NO_SPLIT:
            return "its split is neither train, valid nor test"
        if tokens > self._reading.max_tokens:
            return f"longer than {self._reading.max_tokens} tokens"
        return ""


def merge(folder: Path, reading: Reading) -> None:
    """Find like molecules, and give the first the mean of its part's properties if asked for."""
    names = Texts(folder / "smiles")
    averages = reading.property_names and reading.duplicates == "mean"
    with TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "pairs"
        with closing(Column(path, _PAIRS)) as column:
            for pairs in find_like(folder / "hash", names):
                column.append(pairs.T)
                if averages and pairs.size:
                    _average(folder, *pairs, properties=len(reading.property_names))
        with Columns(folder, LIKE, ()) as columns:
            for places, firsts in _in_order(path, len(names)):
                columns.append(like_place=places, like_first=firsts)


def _in_order(path: Path, molecules: int) -> Iterator[np.ndarray]:
    """The pairs in a file, by their places: arrays, (2, L), of some of the places at a time."""
    for start in range(0, molecules, _PLACES_AT_A_TIME):
        found = [np.empty((0, 2), dtype=_PAIRS)]
        for block in blocks(path, _PAIRS, 2 * _PLACES_AT_A_TIME):
            pairs = block.reshape(-1, 2)
            mine = (pairs[:, 0] >= start) & (pairs[:, 0] < start + _PLACES_AT_A_TIME)
            found.append(pairs[mine])
        some = np.concatenate(found)
        yield some[np.argsort(some[:, 0])].T


def _average(folder: Path, places: np.ndarray, firsts: np.ndarray, *, properties: int) -> None:
    """Give the first of like molecules the mean of their properties; all of them are here."""
    given = mapped(folder / "given", NUMBERS["given"])
    alike = given[places] == given[firsts]  # what is held out teaches nothing
    places, firsts = places[alike], firsts[alike]
    mapped_values = np.memmap(folder / "values", dtype=NUMBERS["values"], mode="r+")
    values = mapped_values.reshape(-1, properties)
    heads, group = np.unique(firsts, return_inverse=True)
    sums, counts = np.nan_to_num(values[heads]), (~np.isnan(values[heads])).astype(np.int64)
    np.add.at(sums, group, np.nan_to_num(values[places]))
    np.add.at(counts, group, ~np.isnan(values[places]))
    values[heads] = np.where(counts, sums / np.maximum(counts, 1), np.nan)
    mapped_values.flush()


def find_like(hashes: Path, smiles: Sequence[str]) -> Iterator[np.ndarray]:
    """Places of molecules that an earlier place has, and the first such: arrays, (2, L).

    Those of one hash are compared by their SMILES. A part of the hashes is looked at at a time:
    it takes as much memory for ten million molecules as for one.
    """
    size = hashes.stat().st_size // np.dtype(NUMBERS["hash"]).itemsize
    parts = max(1, -(-size // _HASHES_AT_A_TIME))
    for part in range(parts):
        chosen, places = _of_part(hashes, part, parts)
        order = np.argsort(chosen, kind="stable")
        chosen, places = chosen[order], places[order]
        repeated = np.zeros(len(chosen), dtype=bool)
        repeated[1:] |= chosen[1:] == chosen[:-1]
        repeated[:-1] |= chosen[1:] == chosen[:-1]
        first: dict[str, int] = {}
        candidates = np.sort(places[repeated])
        firsts = [first.setdefault(smiles[place], place) for place in candidates.tolist()]
        pairs = np.array([candidates, firsts], dtype=np.int64)
        yield pairs[:, pairs[0] != pairs[1]]


def _of_part(hashes: Path, part: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """The hashes that belong to one of so many parts, and their places, ascending."""
    chosen, places = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.int64)]
    half, first = np.uint64(32), 0
    for block in blocks(hashes, NUMBERS["hash"], _HASHES_AT_A_TIME):
        mine = np.flatnonzero((block >> half) * np.uint64(parts) >> half == np.uint64(part))
        chosen.append(block[mine])
        places.append(first + mine)
        first += len(block)
    return np.concatenate(chosen), np.concatenate(places)


def _holders(folder: Path, symbols: int) -> np.ndarray:
    """How many distinct molecules have each symbol, (V,) int64."""
    like, total = mapped(folder / "like_place", LIKE["like_place"]), np.zeros(symbols, np.int64)
    for ids, owners in spread(folder):
        if not len(owners):
            continue
        first, last = int(owners[0]), int(owners[-1])
        has = np.zeros((last - first + 1, symbols), dtype=bool)
        has[owners - first, ids] = True
        here = like[np.searchsorted(like, first) : np.searchsorted(like, last, side="right")]
        has[here - first] = False
        total += has.sum(axis=0)
    return total
