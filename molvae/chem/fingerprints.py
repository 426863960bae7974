"""Fingerprints and Tanimoto similarity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator

from molvae.chem.molecules import Molecule, parse

RADIUS, BITS = 2, 2048


@cache
def _generator(bits: int) -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=bits)


def morgan(smiles: str) -> DataStructs.ExplicitBitVect:
    """The Morgan fingerprint, radius 2, 2048 bits (doi:10.1021/ci100050t)."""
    return _generator(BITS).GetFingerprint(parse(smiles))


def packed_morgan(molecule: Molecule, bits: int = BITS) -> np.ndarray:
    """The Morgan fingerprint, radius 2, eight bits a byte: (bits / 8,) uint8, as `np.packbits`."""
    return np.packbits(_generator(bits).GetFingerprintAsNumPy(molecule))


def tanimoto(one: str, other: str) -> float:
    """Tanimoto similarity of the Morgan fingerprints of two SMILES, 0 to 1.

    >>> tanimoto("OCC", "CCO")
    1.0
    """
    return float(DataStructs.TanimotoSimilarity(morgan(one), morgan(other)))


def similarities(one: str, others: Sequence[str]) -> list[float]:
    """Tanimoto similarities of a SMILES to others, 0 to 1.

    >>> similarities("CCO", ["OCC", "F"])
    [1.0, 0.0]
    """
    return list(DataStructs.BulkTanimotoSimilarity(morgan(one), [morgan(each) for each in others]))


def mean_similarities(smiles: Sequence[str], others: Sequence[str]) -> list[float]:
    """The mean Tanimoto similarity of each SMILES to others, 0 to 1.

    >>> mean_similarities(["CCO", "F"], ["OCC", "F"])
    [0.5, 0.5]
    """
    prints = [morgan(each) for each in others]
    return [
        float(np.mean(DataStructs.BulkTanimotoSimilarity(morgan(one), prints))) for one in smiles
    ]
