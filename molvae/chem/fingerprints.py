"""Fingerprints and Tanimoto similarity."""

from __future__ import annotations

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
