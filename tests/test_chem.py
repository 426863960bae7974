"""What counts as a molecule, and the way between SMILES and SELFIES."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import selfies
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from molvae.chem.drawing import draw_grid
from molvae.chem.filters import FILTERS, objection
from molvae.chem.fingerprints import tanimoto
from molvae.chem.identity import KnownMolecules
from molvae.chem.molecules import canonical, canonical_many, parse, spells
from molvae.chem.properties import PROPERTIES, USUAL, compute, compute_many
from molvae.chem.standard import Standard
from molvae.chem.strings import PRESETS, Decoded, constrained, decode, decode_many, encode
from molvae.errors import MoleculeError, OutputError, SettingsError

ZOLPIDEM = "CN(C)C(=O)Cc1c(-c2ccc(C)cc2)nc2ccc(C)cn12"
CHIRAL_AND_CHARGED = "C[N+](C)(C)C[C@@H](O)CC(=O)[O-]"  # carnitine


def test_spellings_of_one_molecule_are_one() -> None:
    assert canonical("C(O)C") == canonical("OCC") == canonical(" CCO ")


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("CC CC", "white space"),
        ("c1cc", "not a SMILES"),
        ("hello", "not a SMILES"),
        ("C(C)(C)(C)(C)C", "valence"),
        ("c1cccc1", "kekulize"),
        ("[H][H]", "no heavy atom"),
        ("C" * 2001, "longer than 2000"),
    ],
)
def test_a_refused_molecule_has_its_reason(smiles: str, reason: str) -> None:
    with pytest.raises(MoleculeError, match=rf"(?i){reason}"):
        parse(smiles)
    assert reason.lower() in encode(smiles).reason.lower()
    assert canonical_many([smiles, "C"]) == ["", "C"]


def test_selfies_and_back_is_the_same_molecule(sample: pd.DataFrame) -> None:
    for smiles in [*sample["smiles"], ZOLPIDEM, CHIRAL_AND_CHARGED]:
        encoded = encode(smiles)
        decoded = decode(encoded.tokens)
        assert not encoded.reason
        assert decoded.smiles == encoded.smiles == canonical(smiles)
        assert decoded.strict


def test_an_empty_molecule_is_invalid() -> None:
    assert decode([]).smiles == ""
    assert decode(["[nop]"]).reason == "empty"


def test_a_repaired_string_is_not_strict() -> None:
    fluorine_in_the_middle = decode(["[C]", "[F]", "[C]"])
    assert fluorine_in_the_middle.smiles == "CF"
    assert not fluorine_in_the_middle.strict
    assert not decode(["[C]", "[Ring1]", "[C]"]).strict


SYMBOLS = sorted(selfies.get_semantic_robust_alphabet())


@given(st.lists(st.sampled_from(SYMBOLS), max_size=30))
def test_any_string_decodes_to_a_molecule_or_a_reason(tokens: list[str]) -> None:
    decoded = decode(tokens)
    assert bool(decoded.smiles) != bool(decoded.reason)
    if decoded.smiles:
        assert canonical(decoded.smiles) == decoded.smiles
    if decoded.strict:
        assert decode(encode(decoded.smiles).tokens).smiles == decoded.smiles


def test_what_a_standard_refuses_is_no_molecule() -> None:
    strings = [["[C]"], ["[C]", "[C]", "[O]"], []]
    assert decode_many(strings, standard=Standard(max_heavy_atoms=2)) == [
        Decoded("C", strict=True),
        Decoded("", strict=False, reason="more than 2 heavy atoms"),
        Decoded("", strict=False, reason="empty"),
    ]


IODINE_PENTAFLUORIDE = "FI(F)(F)(F)F"


def test_constraints_are_restored() -> None:
    before = selfies.get_semantic_constraints()
    assert not encode(IODINE_PENTAFLUORIDE, PRESETS["hypervalent"]).reason
    with constrained(PRESETS["hypervalent"]):
        assert selfies.get_semantic_constraints()["Cl"] == 7
    assert selfies.get_semantic_constraints() == before


def test_what_only_the_constraints_refuse_names_those_that_admit_it() -> None:
    refused = encode(IODINE_PENTAFLUORIDE)
    assert "can't write it: I with 5 bond(s)" in refused.reason
    assert refused.reason.endswith("the constraints 'wide' admit it")
    assert refused.admitted_by == "wide"
    assert encode("CS(C)(=O)=O", PRESETS["octet_rule"]).admitted_by == "default"
    wildcard = encode("*CC")
    assert wildcard.reason == "SELFIES can't write it: unrecognized symbol '*'"
    assert not wildcard.admitted_by


@pytest.mark.parametrize(
    "smiles",
    [
        "O=I(=O)c1ccccc1",  # iodylbenzene
        "CC(=O)OI(OC(C)=O)c1ccccc1",  # PIDA
        "O=S(=O)(OI(O)c1ccccc1)c1ccc(C)cc1",  # Koser's reagent
        IODINE_PENTAFLUORIDE,
        "FS(F)(F)(F)(F)c1ccccc1",
        "F[P-](F)(F)(F)(F)F.C[n+]1ccccc1",
        "[O-][Cl+3]([O-])([O-])[O-].[Na+]",
        "C[As](=O)(O)O",
        "O=[Se](O)c1ccccc1",
        "F[B-](F)(F)c1ccccc1.[K+]",
        "c1ccc([I+]c2ccccc2)cc1.[Cl-]",
        "CC(C)O[P@](C)(=O)F",
    ],
)
def test_the_wide_constraints_admit_hypervalent_atoms(smiles: str) -> None:
    encoded = encode(smiles, PRESETS["wide"], Standard(salts="keep"))
    assert encoded.smiles == canonical(smiles)
    decoded = decode(encoded.tokens, PRESETS["wide"])
    assert decoded.smiles == encoded.smiles
    assert decoded.strict


def test_what_the_default_constraints_admit_the_wide_ones_write_alike(sample: pd.DataFrame) -> None:
    for smiles in [*sample["smiles"].head(100), CHIRAL_AND_CHARGED, "FS(F)(F)(F)(F)CCI"]:
        narrow = encode(smiles)
        assert encode(smiles, PRESETS["wide"]) == narrow
        assert decode(narrow.tokens, PRESETS["wide"]) == decode(narrow.tokens)


def test_properties_of_a_known_drug() -> None:
    values = compute(parse("CC(=O)Oc1ccccc1C(=O)O"), PROPERTIES)  # aspirin
    assert values["mol_weight"] == pytest.approx(180.16, abs=0.01)
    assert values["tpsa"] == pytest.approx(63.6, abs=0.01)
    assert values["logp"] == pytest.approx(1.31, abs=0.01)
    assert values["heavy_atoms"] == 13
    assert values["rings"] == values["aromatic_rings"] == 1
    assert 1 <= values["sa_score"] <= 2


def test_properties_of_the_data_set_are_those_computed(sample: pd.DataFrame) -> None:
    computed = pd.DataFrame(compute_many(sample["smiles"].tolist()))
    np.testing.assert_allclose(computed[list(USUAL)], sample[list(USUAL)], atol=1e-3)


def test_filters_name_what_they_object_to() -> None:
    assert objection(parse(ZOLPIDEM), list(FILTERS)) == ""
    assert objection(parse("CC[N+](C)(C)C"), ["moses"]) == "moses: charged"
    assert objection(parse("C[Si](C)(C)C"), ["moses"]) == "moses: element Si"
    assert objection(parse("O=C1C=CC(=O)C=C1"), ["pains"]).startswith("pains: quinone")
    assert "weight above 500" in objection(parse("C" * 40), ["lipinski"])
    with pytest.raises(SettingsError, match="Did you mean 'moses'"):
        objection(parse("C"), ["mosses"])


def test_moses_molecules_pass_the_moses_filters(sample: pd.DataFrame) -> None:
    assert not any(objection(parse(one), ["moses"]) for one in sample["smiles"].head(60))


@pytest.mark.parametrize("text", ["CC\u00e9", "CC\u200b", "CCO\x00", "C\u2261C"])
def test_other_characters_than_ascii_are_no_smiles(text: str) -> None:
    """RDKit would take what stands before them for the molecule."""
    with pytest.raises(MoleculeError, match="ASCII"):
        parse(text)


def test_similarity() -> None:
    assert tanimoto("CCO", "OCC") == 1
    assert 0 < tanimoto("CCO", "CCN") < 1


@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=60), st.sampled_from([64, 63, 40, 38, 16, 8, 7, 1])
)
def test_coded_hashes_come_back(numbers: list[int], bits: int) -> None:
    hashes = np.unique(np.array(numbers, dtype=np.uint64))
    known = KnownMolecules(hashes).coarse(bits)
    assert set(known.hashes.tolist()) == {one >> (64 - bits) for one in numbers}
    below, row = known.coded()
    again = KnownMolecules.decoded(below, row, bits)
    np.testing.assert_array_equal(again.hashes, known.hashes)
    assert again.bits == bits


def test_a_set_of_fewer_bits_still_knows_its_own() -> None:
    smiles = ["C" * length for length in range(1, 200)]
    some, others = KnownMolecules.of(smiles[:100]).coarse(38), KnownMolecules.of(smiles[100:])
    assert all(one in some for one in smiles[:100])
    assert not any(one in some for one in smiles[100:])
    both = some | others
    assert both.bits == 38
    assert all(one in both for one in smiles)


def test_known_molecules_hold_what_they_were_given(sample: pd.DataFrame) -> None:
    smiles = sample["smiles"].tolist()
    known = KnownMolecules.of(smiles[:300]) | KnownMolecules.of(smiles[290:310])
    assert len(known) == 310
    assert all(one in known for one in smiles[:310])
    assert not any(one in known for one in smiles[310:])


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_pictures(tmp_path: Path, suffix: str, start: bytes) -> None:
    target = tmp_path / f"grid{suffix}"
    draw_grid([ZOLPIDEM, CHIRAL_AND_CHARGED], ["zolpidem", "carnitine"], target)
    assert target.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(OutputError, match=r"\.svg or \.png"):
        draw_grid(["C"], [""], tmp_path / "grid.bmp")


def test_a_system_that_cannot_draw_is_told_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "rdkit.Chem.Draw", None)
    with pytest.raises(OutputError, match="libxrender1"):
        draw_grid(["C"], [""], tmp_path / "grid.svg")


def test_an_aromatic_bond_of_an_element_that_has_none_is_a_reason() -> None:
    assert encode("OF:F").reason == "SELFIES can't write it: an aromatic bond of 'F'"


def test_hydrogens_go_however_they_are_written() -> None:
    for text in ("C[H]", "C[#1]", "[#1]O[#1]", "[2H]C", "[H][H]", "C[#1:1]"):
        read = Chem.MolFromSmiles(text)
        if read.GetNumHeavyAtoms():
            assert canonical(text) == Chem.MolToSmiles(read)


def test_a_spelling_is_told_from_that_of_another_molecule(sample: pd.DataFrame) -> None:
    """Strings with exchanged symbols, whose molecules have odd valences and radicals."""
    generator = np.random.default_rng(0)
    alphabet = [*selfies.get_semantic_robust_alphabet(), "[OH0]", "[CH0]", "[CH1]", "[NH0]"]
    for smiles in sample["smiles"].head(200):
        symbols = list(selfies.split_selfies(selfies.encoder(smiles)))
        for place in generator.integers(len(symbols), size=3):
            symbols[place] = alphabet[generator.integers(len(alphabet))]
        text = selfies.decoder("".join(symbols))
        (name,) = canonical_many([text])
        assert spells(text, name) == bool(name)
        assert not spells(text, smiles) or name == smiles
    assert not spells("[C]I", "CI")


INTERRUPTED = """
import os, signal, threading, time
from rdkit import Chem
from molvae.chem.interruption import unbroken

coronene = Chem.MolFromSmiles("c1cc2ccc3ccc4ccc5ccc6ccc1c1c2c3c4c5c61")
path = Chem.MolFromSmarts("~".join("*" * 18))  # nearly all of the time is spent within RDKit
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
end = time.monotonic() + 1
try:
    with unbroken():
        while time.monotonic() < end:
            coronene.GetSubstructMatches(path, uniquify=False, maxMatches=10_000)
except KeyboardInterrupt:
    print("heard")
"""


def test_an_interruption_that_rdkit_keeps_to_itself_is_heard() -> None:
    # A process of its own: here what Hypothesis does when garbage is collected may swallow it.
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("heard\n", "")
