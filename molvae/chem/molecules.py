"""Reading SMILES: what counts as a molecule, and its one canonical spelling.

A molecule is an RDKit-parsable, sanitised, canonical isomeric SMILES with at least one
heavy atom.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from rdkit import Chem, rdBase

from molvae.errors import MoleculeError

Molecule: TypeAlias = Chem.Mol
"""An RDKit molecule."""

LONGEST_SMILES = 2_000
"""Characters; what is longer isn't given to the parser at all."""

_HYDROGEN = re.compile(r"\[\d*(H|#1(?!\d))")
"""A hydrogen that is an atom of its own."""


def _parameters(remove_hydrogens: bool) -> Chem.SmilesParserParams:
    """How RDKit reads a text without white space, in which neither names nor extensions can be."""
    parameters = Chem.SmilesParserParams()
    parameters.allowCXSMILES = parameters.parseName = False
    parameters.removeHs = remove_hydrogens
    return parameters


_AS_USUAL, _AS_IT_IS = _parameters(remove_hydrogens=True), _parameters(remove_hydrogens=False)
# Looking for hydrogens to remove takes a fifth of the time, also where there are none.

_STEREO = re.compile(r"[@/\\]")
_FLAGS = Chem.SanitizeFlags
_ENOUGH = (
    _FLAGS.SANITIZE_CLEANUP
    | _FLAGS.SANITIZE_PROPERTIES
    | _FLAGS.SANITIZE_SYMMRINGS
    | _FLAGS.SANITIZE_FINDRADICALS
    | _FLAGS.SANITIZE_SETAROMATICITY
    | _FLAGS.SANITIZE_ADJUSTHS
)
"""The steps of sanitising on which the SMILES of a molecule without stereo depends."""


def parse(smiles: str) -> Molecule:
    """Read a SMILES into a sanitised RDKit molecule.

    Raises:
        MoleculeError: With a short reason: empty, too long, not a SMILES, a bad valence,
            no heavy atom.
    """
    text = smiles.strip()
    if not text:
        raise MoleculeError("empty")
    if len(text) > LONGEST_SMILES:
        raise MoleculeError(f"longer than {LONGEST_SMILES} characters")
    if not text.isascii() or not text.isprintable():
        # RDKit would read what stands before such a character, and say nothing.
        raise MoleculeError("not a SMILES: it has characters that aren't ASCII")
    if text.split()[0] != text:
        raise MoleculeError("not a SMILES: it has white space in it")
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text, _AS_USUAL if _HYDROGEN.search(text) else _AS_IT_IS)
        if molecule is None:
            raise MoleculeError(_problem(text))
    if molecule.GetNumHeavyAtoms() == 0:
        raise MoleculeError("no heavy atom")
    return molecule


def canonical(smiles: str) -> str:
    """The canonical isomeric SMILES of a molecule.

    >>> canonical("OCC") == canonical("C(O)C") == "CCO"
    True

    Raises:
        MoleculeError: As `parse`.
    """
    return to_smiles(parse(smiles))


def is_radical(molecule: Molecule) -> bool:
    """Whether an atom of it has an unpaired electron.

    >>> is_radical(parse("C[CH]C")), is_radical(parse("CC"))
    (True, False)
    """
    return any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms())


def spells(text: str, name: str) -> bool:
    """Whether a SMILES that selfies wrote is the molecule of a canonical one.

    Of many, RDKit's log is best blocked by the caller, once.

    >>> spells("OC1=CC=CC=C1", "Oc1ccccc1"), spells("OC1=CC=CC=N1", "Oc1ccccc1")
    (True, False)
    """
    if not _STEREO.search(name) and text.isascii():
        molecule = Chem.MolFromSmiles(text, sanitize=False)
        done = molecule is not None and not Chem.SanitizeMol(molecule, _ENOUGH, catchErrors=True)
        # What is written here alike is alike; only what isn't needs all that RDKit can do.
        if done and to_smiles(molecule) == name:
            return True
    return _canonical_or_empty(text) == name


def canonical_many(smiles: Sequence[str]) -> list[str]:
    """Canonical SMILES, a row each; an empty string for what is no molecule.

    >>> canonical_many(["OCC", "no molecule"])
    ['CCO', '']
    """
    return [_canonical_or_empty(one) for one in smiles]


def _canonical_or_empty(smiles: str) -> str:
    try:
        return canonical(smiles)
    except MoleculeError:
        return ""


def to_smiles(molecule: Molecule) -> str:
    """The canonical isomeric SMILES of an RDKit molecule."""
    return str(Chem.MolToSmiles(molecule))


def randomised(molecule: Molecule, seed: int) -> str:
    """A SMILES with the atoms in a random order, a function of the seed.

    >>> canonical(randomised(parse("CCO"), 7))
    'CCO'
    """
    return str(Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seed)[0])


def without_stereo(smiles: str) -> str:
    """The canonical SMILES of a molecule without stereo marks and isotopes.

    >>> without_stereo("C[C@H](N)C(=O)O")
    'CC(N)C(=O)O'
    """
    return str(Chem.MolToSmiles(parse(smiles), isomericSmiles=False))


def _problem(text: str) -> str:
    molecule = Chem.MolFromSmiles(text, sanitize=False)
    if molecule is None:
        return "not a SMILES that RDKit can read"
    problems = Chem.DetectChemistryProblems(molecule)
    if not problems:
        return "RDKit can't sanitise it"
    return str(problems[0].Message()).strip().replace("\n", " ")
