"""Batches of molecules of nearly equal length, in an order that (seed, epoch) alone decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from molvae.corpus.corpus import Corpus
from molvae.corpus.corruption import corrupted
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
        corruption: Mean share of the tokens that the encoder reads corrupted.
    """

    def __init__(
        self,
        corpus: Corpus,
        rows: np.ndarray,
        batch_size: int,
        seed: int = 0,
        corruption: float = 0.0,
    ) -> None:
        self._corpus, self._rows, self._seed = corpus, rows, seed
        self._corruption = corruption
        self._lengths = corpus.lengths()[rows]
        self.batch_size = batch_size

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        return -(-len(self._rows) // self.batch_size)

    @property
    def molecules(self) -> int:
        """The number of molecules of an epoch."""
        return len(self._rows)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, every molecule once, from a place in its order on."""
        generator = np.random.default_rng([self._seed, number])
        order = np.lexsort((generator.random(len(self._rows)), self._lengths))
        firsts = generator.permutation(np.arange(0, len(order), self.batch_size))
        for place, first in enumerate(firsts[start:].tolist(), start):
            batch = self._batch(self._rows[order[first : first + self.batch_size]])
            yield self._corrupted(batch, [self._seed, number, place])

    def _corrupted(self, batch: Batch, seed: list[int]) -> Batch:
        if not self._corruption:
            return batch
        generator = np.random.default_rng(seed)
        strings = [row[:length] for row, length in zip(batch.token_ids, batch.lengths, strict=True)]
        shares = generator.uniform(0, 2 * self._corruption, len(strings))
        symbols = len(self._corpus.vocabulary)
        changed = [
            corrupted(one, share, symbols, generator)
            for one, share in zip(strings, shares, strict=True)
        ]
        return replace(batch, inputs=(pad(changed), np.array([len(one) for one in changed])))

    def _batch(self, rows: np.ndarray) -> Batch:
        starts, ends = self._corpus.offsets[rows], self._corpus.offsets[rows + 1]
        properties = self._corpus.properties[rows].astype(np.float32)
        ids = [self._corpus.token_ids[start:end] for start, end in zip(starts, ends, strict=True)]
        return Batch(pad(ids), ends - starts, properties)


def pad(sequences: list[np.ndarray]) -> np.ndarray:
    """Sequences of ids side by side, (B, T) int64, padded on the right."""
    longest = max(len(one) for one in sequences)
    padded = np.full((len(sequences), longest), PAD, dtype=np.int64)
    for row, one in enumerate(sequences):
        padded[row, : len(one)] = one
    return padded
