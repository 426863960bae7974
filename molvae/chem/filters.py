"""Filters that tell molecules worth looking at from the others.

A filter names what it objects to, or answers with an empty string.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources

from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

from molvae.chem.molecules import Molecule
from molvae.errors import SettingsError, nearest

Filter = Callable[[Molecule], str]


def _moses(molecule: Molecule) -> str:
    """MCF and PAINS as MOSES applies them, with its limits on rings, charges and elements."""
    if any(len(ring) >= 8 for ring in molecule.GetRingInfo().AtomRings()):
        return "ring of 8 or more"
    if any(atom.GetFormalCharge() for atom in molecule.GetAtoms()):
        return "charged"
    for atom in molecule.GetAtoms():
        if atom.GetSymbol() not in {"C", "N", "S", "O", "F", "Cl", "Br", "H"}:
            return f"element {atom.GetSymbol()}"
    with_hydrogens = Chem.AddHs(molecule)
    for name, pattern in _moses_alerts():
        if with_hydrogens.HasSubstructMatch(pattern):
            return name
    return ""


@cache
def _moses_alerts() -> list[tuple[str, Molecule]]:
    source = resources.files("molvae.chem").joinpath("alerts/moses.csv")
    with source.open(encoding="utf-8") as stream:
        return [(row["name"], Chem.MolFromSmarts(row["smarts"])) for row in csv.DictReader(stream)]


def _catalog(name: str) -> Filter:
    @cache
    def catalog() -> FilterCatalog:
        chosen = getattr(FilterCatalogParams.FilterCatalogs, name)
        return FilterCatalog(FilterCatalogParams(chosen))

    def apply(molecule: Molecule) -> str:
        match = catalog().GetFirstMatch(molecule)
        return "" if match is None else str(match.GetDescription())

    return apply


def _lipinski(molecule: Molecule) -> str:
    broken = [
        name
        for name, value, limit in (
            ("weight above 500", Descriptors.MolWt(molecule), 500),
            ("logP above 5", Crippen.MolLogP(molecule), 5),
            ("more than 5 donors", rdMolDescriptors.CalcNumHBD(molecule), 5),
            ("more than 10 acceptors", rdMolDescriptors.CalcNumHBA(molecule), 10),
        )
        if value > limit
    ]
    return ", ".join(broken)


FILTERS: dict[str, tuple[Filter, str]] = {
    "moses": (
        _moses,
        "MCF and PAINS alerts, rings of 8 or more, charges, other elements than C N S O F Cl Br H",
    ),
    "pains": (_catalog("PAINS"), "assay interference, doi:10.1021/jm901137j"),
    "brenk": (_catalog("BRENK"), "unwanted groups, doi:10.1002/cmdc.200700139"),
    "lipinski": (_lipinski, "what breaks the rule of five, doi:10.1016/S0169-409X(96)00423-1"),
}
"""Name to filter and its meaning; the names are also values of ``--filter``."""


def known_filter(name: str) -> Filter:
    """Look a filter up.

    Raises:
        SettingsError: When there is none of that name, naming the nearest.
    """
    if name not in FILTERS:
        raise SettingsError(f"No filter {name!r}.{nearest(name, FILTERS)}")
    return FILTERS[name][0]


def objection(molecule: Molecule, names: Sequence[str]) -> str:
    """What the first of the named filters objects to, as ``filter: pattern``; else empty.

    >>> from molvae.chem.molecules import parse
    >>> objection(parse("CCO"), ["moses", "lipinski"])
    ''
    >>> objection(parse("C1CCCCCCC1"), ["moses"])
    'moses: ring of 8 or more'
    """
    for name in names:
        found = known_filter(name)(molecule)
        if found:
            return f"{name}: {found}"
    return ""
