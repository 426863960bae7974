"""What a denoising model reads in place of a string, while it learns to write the clean one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from molvae.chem.strings import Constraints, reordered
from molvae.corpus.vocabulary import BOS, EOS, Vocabulary

MASK = BOS
"""What a masked token becomes: the beginning, which the encoder never reads otherwise."""

_FIRST = EOS + 1


@dataclass(frozen=True)
class Disguise:
    """How the strings that the encoder reads are changed.

    Attributes:
        corruption: Mean share of the tokens that are exchanged, dropped or masked; drawn anew for
            each molecule, up to twice that.
        random_order: Share of the molecules whose atoms are written in a random order. One whose
            new string has a symbol that the vocabulary lacks keeps its order.
        vocabulary: What the ids mean.
        constraints: What selfies may bond.
    """

    corruption: float
    random_order: float
    vocabulary: Vocabulary
    constraints: Constraints

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return bool(self.corruption or self.random_order)

    def __call__(
        self, smiles: Sequence[str], strings: Sequence[np.ndarray], seed: Sequence[int]
    ) -> list[np.ndarray]:
        """Other strings for B molecules, each (T',), a function of the seed."""
        generator = np.random.default_rng(seed)
        moved = generator.random(len(strings)) < self.random_order
        seeds = generator.integers(1, 2**31, size=len(strings))
        shares = generator.uniform(0, 2 * self.corruption, len(strings))
        read = [
            self._reordered(name, int(one), ids) if move else ids
            for name, one, ids, move in zip(smiles, seeds, strings, moved, strict=True)
        ]
        if not self.corruption:
            return read
        symbols = len(self.vocabulary)
        return [
            corrupted(ids, share, symbols, generator)
            for ids, share in zip(read, shares, strict=True)
        ]

    def _reordered(self, smiles: str, seed: int, ids: np.ndarray) -> np.ndarray:
        tokens = reordered(smiles, seed, self.constraints)
        return ids if self.vocabulary.unknown(tokens) or not tokens else self.vocabulary.ids(tokens)


def masked(tokens: Sequence[str], vocabulary: Vocabulary) -> np.ndarray:
    """The ids of tokens, those masked that the vocabulary lacks, (T,) uint16.

    >>> masked(["[C]", "[Xx]"], Vocabulary(["[C]"]))
    array([3, 1], dtype=uint16)
    """
    unknown = vocabulary.unknown(tokens)
    if not unknown:
        return vocabulary.ids(tokens)
    ids = np.full(len(tokens), MASK, dtype=np.uint16)
    places = [place for place, token in enumerate(tokens) if token not in unknown]
    ids[places] = vocabulary.ids([tokens[place] for place in places])
    return ids


def corrupted(
    token_ids: np.ndarray, share: float, symbols: int, generator: np.random.Generator
) -> np.ndarray:
    """A string in which some tokens are exchanged, dropped or masked, a third each.

    Args:
        token_ids: (T,), at least one.
        share: How likely each token is hit, 0 to 1.
        symbols: Ids that occur, the special ones included.
        generator: Of what happens where.

    Returns:
        (T',), at least one token.
    """
    hit = generator.random(len(token_ids)) < share
    what = generator.integers(3, size=len(token_ids))
    others = generator.integers(_FIRST, symbols, size=len(token_ids))
    changed = np.where(hit & (what == 0), others, token_ids)
    changed = np.where(hit & (what == 1), MASK, changed)
    kept = changed[~(hit & (what == 2))]
    return kept if len(kept) else changed[:1]
