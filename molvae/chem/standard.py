"""Standardising: which of the forms of a molecule a model sees.

The settings are a model's own and travel in its file, so that what it reads later is treated as
what it was trained on. Each step has a name, under which its changes are counted. They are taken
in this order:

``atom maps``
    Map numbers go, always: they label a drawing, and SELFIES has none.
``salts``
    Of several fragments the largest organic one stays: of those with carbon the one of most heavy
    atoms, among like ones the heavier, then the first by canonical SMILES.
``neutralise``
    Charges are taken away where adding or removing hydrogen can do it. Those that belong to the
    drawing, such as a nitro group's, stay, and so do those of quaternary nitrogen.
``isotopes``
    Isotope labels go.
``stereo``
    Stereo marks of atoms and bonds go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from molvae import settings as checks
from molvae.chem.molecules import Molecule, parse, to_smiles
from molvae.errors import MoleculeError

SALTS = ("largest", "keep", "reject")
"""What may be done with a molecule of several fragments."""

SPELLING = "spelling"
"""The step that every molecule takes: from the text as given to the canonical SMILES."""


@dataclass(frozen=True)
class Standard:
    """How molecules are standardised, and how large they may be.

    Attributes:
        salts: ``largest`` keeps the largest organic fragment, ``keep`` all fragments, ``reject``
            refuses molecules of more than one.
        neutralise: Whether charges are taken away where that is possible.
        stereo: Whether stereo marks are kept.
        isotopes: Whether isotope labels are kept.
        max_heavy_atoms: Molecules with more are refused, after all steps.

    Raises:
        SettingsError: For a value that isn't one of these.
    """

    salts: str = "largest"
    neutralise: bool = False
    stereo: bool = True
    isotopes: bool = True
    max_heavy_atoms: int = 100

    def __post_init__(self) -> None:
        checks.choice("salts", self.salts, SALTS)
        for name in ("neutralise", "stereo", "isotopes"):
            checks.switch(name, getattr(self, name))
        checks.count("max_heavy_atoms", self.max_heavy_atoms)

    def flattened(self) -> Standard:
        """The same without stereo, isotopes and the charges that can be neutralised."""
        return replace(self, neutralise=True, stereo=False, isotopes=False)


DEFAULT_STANDARD = Standard()
"""What suits drug-like molecules: salts are stripped, stereo, isotopes and charges stay."""

FLATTENING = frozenset({"neutralise", "isotopes", "stereo"})
"""The steps that `Standard.flattened` adds."""


@dataclass(frozen=True, slots=True)
class Standardised:
    """A molecule in the form that a model sees.

    Attributes:
        molecule: The molecule.
        smiles: Its canonical SMILES.
        steps: The names of the steps that changed it, in their order.
    """

    molecule: Molecule
    smiles: str
    steps: tuple[str, ...] = ()


def standardise(
    molecule: Molecule, standard: Standard = DEFAULT_STANDARD, text: str | None = None
) -> Standardised:
    """Bring a molecule into the form that a standard asks for.

    Args:
        molecule: As `molvae.chem.molecules.parse` gives it; it isn't changed.
        standard: What to do.
        text: The SMILES as given, to tell whether its spelling was canonical.

    Raises:
        MoleculeError: When the standard refuses the molecule.

    >>> standardise(parse("[Na+].CC(=O)[O-]")).smiles
    'CC(=O)[O-]'
    >>> standardise(parse("[Na+].CC(=O)[O-]"), Standard(neutralise=True)).steps
    ('salts', 'neutralise')
    """
    smiles = to_smiles(molecule)
    if standard.salts == "reject" and "." in smiles:
        raise MoleculeError("more than one fragment")
    steps = [SPELLING] if text is not None and text.strip() != smiles else []
    with rdBase.BlockLogs():
        for step in _STEPS:
            due = step.is_asked(standard) and any(sign in smiles for sign in step.signs)
            after = step.take(molecule) if due else molecule
            if after is molecule or to_smiles(after) == smiles:
                continue
            # Read anew, so that nothing of what was taken away lives on in the molecule: a centre
            # of which only an isotope was special is none without it.
            molecule = parse(to_smiles(after))
            smiles = to_smiles(molecule)
            steps.append(step.name)
    if molecule.GetNumHeavyAtoms() > standard.max_heavy_atoms:
        raise MoleculeError(f"more than {standard.max_heavy_atoms} heavy atoms")
    return Standardised(molecule, smiles, tuple(steps))


def standard_many(smiles: Sequence[str], standard: Standard) -> list[str]:
    """The SMILES of molecules in their standard form, empty for what is none or is refused."""
    return [_standard_or_empty(one, standard) for one in smiles]


def flat_forms(smiles: Sequence[str]) -> list[str]:
    """What stereoisomers, salts and states of charge of a molecule share; empty for what is none.

    >>> flat_forms(["C[C@H](N)C(=O)O", "C[C@@H]([NH3+])C(=O)[O-]", "CC(N)C(=O)O.Cl"])
    ['CC(N)C(=O)O', 'CC(N)C(=O)O', 'CC(N)C(=O)O']
    """
    return standard_many(smiles, DEFAULT_STANDARD.flattened())


def _standard_or_empty(smiles: str, standard: Standard) -> str:
    try:
        return standardise(parse(smiles), standard, smiles).smiles
    except MoleculeError:
        return ""


def _without_atom_maps(molecule: Molecule) -> Molecule:
    bare = Chem.Mol(molecule)
    for atom in bare.GetAtoms():
        atom.SetAtomMapNum(0)
    return bare


def _largest_organic_fragment(molecule: Molecule) -> Molecule:
    if not any(atom.GetAtomicNum() == 6 for atom in molecule.GetAtoms()):
        raise MoleculeError("several fragments, none of them with carbon")
    return _fragment_chooser().choose(molecule)


def _neutral(molecule: Molecule) -> Molecule:
    return _uncharger().uncharge(molecule)


def _without_isotopes(molecule: Molecule) -> Molecule:
    bare = Chem.Mol(molecule)
    for atom in bare.GetAtoms():
        atom.SetIsotope(0)
    return bare


def _without_stereo(molecule: Molecule) -> Molecule:
    bare = Chem.Mol(molecule)
    Chem.RemoveStereochemistry(bare)
    return bare


@cache
def _fragment_chooser() -> rdMolStandardize.LargestFragmentChooser:
    """RDKit's own, told to count as `molvae.chem.standard` promises."""
    parameters = rdMolStandardize.CleanupParameters()
    parameters.preferOrganic = True
    parameters.largestFragmentChooserCountHeavyAtomsOnly = True
    return rdMolStandardize.LargestFragmentChooser(parameters)


@cache
def _uncharger() -> rdMolStandardize.Uncharger:
    return rdMolStandardize.Uncharger()


@dataclass(frozen=True)
class _Step:
    """One step, which leaves the molecule it is given as it is.

    Only a canonical SMILES that has one of the signs in it can hold anything to do.
    """

    name: str
    signs: str
    is_asked: Callable[[Standard], bool]
    take: Callable[[Molecule], Molecule]


_STEPS = (
    _Step("atom maps", ":", lambda standard: True, _without_atom_maps),
    _Step("salts", ".", lambda standard: standard.salts == "largest", _largest_organic_fragment),
    _Step("neutralise", "[", lambda standard: standard.neutralise, _neutral),
    _Step("isotopes", "[", lambda standard: not standard.isotopes, _without_isotopes),
    _Step("stereo", "@/\\", lambda standard: not standard.stereo, _without_stereo),
)

STEPS = (SPELLING, *(step.name for step in _STEPS))
"""The names of all steps, in their order."""
