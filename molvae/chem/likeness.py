"""How like a molecule is to one compound, and what of that compound it has lost."""

from __future__ import annotations

from rdkit import Chem, rdBase
from rdkit.DataStructs import TanimotoSimilarity

from molvae.chem.fingerprints import known_fingerprint
from molvae.chem.fragments import murcko_scaffold
from molvae.chem.molecules import Molecule, parse
from molvae.errors import MoleculeError, SettingsError


def pattern(smarts: str) -> Molecule:
    """Read a SMARTS.

    Raises:
        SettingsError: When RDKit can't.
    """
    with rdBase.BlockLogs():
        query = Chem.MolFromSmarts(smarts)
    if query is None or query.GetNumAtoms() == 0:
        raise SettingsError(f"{smarts!r} is no SMARTS that RDKit can read.")
    return query


class Likeness:
    """Likeness to one compound.

    Args:
        smiles: The compound, canonical.
        fingerprint: A name in `molvae.chem.fingerprints.FINGERPRINTS`.
        keep: A substructure that a molecule must have, as SMARTS; empty for none.
        keep_scaffold: Whether a molecule must have the Murcko scaffold of the compound.

    Raises:
        MoleculeError: When the compound lacks the substructure, or has no scaffold.
        SettingsError: For an unknown fingerprint, or what is no SMARTS.
    """

    def __init__(
        self, smiles: str, *, fingerprint: str = "morgan2", keep: str = "", keep_scaffold: bool
    ) -> None:
        self.smiles = smiles
        molecule = parse(smiles)
        self._fingerprint_of = known_fingerprint(fingerprint)
        self._fingerprint = self._fingerprint_of(molecule)
        self._pattern = pattern(keep) if keep else None
        self._scaffold = murcko_scaffold(molecule, min_rings=1) if keep_scaffold else ""
        if self.lost(molecule):
            raise MoleculeError(f"{smiles}: it doesn't have the substructure {keep} itself.")
        if keep_scaffold and not self._scaffold:
            raise MoleculeError(f"{smiles}: it has no ring, and so no scaffold to keep.")

    def similarity(self, molecule: Molecule) -> float:
        """Tanimoto similarity of the fingerprints, 0 to 1."""
        return float(TanimotoSimilarity(self._fingerprint, self._fingerprint_of(molecule)))

    def lost(self, molecule: Molecule) -> bool:
        """Whether the molecule lacks what was to be kept."""
        if self._pattern is not None and not molecule.HasSubstructMatch(self._pattern):
            return True
        return bool(self._scaffold) and self._scaffold != murcko_scaffold(molecule, min_rings=1)
