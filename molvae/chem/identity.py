"""Whether a molecule is among many others, in eight bytes each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np


def _no_hashes() -> np.ndarray:
    return np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class KnownMolecules:
    """A set of molecules that can only be asked whether it holds one.

    Two molecules are taken for one with a chance of one in 10^13 for a million of them.

    Attributes:
        hashes: Sorted 64-bit hashes of canonical SMILES, (N,) uint64.

    >>> known = KnownMolecules.of(["CCO"])
    >>> "CCO" in known, "CCC" in known, len(known)
    (True, False, 1)
    """

    hashes: np.ndarray = field(default_factory=_no_hashes)

    @classmethod
    def of(cls, smiles: Iterable[str]) -> KnownMolecules:
        """The set of some canonical SMILES."""
        hashes = np.fromiter((hash_of(one) for one in smiles), dtype=np.uint64)
        return cls(np.unique(hashes))

    def __or__(self, other: KnownMolecules) -> KnownMolecules:
        return KnownMolecules(np.union1d(self.hashes, other.hashes))

    def __len__(self) -> int:
        return len(self.hashes)

    def __contains__(self, smiles: object) -> bool:
        value = np.uint64(hash_of(str(smiles)))
        place = int(np.searchsorted(self.hashes, value))
        return place < len(self.hashes) and bool(self.hashes[place] == value)


def hash_of(smiles: str) -> int:
    """The 64-bit hash of a canonical SMILES."""
    return int.from_bytes(hashlib.blake2b(smiles.encode(), digest_size=8).digest(), "little")
