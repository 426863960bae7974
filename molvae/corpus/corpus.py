"""From a table to a corpus: every row is kept, merged with its like, or rejected with a reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from molvae import settings as checks
from molvae.chem.identity import KnownMolecules
from molvae.chem.standard import DEFAULT_STANDARD, Standard
from molvae.chem.strings import AUTO, PRESETS, Constraints
from molvae.corpus.account import Account, Rejects
from molvae.corpus.cache import stored
from molvae.corpus.reading import Source, TableSource, open_table
from molvae.corpus.splits import (
    HELD_OUT_MOST,
    HELD_OUT_SHARE,
    METHODS,
    NO_SPLIT,
    TEST,
    TRAIN,
    VALID,
    set_apart,
)
from molvae.corpus.store import Reading, Store
from molvae.corpus.table import known_column, smiles_column
from molvae.corpus.vocabulary import Vocabulary
from molvae.errors import SettingsError, TableError

MAX_TOKENS = 120
"""Longer molecules are rejected by default; drug-like ones have 20 to 70 tokens."""


@dataclass(frozen=True)
class Corpus:
    """Distinct molecules as token ids. A molecule is known by its place in the store.

    Attributes:
        store: What the molecules are read from, as they are needed.
        split: `TRAIN`, `VALID`, `TEST`, or `NO_SPLIT` for what is left out, (M,) int8.
        vocabulary: What the ids mean; by default the symbols of what isn't `TEST`.
        centre: What counts as 0 of each property, (P,).
        scale: What counts as 1, (P,).
    """

    store: Store
    split: np.ndarray
    vocabulary: Vocabulary
    centre: np.ndarray = field(default_factory=lambda: np.zeros(1))
    scale: np.ndarray = field(default_factory=lambda: np.ones(1))

    def __len__(self) -> int:
        return int((self.split != NO_SPLIT).sum())

    @property
    def property_names(self) -> tuple[str, ...]:
        """The names of the P properties."""
        return tuple(self.store.facts["reading"]["property_names"])

    @cached_property
    def _ids_of_symbols(self) -> np.ndarray:
        """The vocabulary's ids of the store's, (V,) uint16; 0 for those it lacks."""
        known = set(self.vocabulary.symbols)
        ids = [self.vocabulary.ids([one])[0] if one in known else 0 for one in self.store.symbols]
        return np.array(ids, dtype=np.uint16)

    def rows(self, *splits: int) -> np.ndarray:
        """The places of the molecules of some parts, by default of all, ascending, (N,) int64."""
        return np.flatnonzero(np.isin(self.split, splits or (TRAIN, VALID, TEST)))

    def smiles(self, places: Sequence[int] | np.ndarray) -> list[str]:
        """Canonical SMILES of some molecules."""
        return [self.store.smiles[int(place)] for place in places]

    def token_ids(self, places: np.ndarray) -> list[np.ndarray]:
        """The token ids of some molecules, each (T,) uint16."""
        return [self._ids_of_symbols[self.store.ids(int(place))] for place in places]

    def lengths(self, places: np.ndarray) -> np.ndarray:
        """Tokens of some molecules, (N,) int32."""
        lengths: np.ndarray = self.store.length[places]
        return lengths

    def properties(self, places: np.ndarray) -> np.ndarray:
        """Of some molecules, in units of the scale, (N, P) float64; NaN where there is no value."""
        values: np.ndarray = (self.store.numbers[places] - self.centre) / self.scale
        return values

    def known(self) -> KnownMolecules:
        """The molecules that a model has seen when it was trained: all but the test ones."""
        return KnownMolecules(np.unique(self.store.hashes[self.rows(TRAIN, VALID)]))

    def fingerprint(self) -> str:
        """What training sees: molecules, order, split, properties, and what is known of them."""
        digest = hashlib.sha256("\n".join(self.vocabulary.symbols).encode())
        digest.update(self.store.fingerprint().encode())
        digest.update(np.ascontiguousarray(self.split).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Preparation:
    """A corpus with the account of how it came about.

    Attributes:
        corpus: The molecules kept.
        account: What became of each row, counted.
        rejects: The rows that brought no molecule of their own.
        constraints: What selfies may bond.
        standard: How the molecules were standardised.
    """

    corpus: Corpus
    account: Account
    rejects: Rejects
    constraints: Constraints
    standard: Standard


def prepare(
    source: Source,
    *,
    column: str | None = None,
    property_names: Sequence[str] = (),
    duplicates: str = "mean",
    split_column: str | None = None,
    split: str = "random",
    held_out: float = HELD_OUT_SHARE,
    test: float = 0.0,
    max_tokens: int = MAX_TOKENS,
    min_token_count: int = 1,
    constraints: str = AUTO,
    standard: Standard = DEFAULT_STANDARD,
    vocabulary: Vocabulary | None = None,
    required: bool = True,
    seed: int = 0,
    workers: int | None = None,
) -> Preparation:
    """Turn a table of molecules into a corpus.

    The molecules are encoded once and kept (`molvae.corpus.cache`); what follows, of the split
    on, is done anew each time. Duplicates are merged before anything is split.

    Args:
        source: See `molvae.corpus.reading.open_table`.
        column: The column of SMILES; found when absent.
        property_names: Numeric columns to learn; blanks are allowed.
        duplicates: ``mean`` gives the first of several like rows the mean of the numbers that
            they have of each property, ``first`` leaves it its own.
        split_column: A column that says train, valid or test; by default all is train.
        split: How molecules are set apart: ``random``, or by Murcko ``scaffold``.
        held_out: Share of the training molecules that becomes valid when nothing else is.
        test: Share of all that becomes test, where no column says it.
        max_tokens: Longer molecules are rejected.
        min_token_count: Molecules are rejected with each token that fewer of them have, counted
            before any is rejected for that.
        constraints: The name of one of `molvae.chem.strings.PRESETS`, which then refuses what it
            can't bond; ``auto`` takes the narrowest that admits all that can be admitted.
        standard: How the molecules are standardised, and how large they may be.
        vocabulary: Symbols that a model knows already; what the molecules have beside is added.
        required: Whether it is an error when no molecule is left to train on.
        seed: Which rows are set apart.
        workers: Processes to encode in.

    Raises:
        TableError: For a column that isn't there, or when no molecule is left to train on.
        SettingsError: For constraints without that name, or shares that can't be.
    """
    checks.choice("constraints", constraints, (AUTO, *PRESETS))
    checks.choice("split", split, METHODS)
    checks.count("min_token_count", min_token_count)
    if split_column is not None and test:
        raise SettingsError("A split column and a share of test molecules exclude each other.")
    table = open_table(source, workers=workers)
    reading = Reading(
        column=smiles_column(table, column),
        property_names=tuple(
            known_column(table.columns, name) for name in dict.fromkeys(property_names)
        ),
        split_column=split_column,
        duplicates=duplicates,
        max_tokens=max_tokens,
        constraints=constraints,
        standard=standard,
        scaffolds=split == "scaffold",
    )
    store = stored(table, reading, workers=workers)
    chosen = np.array(store.given)
    chosen[store.like_place] = NO_SPLIT
    late = _reject_rare(store, chosen, min_token_count)
    if required and not (chosen != NO_SPLIT).any():
        raise TableError(_nothing_usable(table, reading.column, store, late))
    counts = store.counts(chosen == TRAIN)
    scaffolds = store.scaffold if split == "scaffold" else None
    set_apart(chosen, TEST, test, store.ids, counts, seed=[seed, TEST], scaffolds=scaffolds)
    watched = chosen == VALID
    if not watched.any():
        set_apart(
            chosen,
            VALID,
            held_out,
            store.ids,
            counts,
            seed=seed,
            scaffolds=scaffolds,
            most=HELD_OUT_MOST,
        )
    if required and not (chosen == TRAIN).any():
        raise TableError("No molecule is left to train on: every usable row is held out.")
    known = () if vocabulary is None else vocabulary.symbols
    # What was set apart here left each of its symbols behind, among the training molecules.
    seen = (counts > 0) | np.isin(store.symbols, known)
    if watched.any():
        seen |= store.counts(watched) > 0
    late |= _reject_unknown(store, chosen, seen)
    late |= _with_their_like(store, late)
    symbols = np.array(store.symbols)[seen].tolist()
    return Preparation(
        corpus=Corpus(store, chosen, Vocabulary([*known, *symbols])),
        account=_account(store, chosen, late),
        rejects=Rejects(store, late),
        constraints=PRESETS[store.preset],
        standard=standard,
    )


def _reject_rare(store: Store, split: np.ndarray, fewest: int) -> dict[int, str]:
    """Leave molecules out that have a token that fewer distinct molecules have; why, by place."""
    rare = store.holders < fewest
    if not rare.any():
        return {}
    return _reject(store, split, rare, split != NO_SPLIT, f"in fewer than {fewest:,} molecules")


def _reject_unknown(store: Store, split: np.ndarray, seen: np.ndarray) -> dict[int, str]:
    """Leave test molecules out that have a token that no other molecule has; why, by place."""
    if seen.all() or not (split == TEST).any():
        return {}
    return _reject(store, split, ~seen, split == TEST, "in no training row")


def _reject(
    store: Store, split: np.ndarray, symbols: np.ndarray, among: np.ndarray, reason: str
) -> dict[int, str]:
    found = {}
    for place in store.holding(symbols, among).tolist():
        bad = next(store.symbols[one] for one in store.ids(place).tolist() if symbols[one])
        found[place] = f"{bad} is {reason}"
    split[list(found)] = NO_SPLIT
    return found


def _with_their_like(store: Store, late: dict[int, str]) -> dict[int, str]:
    """Rows that would have been merged with a molecule that is left out, and why it is."""
    if not late:
        return {}
    left_out = np.fromiter(late, dtype=np.int64)
    mine = np.isin(store.like_first, left_out)
    pairs = zip(store.like_place[mine].tolist(), store.like_first[mine].tolist(), strict=True)
    return {place: late[first] for place, first in pairs}


def _account(store: Store, split: np.ndarray, late: dict[int, str]) -> Account:
    kept = split != NO_SPLIT
    rejected = Counter(store.facts["rejected"]) + Counter(late.values())
    return Account(
        rows=store.facts["rows"],
        kept=int(kept.sum()),
        merged=len(store.like_place) - int(np.isin(store.like_place, list(late)).sum()),
        changed=store.changed(kept),
        rejected=dict(rejected),
    )


def _nothing_usable(table: TableSource, name: str, store: Store, late: dict[int, str]) -> str:
    reasons = Counter(store.facts["rejected"]) + Counter(late.values())
    return (
        f"None of the {table.count:,} rows can be used; the most common reason: "
        f"{reasons.most_common(1)[0][0]}. "
        f"The SMILES were read from the column {name!r}; --smiles-column names another."
    )
