"""What a table of molecules holds: its account, its symbols, its lengths, and whom they suit."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from molvae.chem.strings import preset_of
from molvae.corpus.account import Account, ranked
from molvae.corpus.corpus import Preparation
from molvae.corpus.splits import NO_SPLIT, SPLIT_NAMES
from molvae.corpus.vocabulary import Vocabulary

RARE = 10
"""A symbol that fewer molecules have is called rare: a model hardly learns it from so few."""

_BARS, _BINS, _SHOWN = 40, 10, 12


@dataclass(frozen=True)
class Admission:
    """How much of a table a model that exists can encode.

    Attributes:
        rows: Rows of the table.
        encodable: Those of them that the model can encode, repeated ones too.
        reasons: Why it can't encode the others.
    """

    rows: int
    encodable: int
    reasons: dict[str, int]

    def __str__(self) -> str:
        share = self.encodable / self.rows
        told = f"the model can encode {self.encodable:,} of {self.rows:,} rows ({share:.1%})"
        return "\n".join([told, *ranked(self.reasons)])


@dataclass(frozen=True)
class Survey:
    """What a table holds.

    Attributes:
        account: What became of each row.
        split: Molecules of each part.
        symbols: How many of the kept molecules have each SELFIES symbol, the commonest first.
        lengths: How many of the kept molecules have so many symbols, by that number.
        constraints: The name of the constraints of SELFIES that admit them.
        admission: What a model makes of the table, if one was asked.
    """

    account: Account
    split: dict[str, int]
    symbols: dict[str, int]
    lengths: dict[int, int]
    constraints: str
    admission: Admission | None = None

    @classmethod
    def of(cls, preparation: Preparation, admission: Admission | None = None) -> Survey:
        """Look at what was prepared for training."""
        corpus = preparation.corpus
        return cls(
            account=preparation.account,
            split={name: int((corpus.split == part).sum()) for part, name in SPLIT_NAMES.items()},
            symbols=_holders(preparation),
            lengths=corpus.store.lengths(corpus.split != NO_SPLIT),
            constraints=preset_of(preparation.constraints),
            admission=admission,
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @property
    def rare(self) -> dict[str, int]:
        """The symbols that fewer than `RARE` molecules have."""
        return {symbol: count for symbol, count in self.symbols.items() if count < RARE}

    def brief(self) -> str:
        """The account, and a line each on symbols and lengths."""
        if not self.lengths:
            return str(self.account)
        lines = [str(self.account)]
        if self.split["valid"] or self.split["test"]:
            lines.append(
                f"{self.split['train']:,} to train on, {self.split['valid']:,} held out, "
                f"{self.split['test']:,} left alone"
            )
        lines.append(f"{len(self.symbols)} symbols{self._rare_symbols()}")
        low, middle, high, most = (self._length_at(share) for share in (0.05, 0.5, 0.95, 1.0))
        lines.append(f"{middle} symbols a molecule; of 90% {low} to {high}; at most {most}")
        if self.constraints != "default":
            lines.append(f"SELFIES constraints: {self.constraints}")
        return "\n".join(lines)

    def __str__(self) -> str:
        lines = [self.brief()]
        if self.lengths:
            lines += [*self._histogram(), "symbols, and how many molecules have them"]
            lines += [f"  {symbol:<16} {count:>12,}" for symbol, count in self.symbols.items()]
        return "\n".join(lines if self.admission is None else [*lines, str(self.admission)])

    def _length_at(self, share: float) -> int:
        """The length that such a share of the molecules doesn't exceed."""
        below = np.cumsum(list(self.lengths.values()))
        return list(self.lengths)[int(np.searchsorted(below, share * below[-1]))]

    def _rare_symbols(self) -> str:
        rare = sorted(self.rare.items(), key=lambda item: item[1])
        named = ", ".join(f"{symbol} in {count}" for symbol, count in rare[:_SHOWN])
        more = f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
        return f", {len(rare)} of them rare: {named}{more}" if rare else ", none of them rare"

    def _histogram(self) -> list[str]:
        """The lengths as bars."""
        width = max(1, -(-(max(self.lengths) + 1) // _BINS))
        bins = Counter[int]()
        for length, count in self.lengths.items():
            bins[length // width] += count
        return [
            f"  {one * width:>4} to {(one + 1) * width - 1:<4} {bins[one]:>12,} "
            + "#" * round(_BARS * bins[one] / max(bins.values()))
            for one in range(min(bins), max(bins) + 1)
        ]


def _holders(preparation: Preparation) -> dict[str, int]:
    store, split = preparation.corpus.store, preparation.corpus.split
    left_out = split == NO_SPLIT
    left_out[store.like_place] = False  # the store counts them once already
    lost = np.zeros(len(store.symbols), dtype=np.int64)
    for place in np.flatnonzero(left_out).tolist():
        lost[np.unique(store.ids(place))] += 1
    counts = dict(zip(store.symbols, (store.holders - lost).tolist(), strict=True))
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {symbol: count for symbol, count in order if count}


def admission(preparation: Preparation, vocabulary: Vocabulary) -> Admission:
    """What a model makes of a table that was prepared as the model's own was.

    Args:
        preparation: With the model's standard, constraints and most tokens.
        vocabulary: The symbols that the model knows.
    """
    store, account = preparation.corpus.store, preparation.account
    unknown = ~np.isin(store.symbols, vocabulary.symbols)
    everywhere = np.ones(len(store), dtype=bool)
    reasons = Counter[str](store.facts["rejected"])
    lost = store.holding(unknown, everywhere)
    for place in lost.tolist():
        missing = vocabulary.unknown(store.symbols[one] for one in store.ids(place))
        reasons[f"the model has never seen {' '.join(missing)}"] += 1
    return Admission(account.rows, len(store) - len(lost), dict(reasons))
