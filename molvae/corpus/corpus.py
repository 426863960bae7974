"""From a table to a corpus: every row is kept, merged with its like, or rejected with a reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.standard import DEFAULT_STANDARD, STEPS, Standard
from molvae.chem.strings import AUTO, LADDER, PRESETS, Constraints, Encoded, encode_many
from molvae.corpus.splits import HELD_OUT_SHARE, NO_SPLIT, TEST, TRAIN, hold_out, split_from_column
from molvae.corpus.table import numbers, smiles_column, unreadable
from molvae.corpus.vocabulary import Vocabulary
from molvae.errors import TableError
from molvae.parallel import GIVEN_UP, ordered

MAX_TOKENS = 120
"""Longer molecules are rejected by default; drug-like ones have 20 to 70 tokens."""

_GIVEN_UP = Encoded("", (), GIVEN_UP)


@dataclass(frozen=True)
class Account:
    """What became of the rows of a table: ``rows == kept + merged + rejected``.

    Attributes:
        rows: Rows read.
        kept: Distinct molecules kept.
        merged: Rows that hold a molecule that an earlier row holds.
        changed: Kept molecules that a step of standardising changed, by the step's name
            (`molvae.chem.standard`); ``spelling`` counts those that weren't given as canonical
            SMILES. A molecule counts in each step that changed it.
        rejected: Rows that can't be used, by reason.
    """

    rows: int
    kept: int
    merged: int
    changed: dict[str, int]
    rejected: dict[str, int]

    def __str__(self) -> str:
        lost = sum(self.rejected.values())
        lines = [
            f"{self.rows:,} rows: {self.kept:,} molecules kept, "
            f"{self.merged:,} rows merged, {lost:,} rejected"
        ]
        if self.changed:
            steps = (f"{count:,} x {step}" for step, count in self.changed.items())
            lines.append(f"  changed: {', '.join(steps)}")
        ranked = sorted(self.rejected.items(), key=lambda item: -item[1])
        lines += [f"  {count:,} x {reason}" for reason, count in ranked[:5]]
        if len(ranked) > 5:
            lines.append(f"  and {len(ranked) - 5} more reasons")
        return "\n".join(lines)


@dataclass(frozen=True)
class Corpus:
    """Distinct molecules as token ids, a row each.

    Attributes:
        smiles: Canonical SMILES.
        token_ids: The ids of all molecules, one after the other, uint16.
        offsets: Row i is ``token_ids[offsets[i]:offsets[i + 1]]``, (N + 1,) int64.
        split: `TRAIN`, `VALID` or `TEST` for each row, (N,) int8.
        properties: (N, P) float64, NaN where the table had no number.
        property_names: The names of the P columns.
        vocabulary: What the ids mean; made from the rows that aren't `TEST`.
    """

    smiles: list[str]
    token_ids: np.ndarray
    offsets: np.ndarray
    split: np.ndarray
    properties: np.ndarray
    property_names: tuple[str, ...]
    vocabulary: Vocabulary

    def rows(self, split: int) -> np.ndarray:
        """The places of the rows of one split, (M,) int64."""
        return np.flatnonzero(self.split == split)

    def lengths(self) -> np.ndarray:
        """Tokens of each molecule, (N,) int64."""
        return np.diff(self.offsets)

    def fingerprint(self) -> str:
        """The SHA-256 of what training sees: tokens, order, split and properties."""
        digest = hashlib.sha256("\n".join(self.vocabulary.symbols).encode())
        for array in (self.token_ids, self.offsets, self.split, self.properties):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Preparation:
    """A corpus with the account of how it came about.

    Attributes:
        corpus: The molecules kept.
        account: What became of each row, counted.
        rejects: ``row`` (from 1, the header not counted), ``text``, ``reason``.
        constraints: What selfies may bond.
        standard: How the molecules were standardised.
    """

    corpus: Corpus
    account: Account
    rejects: pd.DataFrame
    constraints: Constraints
    standard: Standard


def prepare(
    table: pd.DataFrame,
    *,
    column: str | None = None,
    property_names: Sequence[str] = (),
    split_column: str | None = None,
    held_out: float = HELD_OUT_SHARE,
    max_tokens: int = MAX_TOKENS,
    constraints: str = AUTO,
    standard: Standard = DEFAULT_STANDARD,
    seed: int = 0,
    workers: int | None = None,
) -> Preparation:
    """Turn a table of molecules into a corpus.

    Duplicates are merged before anything is split: the first row stays, its properties
    become the mean of the numbers that its like have.

    Args:
        table: As `molvae.corpus.table.as_table` gives it.
        column: The column of SMILES; found when absent.
        property_names: Numeric columns to learn; blanks are allowed.
        split_column: A column that says train, valid or test; by default all is train.
        held_out: Share of the training molecules that becomes valid when nothing else is.
        max_tokens: Longer molecules are rejected.
        constraints: The name of one of `molvae.chem.strings.PRESETS`, which then refuses what it
            can't bond; ``auto`` takes the narrowest that admits all that can be admitted.
        standard: How the molecules are standardised, and how large they may be.
        seed: Which rows are held out.
        workers: Processes to encode in.

    Raises:
        TableError: For a column that isn't there, or when no molecule is left to train on.
        SettingsError: For constraints without that name.
    """
    checks.choice("constraints", constraints, (AUTO, *PRESETS))
    name = smiles_column(table, column)
    texts = table[name].tolist()
    values = numbers(table, property_names)
    given = (
        split_from_column(table, split_column)
        if split_column
        else np.full(len(texts), TRAIN, dtype=np.int8)
    )
    encoded, preset = _encoded(texts, constraints, standard, workers)
    encoded = [
        replace(one, reason=told) if one.reason and told else one
        for one, told in zip(encoded, unreadable(table), strict=True)
    ]
    sorting = _sort(encoded, given, max_tokens)
    tokens = [encoded[row].tokens for row in sorting.kept]
    split = hold_out(given[sorting.kept], tokens, held_out, seed)
    vocabulary = Vocabulary(
        token
        for string, part in zip(tokens, split, strict=True)
        if part != TEST
        for token in string
    )
    split = split[_reject_unknown(sorting, encoded, vocabulary)]
    if not sorting.kept:
        raise TableError(_nothing_usable(len(texts), name, sorting.reasons))
    if not (split == TRAIN).any():
        raise TableError("No molecule is left to train on: every usable row is held out.")
    ids = [vocabulary.ids(encoded[row].tokens) for row in sorting.kept]
    corpus = Corpus(
        smiles=[encoded[row].smiles for row in sorting.kept],
        token_ids=np.concatenate(ids),
        offsets=np.cumsum([0, *map(len, ids)], dtype=np.int64),
        split=split,
        properties=_merged_values(values, sorting.merged)[sorting.kept],
        property_names=tuple(property_names),
        vocabulary=vocabulary,
    )
    account = Account(
        rows=len(texts),
        kept=len(sorting.kept),
        merged=len(sorting.merged),
        changed=_changed([encoded[row] for row in sorting.kept]),
        rejected=dict(Counter(sorting.reasons.values())),
    )
    rejects = _reject_table(sorting, texts)
    return Preparation(corpus, account, rejects, PRESETS[preset], standard)


def _changed(kept: Sequence[Encoded]) -> dict[str, int]:
    """How many molecules each step changed, of the steps that changed any, in their order."""
    counts = Counter(step for one in kept for step in one.steps)
    return {step: counts[step] for step in STEPS if counts[step]}


def _encoded(
    texts: Sequence[str], constraints: str, standard: Standard, workers: int | None
) -> tuple[list[Encoded], str]:
    """The molecules of a table, a row each, and the preset of constraints that writes them."""
    preset = LADDER[0] if constraints == AUTO else constraints

    def encode(some: Sequence[str]) -> list[Encoded]:
        work = partial(encode_many, constraints=PRESETS[preset], standard=standard)
        return list(ordered(work, some, workers, given_up=_GIVEN_UP))

    encoded = encode(texts)
    refused = [row for row, one in enumerate(encoded) if one.admitted_by]
    if constraints == AUTO and refused:
        # What a narrower preset of the ladder admits, a wider one writes and reads alike.
        preset = max((encoded[row].admitted_by for row in refused), key=LADDER.index)
        again = encode([texts[row] for row in refused])
        for row, one in zip(refused, again, strict=True):
            encoded[row] = one
    return encoded, preset


@dataclass
class _Sorting:
    """What becomes of each row.

    Attributes:
        kept: Rows that bring a molecule that no earlier row has.
        merged: Rows that bring one again, and the row that brought it first.
        reasons: Rows that can't be used, and why.
    """

    kept: list[int]
    merged: dict[int, int]
    reasons: dict[int, str]


def _sort(encoded: Sequence[Encoded], split: np.ndarray, max_tokens: int) -> _Sorting:
    sorting = _Sorting([], {}, {})
    first: dict[str, int] = {}
    for row, one in enumerate(encoded):
        if one.reason:
            sorting.reasons[row] = one.reason
        elif split[row] == NO_SPLIT:
            sorting.reasons[row] = "its split is neither train, valid nor test"
        elif len(one.tokens) > max_tokens:
            sorting.reasons[row] = f"longer than {max_tokens} tokens"
        elif one.smiles in first:
            sorting.merged[row] = first[one.smiles]
        else:
            first[one.smiles] = row
            sorting.kept.append(row)
    return sorting


def _reject_unknown(
    sorting: _Sorting, encoded: Sequence[Encoded], vocabulary: Vocabulary
) -> np.ndarray:
    """Reject test rows with tokens that no training row has; which rows stayed, (N,) bool."""
    before = sorting.kept
    unknown = {row: vocabulary.unknown(encoded[row].tokens) for row in before}
    lost = {row for row, tokens in unknown.items() if tokens}
    for row in [*lost, *(row for row, head in sorting.merged.items() if head in lost)]:
        tokens = vocabulary.unknown(encoded[row].tokens)
        sorting.reasons[row] = f"{' '.join(tokens)} is in no training row"
        sorting.merged.pop(row, None)
    sorting.kept = [row for row in before if row not in lost]
    return np.array([row not in lost for row in before], dtype=bool)


def _merged_values(values: np.ndarray, merged: dict[int, int]) -> np.ndarray:
    """Property values in which the first of several like rows has the mean of all: (R, P)."""
    groups: dict[int, list[int]] = {}
    for row, head in merged.items():
        groups.setdefault(head, [head]).append(row)
    values = values.copy()
    for head, rows in groups.items():
        values[head] = _mean_of_numbers(values[rows])
    return values


def _mean_of_numbers(values: np.ndarray) -> np.ndarray:
    """Column means over the rows that have a number, NaN where none has: (R, P) to (P,)."""
    counts = (~np.isnan(values)).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(counts, np.nansum(values, axis=0) / np.maximum(counts, 1), np.nan)


def _nothing_usable(rows: int, name: str, reasons: dict[int, str]) -> str:
    common = Counter(reasons.values()).most_common(1)[0][0]
    return (
        f"None of the {rows:,} rows can be used; the most common reason: {common}. "
        f"The SMILES were read from the column {name!r}; --smiles-column names another."
    )


def _reject_table(sorting: _Sorting, texts: Sequence[str]) -> pd.DataFrame:
    like = {row: f"same molecule as row {head + 1}" for row, head in sorting.merged.items()}
    dropped = sorting.reasons | like
    order = sorted(dropped)
    return pd.DataFrame(
        {
            "row": [row + 1 for row in order],
            "text": [texts[row] for row in order],
            "reason": [dropped[row] for row in order],
        }
    )


def encodable(
    smiles: Sequence[str],
    vocabulary: Vocabulary,
    max_tokens: int,
    constraints: Constraints,
    standard: Standard,
    *,
    workers: int | None = None,
) -> list[Encoded]:
    """Encode molecules for a model that exists, standardised as it was trained.

    A token that it has never seen, or more tokens than it ever saw, reject their row.
    """
    work = partial(encode_many, constraints=constraints, standard=standard)
    encoded = ordered(work, smiles, workers, given_up=_GIVEN_UP)
    return [_if_known(one, vocabulary, max_tokens) for one in encoded]


def _if_known(one: Encoded, vocabulary: Vocabulary, max_tokens: int) -> Encoded:
    unknown = vocabulary.unknown(one.tokens)
    if unknown:
        return Encoded("", (), f"the model has never seen {' '.join(unknown)}")
    if len(one.tokens) > max_tokens:
        return Encoded("", (), f"longer than the {max_tokens} tokens that the model has seen")
    return one
