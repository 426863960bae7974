"""Molecules as blocks of atoms and bonds, as an SDF holds them (CTfile, V2000 and V3000)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdkit import Chem, rdBase

from molvae.chem.molecules import to_smiles

LONGEST_BLOCK = 500_000
"""Characters; what is longer isn't given to the parser at all."""


@dataclass(frozen=True, slots=True)
class BlockRead:
    """What a block means.

    Attributes:
        smiles: The canonical SMILES, empty when it can't be read.
        reason: Why it can't be read, empty when it can.
    """

    smiles: str
    reason: str = ""


def read_block(block: str) -> BlockRead:
    """The molecule of a block: title, program, comment, counts, atoms, bonds, ``M  END``."""
    if not block.strip():
        return BlockRead("", "an empty record")
    if len(block) > LONGEST_BLOCK:
        return BlockRead("", f"longer than {LONGEST_BLOCK} characters")
    with rdBase.BlockLogs():
        try:
            molecule = Chem.MolFromMolBlock(block)
        except RuntimeError:  # a broken invariant within RDKit
            molecule = None
        if molecule is None:
            return BlockRead("", _problem(block))
    if molecule.GetNumHeavyAtoms() == 0:
        return BlockRead("", "no heavy atom")
    return BlockRead(to_smiles(molecule))


def read_blocks(blocks: Sequence[str]) -> list[BlockRead]:
    """Read a chunk of blocks; what can't be read carries its reason."""
    return [read_block(one) for one in blocks]


def _problem(block: str) -> str:
    try:
        molecule = Chem.MolFromMolBlock(block, sanitize=False)
    except RuntimeError:
        molecule = None
    if molecule is None:
        return "not a block that RDKit can read"
    problems = Chem.DetectChemistryProblems(molecule)
    if not problems:
        return "RDKit can't sanitise it"
    return str(problems[0].Message()).strip().replace("\n", " ")
