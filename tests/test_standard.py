"""Standardising: which form of a molecule a model sees, and what is told of it."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pandas as pd
import pytest

from molvae.chem.molecules import canonical, parse
from molvae.chem.standard import Standard, standardise
from molvae.chem.strings import encode
from molvae.errors import MoleculeError, SettingsError
from molvae.settings import from_mapping

FLAT = Standard().flattened()


def standard_form(smiles: str, standard: Standard) -> tuple[str, tuple[str, ...]]:
    found = standardise(parse(smiles), standard, smiles)
    assert canonical(found.smiles) == found.smiles
    return found.smiles, found.steps


@pytest.mark.parametrize(
    ("fragments", "largest"),
    [
        (["CCO", "Cl"], "CCO"),
        (["CC(=O)[O-]", "[Na+]"], "CC(=O)[O-]"),
        (["CCCN", "OS(=O)(=O)O"], "CCCN"),  # carbon counts before size
        (["C[NH3+]", "O=C([O-])C(F)(F)F"], "O=C([O-])C(F)(F)F"),  # and then size alone
        (["CCCCCCCC", "O=C(O)C(F)(F)F"], "CCCCCCCC"),  # heavy atoms, not mass
        (["CCCC", "FC(Cl)Br", "O"], "FC(Cl)Br"),  # four heavy atoms each: the heavier
        (["CCC", "[2H]CCC"], "[2H]CCC"),
        (["C[C@H](N)O", "C[C@@H](N)O"], "C[C@@H](N)O"),  # a racemate: the first spelling
        (["c1ccncc1", "c1ccncc1"], "c1ccncc1"),
    ],
)
def test_the_largest_organic_fragment_stays(fragments: list[str], largest: str) -> None:
    for order in permutations(fragments):
        name, steps = standard_form(".".join(order), Standard())
        assert name == canonical(largest)
        assert steps[-1] == "salts"


def test_salts_may_be_kept_or_refused() -> None:
    salt = "CCN.Cl"
    assert standard_form(salt, Standard(salts="keep")) == ("CCN.Cl", ())
    with pytest.raises(MoleculeError, match="more than one fragment"):
        standard_form(salt, Standard(salts="reject"))
    assert standard_form("CCN", Standard(salts="reject")) == ("CCN", ())


def test_a_salt_without_carbon_has_no_organic_fragment() -> None:
    with pytest.raises(MoleculeError, match="none of them with carbon"):
        standard_form("[Na+].[Cl-]", Standard())
    assert standard_form("OP(=O)(O)O", Standard())[0] == "O=P(O)(O)O"  # no salt, no choice


@pytest.mark.parametrize(
    ("smiles", "neutral"),
    [
        ("C[C@@H]([NH3+])C(=O)[O-]", "C[C@@H](N)C(=O)O"),  # a zwitterion
        ("CC(=O)[O-].[Na+]", "CC(=O)O"),
        ("C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)CC(=O)[O-]"),  # betaine: quaternary
        ("C[N+](=O)[O-]", "C[N+](=O)[O-]"),  # a drawing, no charge
        ("C[NH+](C)C", "CN(C)C"),
    ],
)
def test_charges_are_taken_only_when_asked_and_where_possible(smiles: str, neutral: str) -> None:
    kept, _ = standard_form(smiles, Standard())
    assert kept == canonical(smiles.removesuffix(".[Na+]"))
    name, steps = standard_form(smiles, Standard(neutralise=True))
    assert name == canonical(neutral)
    assert ("neutralise" in steps) == (name != kept)


@pytest.mark.parametrize(
    ("smiles", "bare"),
    [
        ("[13CH3]CO", "CCO"),
        ("[2H]C([2H])([2H])O", "CO"),
        ("C[C@H]([2H])O", "CCO"),  # chiral by its isotope alone
        ("C[C@H](N)C(=O)[18OH]", "C[C@H](N)C(=O)O"),
    ],
)
def test_isotopes(smiles: str, bare: str) -> None:
    assert standard_form(smiles, Standard())[0] == canonical(smiles)
    name, steps = standard_form(smiles, Standard(isotopes=False))
    assert name == canonical(bare)
    assert "isotopes" in steps


@pytest.mark.parametrize(
    ("smiles", "bare"),
    [
        ("C/C=C/C", "CC=CC"),
        ("C/C=C\\C", "CC=CC"),
        ("C[C@H](N)C(=O)O", "CC(N)C(=O)O"),
        ("C[S@](=O)CC", "CCS(C)=O"),
        ("[13CH3][C@H](N)O", "[13CH3]C(N)O"),
    ],
)
def test_stereo(smiles: str, bare: str) -> None:
    assert standard_form(smiles, Standard())[0] == canonical(smiles)
    name, steps = standard_form(smiles, Standard(stereo=False))
    assert name == canonical(bare)
    assert steps[-1] == "stereo"


def test_large_molecules_are_refused_after_the_steps() -> None:
    small = Standard(max_heavy_atoms=3)
    assert standard_form("CCO.O", small)[0] == "CCO"
    with pytest.raises(MoleculeError, match="more than 3 heavy atoms"):
        standard_form("CCCO", small)
    with pytest.raises(MoleculeError, match="more than 3 heavy atoms"):
        standard_form("CCO.O", Standard(salts="keep", max_heavy_atoms=3))


def test_steps_are_named_in_their_order() -> None:
    everything = "[Na+].[CH3:1][C@@H]([NH3+])C([O-])=[18O]"
    name, steps = standard_form(everything, FLAT)
    assert name == "CC(N)C(=O)O"
    assert steps == ("spelling", "atom maps", "salts", "neutralise", "isotopes", "stereo")
    assert encode(everything, standard=FLAT).steps == steps
    assert standard_form("CC(N)C(=O)O", FLAT) == ("CC(N)C(=O)O", ())
    assert encode("OCC").steps == ("spelling",)


def test_map_numbers_are_no_part_of_a_molecule() -> None:
    encoded = encode("[OH:2][CH3:1]")
    assert (encoded.smiles, encoded.steps) == ("CO", ("spelling", "atom maps"))


def test_what_is_standard_stays_as_it_is(sample: pd.DataFrame) -> None:
    hard = ["C[C@@H]([NH3+])C(=O)[O-]", "[2H]C/C=C/[13CH3]", "O=C([O-])c1cc[n+](C)cc1.[I-]"]
    for standard in (Standard(), FLAT, Standard(neutralise=True)):
        for smiles in [*hard, *sample["smiles"].head(50)]:
            name, _ = standard_form(smiles, standard)
            assert standard_form(name, standard) == (name, ())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"salts": "larg"}, "salts can't be 'larg'. Did you mean 'largest'?"),
        ({"salt": "keep"}, "Standard has no setting 'salt'. Did you mean 'salts'?"),
        ({"stereo": "no"}, "stereo is True or False, not 'no'."),
        ({"max_heavy_atoms": 0}, "max_heavy_atoms is 1 or more"),
        ({"max_heavy_atoms": 2.5}, "max_heavy_atoms is a whole number"),
    ],
)
def test_a_setting_that_is_none_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_mapping(Standard, values)
    assert message in str(caught.value)
