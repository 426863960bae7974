"""Pieces of molecules: BRICS fragments, Murcko scaffolds, rings."""

from __future__ import annotations

from functools import lru_cache

from rdkit import Chem
from rdkit.Chem import rdmolops
from rdkit.Chem.Scaffolds import MurckoScaffold

from molvae.chem.molecules import Molecule, parse

RING_SIZES = ("3", "4", "5", "6", "7", "8+")
"""What `ring_sizes` counts."""


def brics_fragments(molecule: Molecule) -> list[str]:
    """SMILES of what is left when all BRICS bonds are cut (doi:10.1002/cmdc.200800178).

    >>> from molvae.chem.molecules import parse
    >>> brics_fragments(parse("CCOC(C)=O"))
    ['[1*]C(C)=O', '[3*]O[3*]', '[4*]CC']
    """
    return str(Chem.MolToSmiles(rdmolops.FragmentOnBRICSBonds(molecule))).split(".")


def murcko_scaffold(molecule: Molecule, *, min_rings: int = 2) -> str:
    """SMILES of the Murcko scaffold (doi:10.1021/jm9602928); empty with fewer rings than that.

    >>> from molvae.chem.molecules import parse
    >>> murcko_scaffold(parse("CCc1ccc(-c2ccncc2)cc1"))
    'c1ccc(-c2ccncc2)cc1'
    """
    if molecule.GetRingInfo().NumRings() < min_rings:
        return ""  # at once: of a long chain the scaffold would take seconds
    scaffold = MurckoScaffold.GetScaffoldForMol(molecule)
    if scaffold.GetRingInfo().NumRings() < min_rings:
        return ""
    return str(Chem.MolToSmiles(scaffold))


@lru_cache(maxsize=1 << 14)
def scaffold_of(smiles: str) -> str:
    """The Murcko scaffold of a molecule by its canonical SMILES, with one ring at least; or ``""``.

    Searches ask for that of the same molecules again and again, so the last ones are kept.

    >>> scaffold_of("CCc1ccc(C)cc1")
    'c1ccccc1'
    """
    return murcko_scaffold(parse(smiles), min_rings=1)


def ring_sizes(molecule: Molecule) -> tuple[int, ...]:
    """How many rings of 3, 4, 5, 6, 7 and 8 or more atoms there are.

    >>> from molvae.chem.molecules import parse
    >>> ring_sizes(parse("C1CC1c1ccccc1"))
    (1, 0, 0, 1, 0, 0)
    """
    sizes = [len(ring) for ring in molecule.GetRingInfo().AtomRings()]
    largest = 2 + len(RING_SIZES)
    return tuple(sum(min(size, largest) == one for size in sizes) for one in range(3, largest + 1))
