"""What the oracles of `pmo.py` are made of: similarities, properties, patterns, formulas, means.

As GuacaMol defines them (Brown et al., 2019, doi:10.1021/acs.jcim.8b00839).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from pharmacophores import pharmacophores, similarity
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import (
    GetAtomPairGenerator,
    GetMorganFeatureAtomInvGen,
    GetMorganGenerator,
)
from rdkit.DataStructs import TanimotoSimilarity

from molvae.chem.molecules import Molecule, parse

Part = Callable[[Molecule], float]
"""A score of a molecule, 0 to 1."""

Shape = Callable[[float], float]
"""From a value to a score, 0 to 1."""

Fingerprint = tuple[Callable[[Molecule], Any], Callable[[Any, Any], float]]
"""From a molecule to its fingerprint, and the similarity of two of them."""

ECFP4: Fingerprint = (GetMorganGenerator(radius=2).GetSparseCountFingerprint, TanimotoSimilarity)
ECFP6: Fingerprint = (GetMorganGenerator(radius=3).GetSparseCountFingerprint, TanimotoSimilarity)
FCFP4: Fingerprint = (
    GetMorganGenerator(
        radius=2, atomInvariantsGenerator=GetMorganFeatureAtomInvGen()
    ).GetSparseCountFingerprint,
    TanimotoSimilarity,
)
ATOM_PAIRS: Fingerprint = (
    GetAtomPairGenerator(maxDistance=10).GetSparseCountFingerprint,
    TanimotoSimilarity,
)
PHARMACOPHORES: Fingerprint = (pharmacophores, similarity)


def gaussian(center: float, width: float) -> Shape:
    """1 at the center, less on both sides."""
    return lambda x: math.exp(-0.5 * ((x - center) / width) ** 2)


def at_most(limit: float, width: float) -> Shape:
    """1 up to the limit, half of a Gaussian beyond it."""
    fall = gaussian(limit, width)
    return lambda x: fall(max(x, limit))


def at_least(limit: float, width: float) -> Shape:
    """1 from the limit on, half of a Gaussian below it."""
    rise = gaussian(limit, width)
    return lambda x: rise(min(x, limit))


def enough(threshold: float) -> Shape:
    """In proportion to the value, and 1 from the threshold on."""
    return lambda x: min(x / threshold, 1.0)


def unchanged(x: float) -> float:
    """The value itself."""
    return x


def like(target: str, fingerprint: Fingerprint, shape: Shape = unchanged) -> Part:
    """Tanimoto similarity to a molecule."""
    find, compare = fingerprint
    there = find(parse(target))
    return lambda molecule: shape(compare(find(molecule), there))


def between(one: str, other: str, fingerprint: Fingerprint) -> Part:
    """The geometric mean of the similarities to two molecules."""
    find, compare = fingerprint
    ends = [find(parse(one)), find(parse(other))]

    def score(molecule: Molecule) -> float:
        here = find(molecule)
        return math.sqrt(math.prod(compare(here, end) for end in ends))

    return score


def value(compute: Callable[[Molecule], float], shape: Shape = unchanged) -> Part:
    """A property, shaped."""
    return lambda molecule: shape(compute(molecule))


def same(compute: Callable[[Molecule], float], target: str, width: float) -> Part:
    """A property near that of a molecule."""
    return value(compute, gaussian(compute(parse(target)), width))


def has(smarts: str) -> Part:
    """1 with the pattern, 0 without it."""
    pattern = Chem.MolFromSmarts(smarts)
    return lambda molecule: float(molecule.HasSubstructMatch(pattern))


def lacks(smarts: str) -> Part:
    """0 with the pattern, 1 without it."""
    present = has(smarts)
    return lambda molecule: 1.0 - present(molecule)


def elements(molecule: Molecule) -> Counter[str]:
    """How many atoms of each element, hydrogens included."""
    found = Counter(atom.GetSymbol() for atom in molecule.GetAtoms())
    found["H"] += sum(atom.GetTotalNumHs() for atom in molecule.GetAtoms())
    return found


def isomer(formula: str) -> Part:
    """How near a formula is: each of its elements, and the number of atoms in all."""
    wanted = {name: int(count or 1) for name, count in re.findall(r"([A-Z][a-z]?)(\d*)", formula)}
    near = {name: gaussian(count, 1.0) for name, count in wanted.items()}
    in_all = gaussian(sum(wanted.values()), 2.0)

    def score(molecule: Molecule) -> float:
        found = elements(molecule)
        parts = [shape(found[name]) for name, shape in near.items()]
        return geometric([*parts, in_all(found.total())])

    return score


def geometric(scores: list[float]) -> float:
    """The geometric mean."""
    return float(math.prod(scores) ** (1 / len(scores)))


def product(*parts: Part) -> Part:
    """The geometric mean of parts. None is computed after one that is 0."""

    def score(molecule: Molecule) -> float:
        scores = []
        for part in parts:
            scores.append(part(molecule))
            if scores[-1] == 0:
                return 0.0
        return geometric(scores)

    return score


def average(*parts: Part) -> Part:
    """The arithmetic mean of parts."""
    return lambda molecule: sum(part(molecule) for part in parts) / len(parts)
