"""From a table to a corpus: every row is kept, merged with its like, or rejected with a reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from molvae.chem.strings import DEFAULT_CONSTRAINTS, Constraints, Encoded, encode_many
from molvae.corpus.splits import HELD_OUT_SHARE, TEST, TRAIN, hold_out, split_from_column
from molvae.corpus.table import numbers, smiles_column
from molvae.corpus.vocabulary import Vocabulary
from molvae.errors import MoleculeError, TableError
from molvae.parallel import ordered

MAX_TOKENS = 120
"""Longer molecules are rejected by default; drug-like ones have 20 to 70 tokens."""


@dataclass(frozen=True)
class Account:
    """What became of the rows of a table: ``rows == kept + merged + rejected``.

    Attributes:
        rows: Rows read.
        kept: Distinct molecules kept.
        merged: Rows that hold a molecule that an earlier row holds.
        changed: Kept molecules that were spelled otherwise than canonically.
        rejected: Rows that can't be used, by reason.
    """

    rows: int
    kept: int
    merged: int
    changed: int
    rejected: dict[str, int]

    def __str__(self) -> str:
        lost = sum(self.rejected.values())
        lines = [
            f"{self.rows:,} rows: {self.kept:,} molecules kept, "
            f"{self.merged:,} rows merged, {lost:,} rejected"
        ]
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
    """

    corpus: Corpus
    account: Account
    rejects: pd.DataFrame


def prepare(
    table: pd.DataFrame,
    *,
    column: str | None = None,
    property_names: Sequence[str] = (),
    split_column: str | None = None,
    held_out: float = HELD_OUT_SHARE,
    max_tokens: int = MAX_TOKENS,
    constraints: Constraints = DEFAULT_CONSTRAINTS,
    flat: bool = False,
    seed: int = 0,
    workers: int | None = None,
) -> Preparation:
    """Turn a table of molecules into a corpus.

    Duplicates are merged before anything is split: the first row stays, its properties
    become the mean of the numbers that its like have.

    Args:
        table: As `molvae.corpus.table.read_table` gives it.
        column: The column of SMILES; found when absent.
        property_names: Numeric columns to learn; blanks are allowed.
        split_column: A column that says train, valid or test; by default all is train.
        held_out: Share of the training molecules that becomes valid when nothing else is.
        max_tokens: Longer molecules are rejected.
        constraints: What selfies may bond.
        flat: Take stereo, isotopes and charges away first.
        seed: Which rows are held out.
        workers: Processes to encode in.

    Raises:
        TableError: For a column that isn't there, or when no molecule is left to train on.
    """
    name = smiles_column(table, column)
    texts = table[name].tolist()
    values = numbers(table, property_names)
    given = (
        split_from_column(table, split_column)
        if split_column
        else np.full(len(texts), TRAIN, dtype=np.int8)
    )
    reasons: dict[int, str] = {}
    first: dict[str, int] = {}
    like: dict[int, list[int]] = {}
    tokens: dict[int, tuple[str, ...]] = {}
    work = partial(encode_many, constraints=constraints, flat=flat)
    for row, one in enumerate(ordered(work, texts, workers)):
        reason = one.reason or _too_long(one, max_tokens)
        if reason:
            reasons[row] = reason
        elif one.smiles in first:
            like.setdefault(first[one.smiles], [first[one.smiles]]).append(row)
        else:
            first[one.smiles], tokens[row] = row, one.tokens
    kept = list(tokens)
    merged = {row: group[0] for group in like.values() for row in group[1:]}
    for row, group in like.items():
        values[row] = _mean_of_numbers(values[group])
    split = hold_out(given[kept], [tokens[row] for row in kept], held_out, seed)
    vocabulary = Vocabulary(
        token
        for row, part in zip(kept, split, strict=True)
        if part != TEST
        for token in tokens[row]
    )
    usable = np.ones(len(kept), dtype=bool)
    for place, row in enumerate(kept):
        unknown = vocabulary.unknown(tokens[row])
        if unknown:
            usable[place] = False
            reasons[row] = f"{' '.join(unknown)} is in no training row"
    kept = [row for row, good in zip(kept, usable, strict=True) if good]
    if not kept:
        raise TableError(_nothing_usable(len(texts), name, reasons))
    if not (split[usable] == TRAIN).any():
        raise TableError("No molecule is left to train on: every usable row is held out.")
    names = {row: smiles for smiles, row in first.items()}
    corpus = Corpus(
        smiles=[names[row] for row in kept],
        token_ids=np.concatenate([vocabulary.ids(tokens[row]) for row in kept]),
        offsets=np.cumsum([0, *(len(tokens[row]) for row in kept)], dtype=np.int64),
        split=split[usable],
        properties=values[kept],
        property_names=tuple(property_names),
        vocabulary=vocabulary,
    )
    dropped = reasons | {row: f"same molecule as row {head + 1}" for row, head in merged.items()}
    account = Account(
        rows=len(texts),
        kept=len(kept),
        merged=len(merged),
        changed=sum(texts[row].strip() != names[row] for row in kept),
        rejected=dict(Counter(reasons.values())),
    )
    return Preparation(corpus, account, _reject_table(dropped, texts))


def _too_long(one: Encoded, max_tokens: int) -> str:
    return f"longer than {max_tokens} tokens" if len(one.tokens) > max_tokens else ""


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


def _reject_table(dropped: dict[int, str], texts: list[str]) -> pd.DataFrame:
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
    constraints: Constraints,
    *,
    flat: bool = False,
    workers: int | None = None,
) -> list[Encoded]:
    """Encode molecules for a model that exists: a token it has never seen rejects its row."""
    work = partial(encode_many, constraints=constraints, flat=flat)
    return [_known(one, vocabulary) for one in ordered(work, smiles, workers)]


def _known(one: Encoded, vocabulary: Vocabulary) -> Encoded:
    try:
        vocabulary.ids(one.tokens)
    except MoleculeError as error:
        return Encoded("", (), str(error))
    return one
