"""Fingerprints and Tanimoto similarity. A new fingerprint is a line in `FINGERPRINTS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors

from molvae.chem.molecules import Molecule, parse
from molvae.errors import SettingsError, nearest

RADIUS, BITS, COUNTED_BITS = 2, 2048, 4096

Fingerprint = Callable[[Molecule], DataStructs.ExplicitBitVect]


@cache
def _generator(bits: int, radius: int = RADIUS, counted: bool = False) -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(
        radius=radius, fpSize=bits, countSimulation=counted
    )


@lru_cache(maxsize=4096)
def morgan(smiles: str) -> DataStructs.ExplicitBitVect:
    """The Morgan fingerprint, radius 2, 2048 bits (doi:10.1021/ci100050t)."""
    return _generator(BITS).GetFingerprint(parse(smiles))


def packed_morgan(molecule: Molecule, bits: int = BITS) -> np.ndarray:
    """The Morgan fingerprint, radius 2, eight bits a byte: (bits / 8,) uint8, as `np.packbits`."""
    return np.packbits(_generator(bits).GetFingerprintAsNumPy(molecule))


@lru_cache(maxsize=1 << 15)
def counted_morgan(smiles: str) -> np.ndarray:
    """The Morgan fingerprint with counts, radius 2, packed: (512,) uint8, as `np.packbits`.

    An environment falls into one of 1024 places, which has four bits: set where it is there once,
    twice, four and eight times. So the Tanimoto similarity of two looks at counts, roughly.
    """
    generator = _generator(COUNTED_BITS, counted=True)
    return np.packbits(generator.GetFingerprintAsNumPy(parse(smiles)))


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


def all_similarities(smiles: Sequence[str]) -> np.ndarray:
    """Tanimoto similarities of SMILES to each other, (N, N) float32, 0 to 1.

    >>> all_similarities(["CCO", "OCC", "F"])
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    prints = [morgan(each) for each in smiles]
    found = np.empty((len(prints), len(prints)), dtype=np.float32)
    for row, one in zip(found, prints, strict=True):
        row[:] = DataStructs.BulkTanimotoSimilarity(one, prints)
    return found


def mean_similarities(smiles: Sequence[str], others: Sequence[str]) -> list[float]:
    """The mean Tanimoto similarity of each SMILES to others, 0 to 1.

    >>> mean_similarities(["CCO", "F"], ["OCC", "F"])
    [0.5, 0.5]
    """
    prints = [morgan(each) for each in others]
    return [
        float(np.mean(DataStructs.BulkTanimotoSimilarity(morgan(one), prints))) for one in smiles
    ]


FINGERPRINTS: dict[str, tuple[Fingerprint, str]] = {
    "morgan2": (
        _generator(BITS, 2).GetFingerprint,
        "circles of radius 2 (ECFP4), 2048 bits, doi:10.1021/ci100050t",
    ),
    "morgan3": (
        _generator(BITS, 3).GetFingerprint,
        "circles of radius 3 (ECFP6), 2048 bits, doi:10.1021/ci100050t",
    ),
    "maccs": (
        rdMolDescriptors.GetMACCSKeysFingerprint,
        "166 keys of MACCS, doi:10.1021/ci010132r",
    ),
    "atom_pairs": (
        rdFingerprintGenerator.GetAtomPairGenerator(fpSize=BITS).GetFingerprint,
        "pairs of atoms and their distance, 2048 bits, doi:10.1021/ci00046a002",
    ),
    "topological": (
        rdFingerprintGenerator.GetRDKitFPGenerator(fpSize=BITS).GetFingerprint,
        "paths and branches of up to 7 bonds, as RDKit hashes them, 2048 bits",
    ),
}
"""Name to fingerprint and its meaning; the names are also values of ``--fingerprint``."""


def known_fingerprint(name: str) -> Fingerprint:
    """Look a fingerprint up.

    Raises:
        SettingsError: When there is none of that name, naming the nearest.
    """
    if name not in FINGERPRINTS:
        raise SettingsError(f"No fingerprint {name!r}.{nearest(name, FINGERPRINTS)}")
    return FINGERPRINTS[name][0]
