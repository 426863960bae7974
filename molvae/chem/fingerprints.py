"""Fingerprints and Tanimoto similarity."""

from __future__ import annotations

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
