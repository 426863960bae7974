"""Whether a molecule is among many others, in a few bytes each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

WHOLE = 64
"""Bits of a hash."""


def _no_hashes() -> np.ndarray:
    return np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class KnownMolecules:
    """A set of molecules that can only be asked whether it holds one.

    Another molecule is taken for one of N with a chance of N / 2^bits: for a million and whole
    hashes one in 10^13.

    Attributes:
        hashes: Sorted hashes of canonical SMILES, the upper bits of them, (N,) uint64.
        bits: How many of the 64.

    >>> known = KnownMolecules.of(["CCO"])
    >>> "CCO" in known, "CCC" in known, len(known)
    (True, False, 1)
    """

    hashes: np.ndarray = field(default_factory=_no_hashes)
    bits: int = WHOLE

    @classmethod
    def of(cls, smiles: Iterable[str]) -> KnownMolecules:
        """The set of some canonical SMILES."""
        hashes = np.fromiter((hash_of(one) for one in smiles), dtype=np.uint64)
        return cls(np.unique(hashes))

    def coarse(self, bits: int) -> KnownMolecules:
        """The same set with no more bits of each hash than these."""
        if bits >= self.bits:
            return self
        return KnownMolecules(np.unique(self.hashes >> np.uint64(self.bits - bits)), bits)

    def coded(self) -> tuple[np.ndarray, np.ndarray]:
        """The hashes in few bytes, after Elias (1974, doi:10.1145/321812.321820) and Fano.

        Returns:
            The lower bytes of each hash, (N, L) uint8, and the rest of all of them as one row of
            bits, in which each hash is a 1 behind as many 0s as its upper part counts.
        """
        count, whole = len(self.hashes), range(self.bits // 8 + 1)
        size = {lower: 8 * lower * count + (1 << (self.bits - 8 * lower)) for lower in whole}
        lower = min(size, key=lambda one: size[one])
        below = self.hashes.astype("<u8").view(np.uint8).reshape(count, 8)[:, :lower]
        upper = self.hashes >> np.uint64(8 * lower) if lower < 8 else np.zeros_like(self.hashes)
        row = np.zeros(count + (1 << (self.bits - 8 * lower)), dtype=np.uint8)
        row[upper.astype(np.int64) + np.arange(count)] = 1
        return np.ascontiguousarray(below), np.packbits(row)

    @classmethod
    def decoded(cls, below: np.ndarray, row: np.ndarray, bits: int) -> KnownMolecules:
        """The set that `coded` wrote.

        Raises:
            ValueError: For what it can't have written.
        """
        count, lower = below.shape
        if below.dtype != np.uint8 or row.dtype != np.uint8 or not 8 * lower <= bits <= WHOLE:
            raise ValueError(f"{bits!r} bits of a hash don't fit its bytes")
        whole = np.zeros((count, 8), dtype=np.uint8)
        whole[:, :lower] = below
        hashes = whole.view("<u8")[:, 0].astype(np.uint64)
        if lower < 8:
            upper = np.flatnonzero(np.unpackbits(row)) - np.arange(count)
            hashes |= upper.astype(np.uint64) << np.uint64(8 * lower)
        if (hashes[1:] <= hashes[:-1]).any():
            raise ValueError("hashes are out of order")
        return cls(hashes, bits)

    def __or__(self, other: KnownMolecules) -> KnownMolecules:
        if not len(other):
            return self
        bits = min(self.bits, other.bits)
        both = (self.coarse(bits).hashes, other.coarse(bits).hashes)
        return KnownMolecules(np.union1d(*both), bits)

    def __len__(self) -> int:
        return len(self.hashes)

    def __contains__(self, smiles: object) -> bool:
        value = np.uint64(hash_of(str(smiles)) >> (WHOLE - self.bits))
        place = int(np.searchsorted(self.hashes, value))
        return place < len(self.hashes) and bool(self.hashes[place] == value)


def hash_of(smiles: str) -> int:
    """The 64-bit hash of a canonical SMILES."""
    return int.from_bytes(hashlib.blake2b(smiles.encode(), digest_size=8).digest(), "little")
