"""What the measures need to know of each molecule, found in one pass in several processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from molvae.chem.filters import objection
from molvae.chem.fingerprints import packed_morgan
from molvae.chem.fragments import RING_SIZES, brics_fragments, murcko_scaffold, ring_sizes
from molvae.chem.molecules import parse
from molvae.chem.properties import compute
from molvae.parallel import ordered

BITS = 1024
"""Bits of the fingerprints that MOSES compares: Morgan, radius 2."""

COMPARED = ("logp", "sa_score", "qed", "mol_weight")
"""Properties whose distributions MOSES compares."""

SHIFTING = ("heavy_atoms", "aromatic_rings", "aliphatic_rings")
"""Properties that tell whether SELFIES had to repair many strings."""


@dataclass(frozen=True)
class Description:
    """Facts of N molecules.

    Attributes:
        fingerprints: Packed Morgan fingerprints, (N, BITS / 8) uint8.
        properties: (N,) float64 for each of `COMPARED` and `SHIFTING`.
        ring_sizes: Rings of 3, 4, 5, 6, 7, 8 and more atoms, (N, 6) int64.
        fragments: BRICS fragments of each molecule.
        scaffolds: Murcko scaffolds of at least two rings; empty where there is none.
        objections: What the filter objects to; empty where it doesn't, or wasn't asked.
    """

    fingerprints: np.ndarray
    properties: dict[str, np.ndarray]
    ring_sizes: np.ndarray
    fragments: list[list[str]]
    scaffolds: list[str]
    objections: list[str]

    def fragment_counts(self, weights: Sequence[int]) -> Counter[str]:
        """How often each fragment occurs when molecule i counts ``weights[i]`` times."""
        counts: Counter[str] = Counter()
        for fragments, weight in zip(self.fragments, weights, strict=True):
            for fragment in fragments:
                counts[fragment] += weight
        return counts

    def scaffold_counts(self, weights: Sequence[int]) -> Counter[str]:
        """How often each scaffold occurs when molecule i counts ``weights[i]`` times."""
        counts: Counter[str] = Counter()
        for scaffold, weight in zip(self.scaffolds, weights, strict=True):
            if scaffold:
                counts[scaffold] += weight
        return counts


@dataclass(frozen=True, slots=True)
class _Facts:
    """One row of a `Description`."""

    fingerprint: np.ndarray
    properties: dict[str, float]
    ring_sizes: tuple[int, ...]
    fragments: list[str]
    scaffold: str
    objection: str


def describe(
    smiles: Sequence[str], *, filters: tuple[str, ...] = (), workers: int | None = None
) -> Description:
    """Describe molecules, given as valid SMILES."""
    rows = list(ordered(partial(_facts, filters=filters), smiles, workers))
    return Description(
        fingerprints=np.array([row.fingerprint for row in rows]).reshape(-1, BITS // 8),
        properties={
            name: np.array([row.properties[name] for row in rows])
            for name in chain(COMPARED, SHIFTING)
        },
        ring_sizes=np.array([row.ring_sizes for row in rows]).reshape(-1, len(RING_SIZES)),
        fragments=[row.fragments for row in rows],
        scaffolds=[row.scaffold for row in rows],
        objections=[row.objection for row in rows],
    )


def fingerprints_of(
    smiles: Sequence[str], *, bits: int = BITS, workers: int | None = None
) -> np.ndarray:
    """Packed fingerprints of molecules, given as valid SMILES: (N, bits / 8) uint8."""
    rows = ordered(partial(_fingerprints, bits=bits), smiles, workers)
    return np.array(list(rows), dtype=np.uint8).reshape(-1, bits // 8)


def _facts(smiles: Sequence[str], filters: tuple[str, ...]) -> list[_Facts]:
    rows = []
    for molecule in map(parse, smiles):
        row = _Facts(
            fingerprint=packed_morgan(molecule, BITS),
            properties=compute(molecule, (*COMPARED, *SHIFTING)),
            ring_sizes=ring_sizes(molecule),
            fragments=brics_fragments(molecule),
            scaffold=murcko_scaffold(molecule),
            objection=objection(molecule, filters),
        )
        rows.append(row)
    return rows


def _fingerprints(smiles: Sequence[str], bits: int) -> list[np.ndarray]:
    return [packed_morgan(parse(one), bits) for one in smiles]
