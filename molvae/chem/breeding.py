"""Children of molecules: crossover and mutation of their graphs.

The operators are those of Graph GA (Jensen, 2019, doi:10.1039/C8SC05372C) as the package `mol_ga`
has them (Tripp and Hernández-Lobato, 2023, arXiv:2310.09267).
"""

from __future__ import annotations

from random import Random

from rdkit import rdBase

from molvae.chem.molecules import canonical_many

MUTATED = 0.01
"""The share of the children of two that are mutated, too."""


def child(one: str, other: str, random: Random) -> str:
    """A child of two molecules, canonical; empty where there is none."""
    with rdBase.BlockLogs():  # mol_ga would silence RDKit for good, when it is imported
        from mol_ga.graph_ga.gen_candidates import reproduce

        return _canonical(reproduce(one, other, MUTATED, random))


def mutant(one: str, random: Random) -> str:
    """A molecule with a random change, canonical; empty where there is none."""
    with rdBase.BlockLogs():
        from mol_ga.graph_ga.gen_candidates import mutate

        return _canonical(mutate(one, random))


def _canonical(bred: str | None) -> str:
    """What was bred, read anew: a crossover may leave stereo marks that mean nothing any more."""
    return canonical_many([bred or ""])[0]
