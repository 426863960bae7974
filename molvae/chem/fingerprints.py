"""Fingerprints and Tanimoto similarity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator

from molvae.chem.molecules import parse

RADIUS, BITS = 2, 2048


@cache
def _generator() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


def morgan(smiles: str) -> DataStructs.ExplicitBitVect:
    """The Morgan fingerprint, radius 2, 2048 bits (doi:10.1021/ci100050t)."""
    return _generator().GetFingerprint(parse(smiles))


def tanimoto(one: str, other: str) -> float:
    """Tanimoto similarity of the Morgan fingerprints of two SMILES, 0 to 1.

    >>> tanimoto("OCC", "CCO")
    1.0
    """
    return float(DataStructs.TanimotoSimilarity(morgan(one), morgan(other)))


def nearest(queries: Sequence[str], references: Sequence[str]) -> list[tuple[str, float]]:
    """For each query the most similar reference, and its similarity.

    >>> nearest(["CCO"], ["CCC", "OCC"])
    [('OCC', 1.0)]
    """
    known = [morgan(one) for one in references]
    found = []
    for query in queries:
        similarities = DataStructs.BulkTanimotoSimilarity(morgan(query), known)
        best = max(range(len(known)), key=similarities.__getitem__)
        found.append((references[best], float(similarities[best])))
    return found
