"""Batches of molecules of nearly equal length, in an order that (seed, epoch) alone decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from molvae.corpus.corpus import Corpus
from molvae.corpus.disguise import Disguise
from molvae.corpus.vocabulary import PAD


@dataclass(frozen=True)
class Batch:
    """Some molecules as arrays.

    Attributes:
        token_ids: (B, T) int64, padded with `PAD` on the right; no begin or end in it.
        lengths: Tokens of each molecule, (B,) int64.
        properties: (B, P) float32, standardised or not as its source was; NaN for no value.
        inputs: What the encoder reads, token ids and lengths, when it isn't the same.
    """

    token_ids: np.ndarray
    lengths: np.ndarray
    properties: np.ndarray
    inputs: tuple[np.ndarray, np.ndarray] | None = None


class Batches:
    """Batches over chosen rows of a corpus, epoch for epoch.

    Args:
        corpus: The molecules.
        rows: The rows to draw from, (M,).
        batch_size: Molecules a batch; the last of an epoch may be smaller.
        seed: Decides, with the number of the epoch, what stands together and in which order.
        disguise: What the encoder reads in place of the strings.
    """

    def __init__(
        self,
        corpus: Corpus,
        rows: np.ndarray,
        batch_size: int,
        seed: int = 0,
        disguise: Disguise | None = None,
    ) -> None:
        self._corpus, self._rows, self._seed = corpus, rows, seed
        self._disguise = disguise
        self._lengths = corpus.lengths(rows)
        self._ordered: tuple[int, np.ndarray, np.ndarray] | None = None
        self.batch_size = batch_size

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        return -(-len(self._rows) // self.batch_size)

    @property
    def molecules(self) -> int:
        """The number of molecules of an epoch."""
        return len(self._rows)

    @property
    def costs_chemistry(self) -> bool:
        """Whether a batch is dear enough to be made ahead, in another process."""
        return self._disguise is not None and self._disguise.random_order > 0

    def label_shares(self) -> np.ndarray:
        """The share of the molecules that have a value of each property, (P,)."""
        shares: np.ndarray = (~np.isnan(self._corpus.properties(self._rows))).mean(axis=0)
        return shares

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch: every molecule once."""
        return (self[number, place] for place in range(len(self)))

    def __getitem__(self, at: tuple[int, int]) -> Batch:
        """The batch at a place of an epoch, both counted from 0."""
        epoch, place = at
        order, firsts = self._order(epoch)
        first = firsts[place]
        rows = self._rows[order[first : first + self.batch_size]]
        ids = self._corpus.token_ids(rows)
        inputs = None
        if self._disguise:
            read = self._disguise(self._corpus.smiles(rows), ids, [self._seed, epoch, place])
            inputs = pad(read), np.array([len(one) for one in read])
        properties = self._corpus.properties(rows).astype(np.float32)
        return Batch(pad(ids), self._corpus.lengths(rows).astype(np.int64), properties, inputs)

    def _order(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The molecules of an epoch, (M,), and where in it each of its batches begins."""
        if self._ordered is None or self._ordered[0] != epoch:
            generator = np.random.default_rng([self._seed, epoch])
            order = np.lexsort((generator.random(len(self._rows)), self._lengths))
            firsts = generator.permutation(np.arange(0, len(order), self.batch_size))
            self._ordered = epoch, order, firsts
        return self._ordered[1:]


def pad(sequences: list[np.ndarray]) -> np.ndarray:
    """Sequences of ids side by side, (B, T) int64, padded on the right."""
    longest = max(len(one) for one in sequences)
    padded = np.full((len(sequences), longest), PAD, dtype=np.int64)
    for row, one in enumerate(sequences):
        padded[row, : len(one)] = one
    return padded
