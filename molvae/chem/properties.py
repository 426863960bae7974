"""Properties of a molecule, computed with RDKit. A new one is a line in `PROPERTIES`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from rdkit.Chem import QED, Crippen, Descriptors, GraphDescriptors, Lipinski, rdMolDescriptors

from molvae.chem.molecules import Molecule, parse
from molvae.errors import SettingsError, nearest


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a molecule.

    Attributes:
        compute: From an RDKit molecule to a number.
        unit: Its unit; empty for a pure number.
        meaning: What it is, in a few words.
        span: Its lowest and highest possible value, where both are known: the bounds of a ramp
            of an objective that names none, so that ``sa_score:max`` rises from 1 to 10.
        is_count: Whether it counts something.
    """

    compute: Callable[[Molecule], float]
    unit: str
    meaning: str
    span: tuple[float, float] | None = None
    is_count: bool = False


def _sa_score(molecule: Molecule) -> float:
    return float(_sa_scorer().calculateScore(molecule))


@cache
def _sa_scorer() -> Any:
    from rdkit.Contrib.SA_Score import sascorer

    return sascorer


def _aliphatic_rings(molecule: Molecule) -> float:
    return float(rdMolDescriptors.CalcNumAliphaticRings(molecule))


PROPERTIES: dict[str, Property] = {
    "logp": Property(Crippen.MolLogP, "", "Wildman-Crippen logP, doi:10.1021/ci990307l"),
    "qed": Property(QED.qed, "", "drug-likeness, 0 to 1, doi:10.1038/nchem.1243", (0, 1)),
    "tpsa": Property(rdMolDescriptors.CalcTPSA, "Å²", "polar surface, doi:10.1021/jm000942e"),
    "mol_weight": Property(Descriptors.MolWt, "Da", "molecular weight"),
    "sa_score": Property(_sa_score, "", "synthetic accessibility, 1 easy to 10 hard, "
                         "doi:10.1186/1758-2946-1-8", (1, 10)),
    "heavy_atoms": Property(Lipinski.HeavyAtomCount, "", "atoms other than hydrogen",
                            is_count=True),
    "hbd": Property(rdMolDescriptors.CalcNumHBD, "", "hydrogen bond donors", is_count=True),
    "hba": Property(rdMolDescriptors.CalcNumHBA, "", "hydrogen bond acceptors", is_count=True),
    "rotatable_bonds": Property(rdMolDescriptors.CalcNumRotatableBonds, "", "rotatable bonds",
                                is_count=True),
    "rings": Property(rdMolDescriptors.CalcNumRings, "", "rings", is_count=True),
    "aromatic_rings": Property(rdMolDescriptors.CalcNumAromaticRings, "", "aromatic rings",
                               is_count=True),
    "aliphatic_rings": Property(_aliphatic_rings, "", "rings that aren't aromatic",
                                is_count=True),
    "bertz_ct": Property(GraphDescriptors.BertzCT, "", "complexity, doi:10.1021/ja00402a071"),
    "fraction_csp3": Property(rdMolDescriptors.CalcFractionCSP3, "", "sp3 share of the carbons",
                              (0, 1)),
}  # fmt: skip
"""Name to property; the names are also column names and terms of an objective."""

USUAL = ("logp", "qed", "tpsa", "mol_weight", "sa_score")
"""The properties that tables of molecules carry."""


def known_property(name: str) -> Property:
    """Look a property up.

    Raises:
        SettingsError: When there is none of that name, naming the nearest.
    """
    if name not in PROPERTIES:
        raise SettingsError(f"No property {name!r}.{nearest(name, PROPERTIES)}")
    return PROPERTIES[name]


def compute(molecule: Molecule, names: Iterable[str] = USUAL) -> dict[str, float]:
    """Compute named properties of one molecule.

    >>> round(compute(parse("CCO"), ["mol_weight"])["mol_weight"], 2)
    46.07
    """
    return {name: float(known_property(name).compute(molecule)) for name in names}


def compute_many(smiles: Sequence[str], names: Sequence[str] = USUAL) -> list[dict[str, float]]:
    """Compute named properties of valid molecules, given as SMILES."""
    return [compute(parse(one), names) for one in smiles]
