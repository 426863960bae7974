"""Broken molecules: what is left of them, what is proposed in their place, and in which order."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import selfies
from hypothesis import given, settings
from hypothesis import strategies as st

import molvae
from molvae.chem.salvage import UNKNOWN_ATOM, salvage
from molvae.chem.standard import Standard
from molvae.chem.strings import PRESETS, encode
from molvae.corpus.disguise import MASK, masked
from molvae.corpus.vocabulary import Vocabulary
from molvae.errors import SettingsError
from molvae.latent.repair import Asked, edit_distance, edit_price, remark

COLUMNS = [
    "row", "input", "rank", "smiles", "log_likelihood", "edits", "similarity", "score", "known",
    "reason", "seed",
]  # fmt: skip
BROKEN = ["c1ccccc1C(", "", "CC(=O)(=O)C", "???", "[Xx]CC", "C" * 400, "CC(C)C)O", "C1CCC"]


def smiles_of(text: str) -> str:
    """What selfies makes of a salvaged text, as SMILES."""
    return str(selfies.decoder("".join(salvage(text).tokens)))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("CC(C)C)O", "[C][C][Branch1][C][C][C][O]"),
        ("C1CCC", "[C][C][C][C]"),
        ("CC(=O)(=O)C", "[C][C][=Branch1][C][=O][=Branch1][C][=O][C]"),
        ("[Xx]CC", f"{UNKNOWN_ATOM}[C][C]"),
        ("C)=*", "[C][=999C]"),
        ("C[N+", "[C][N]"),
        ("C1C1", "[C][C]"),
        ("C11", "[C]"),
        ("C(C1)1O)", "[C][Branch1][C][C][O]"),
        ("C((C))()C", "[C][Branch1][C][C][C]"),
        ("(C)C", "[C][C]"),
        ("=C(1C)==O)", "[C][Branch1][C][C][=O]"),
        ("C=1CCC#1)", "[C][C][C][C][=Ring1][Ring2]"),
        ("CC%0O", "[C][C][O]"),
        ("C[H]", "[C]"),
    ],
)
def test_what_makes_sense_is_kept(text: str, tokens: str) -> None:
    assert "".join(salvage(text).tokens) == tokens


@pytest.mark.parametrize(
    ("text", "molecule"),
    [
        ("c1ccccc1C(", "Cc1ccccc1"),
        ("c1ccnc1", "c1cc[nH]c1"),  # the nitrogen of pyrrole
        ("c1cccc1", "C1C=CC=C1"),  # five atoms: one of them can't be aromatic
        ("c1ccccc1c1ccc1cc", "C(=C)C1=CC=C1c1ccccc1"),
        ("O=c1ccnc1C)", "O=C1C=CN=C1C"),
    ],
)
def test_aromatic_systems_are_mended(text: str, molecule: str) -> None:
    assert encode(smiles_of(text)).smiles == encode(molecule).smiles


def test_a_molecule_has_its_ordinary_string() -> None:
    found, usual = salvage(" OC(=O)c1ccccc1 an acid"), encode("OC(=O)c1ccccc1")
    assert (found.tokens, found.smiles, found.reason) == (usual.tokens, usual.smiles, "")
    # One that the constraints refuse is written as RDKit reads it.
    iodane = salvage("OI(c1ccccc1)Cl", PRESETS["default"])
    assert iodane.smiles == encode("OI(c1ccccc1)Cl", PRESETS["wide"]).smiles
    assert "[I]" in iodane.tokens


def test_fragments_are_kept_as_the_standard_says() -> None:
    text = "[Na+].CC(=O)(=O)C.C("
    assert "".join(salvage(text).tokens) == "[C][C][=Branch1][C][=O][=Branch1][C][=O][C]"
    kept = salvage(text, standard=Standard(salts="keep"))
    assert kept.tokens[:3] == ["[Na+1]", ".", "[C]"]
    assert kept.tokens.count(".") == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), (" \n", "empty"), ("123()", "no atom"), ("C" * 2_001, "longer than 2000")],
)
def test_what_holds_nothing_says_so(text: str, reason: str) -> None:
    found = salvage(text)
    assert not found.tokens
    assert reason in found.reason


TOKENS = r"""
C c n o s p N O F Cl Br [nH] [C@@H] [N+] [O-] [se] [te+] [2H] [13C] [Xx] [si] [cH-] [b-] [Fe+2] [H]
* = # - / \ : ( ) ( ) 1 2 1 2 3 %10 %01 . [ ] $ @ 9
""".split()  # noqa: SIM905  (sixty quotation marks would hide them)
LIKE_SMILES = st.lists(st.sampled_from([*TOKENS, " "]), max_size=40).map("".join)


@settings(max_examples=600, deadline=None)
@given(st.one_of(LIKE_SMILES, st.text(max_size=40)))
def test_no_text_raises(text: str) -> None:
    found = salvage(text)
    assert bool(found.tokens) != bool(found.reason)
    assert "".join(found.tokens).count("[") == len([one for one in found.tokens if one != "."])
    # With an atom of a SMILES in its first word, there is a string.
    word = (text.split() or [""])[0]
    assert found.tokens or not set(word) & set("CNOSFncosBI*")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_molecule_cut_or_exchanged_anywhere_is_salvaged(data: st.DataObject) -> None:
    whole = "CC(C)(C)c1ccc2occ(CC(=O)Nc3ccccc3F)c2c1"
    place = data.draw(st.integers(0, len(whole) - 1))
    text = whole[:place] + data.draw(st.sampled_from("C()1=n")) + whole[place + 1 :]
    found = salvage(text)
    usual = len(encode(whole).tokens)
    assert not found.reason
    assert abs(len(found.tokens) - usual) < 12


def test_nesting_has_an_end() -> None:
    assert salvage("C(" * 600 + "=O(C" + ")" * 602).tokens


def test_symbols_that_the_model_lacks_are_masked(model: molvae.MolVAE) -> None:
    vocabulary = Vocabulary(["[C]", "[O]"])
    assert masked(["[C]", "[Xx]", "[O]", "[Xx]"], vocabulary).tolist() == [3, MASK, 4, MASK]
    assert masked(["[O]"], vocabulary).tolist() == vocabulary.ids(["[O]"]).tolist()
    assert masked([], vocabulary).tolist() == []
    encodings = model.codec.salvage(["[Xx]CC", "[Yy]CC", "CCC", ""])
    assert encodings.usable.tolist() == [True, True, True, False]
    mean = encodings.mean
    np.testing.assert_allclose(mean[0], mean[1], rtol=1e-4, atol=1e-5)
    assert np.abs(mean[0] - mean[2]).max() > 1e-3
    assert np.isnan(mean[3]).all()
    np.testing.assert_allclose(mean[2], model.encode(["CCC"]).mean[0], rtol=1e-4, atol=1e-5)


def test_the_price_and_the_edits_by_hand() -> None:
    assert edit_price(0.1, 30) == pytest.approx(math.log(900))
    assert edit_price(0.3, 20) == pytest.approx(-math.log(0.3 / 3 / 20))
    assert edit_price(0.0, 30) == edit_price(0.1, 30)
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance([], ["[C]", "[C]"]) == 2
    assert edit_distance(["[C]", "[O]"], ["[C]", "[N]"]) == 1
    assert edit_distance(["[C]", "[=O]", "[C]"], ["[C]", "[C]"]) == 1


@given(st.text("ab", max_size=7), st.text("ab", max_size=7), st.text("ab", max_size=7))
def test_the_edits_are_a_distance(one: str, two: str, three: str) -> None:
    assert (edit_distance(one, two) == 0) == (one == two)
    assert edit_distance(one, two) == edit_distance(two, one)
    assert edit_distance(one, three) <= edit_distance(one, two) + edit_distance(two, three)


def check(table: pd.DataFrame, inputs: list[str], count: int) -> None:
    """What holds for every table of proposals."""
    assert table.columns.tolist() == COLUMNS
    assert table["row"].unique().tolist() == list(range(1, len(inputs) + 1))
    assert table["row"].is_monotonic_increasing
    assert table["input"].tolist() == [inputs[row - 1] for row in table["row"]]
    for _, lines in table.groupby("row"):
        if lines["rank"].isna().any():
            assert len(lines) == 1
            assert lines["reason"].item()
            assert not lines["smiles"].item()
            continue
        assert lines["rank"].tolist() == list(range(1, len(lines) + 1))
        assert len(lines) <= count
        assert lines["score"].is_monotonic_decreasing
        assert lines["smiles"].is_unique
        assert (lines["reason"] == "").all()
    there = table[table["rank"].notna()]
    assert all(encode(one).smiles == one for one in there["smiles"])


def test_every_row_appears_and_ranks_follow_scores(model: molvae.MolVAE) -> None:
    table = model.repair(BROKEN, count=3, draws=8, seed=2)
    check(table, BROKEN, 3)
    told = table[table["rank"].isna()].set_index("row")["reason"]
    assert told[2] == "empty"
    assert "no atom" in told[4]
    assert "tokens that the model has seen" in told[6]
    there = table[table["rank"].notna()]
    price = edit_price(model.corruption, len(model.checkpoint.vocabulary.symbols))
    expected = there["log_likelihood"] - price * there["edits"].astype(float)
    np.testing.assert_allclose(there["score"], expected)
    assert there["similarity"].isna().all()  # none of these can be read by RDKit
    hopeless = model.repair(["", "???"], draws=2)
    check(hopeless, ["", "???"], 5)
    assert hopeless.dtypes.equals(table.dtypes)


def test_an_ordinary_molecule_is_proposed_for_itself(
    model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    given_ = sample["smiles"].head(12).tolist()
    table = model.repair(given_, draws=4)
    check(table, given_, 5)
    own = table[table["smiles"] == [encode(one).smiles for one in table["input"]]]
    assert own["row"].tolist() == list(range(1, 13))
    assert (own["edits"] == 0).all()
    assert (own["similarity"] == 1).all()
    assert (own["rank"] == 1).mean() > 0.8
    known = [one in model.checkpoint.known for one in table["smiles"]]
    assert table["known"].tolist() == known
    likelihood = model.score(given_, samples=1)  # near the mean, a draw says much the same
    assert np.corrcoef(likelihood["log_likelihood"], own["log_likelihood"])[0, 1] > 0.8


def test_the_seed_decides_and_the_place(model: molvae.MolVAE) -> None:
    few = ["CC(C)C)O", "c1ccccc1C("]
    one = model.repair(few, draws=6, seed=1)
    pd.testing.assert_frame_equal(one, model.repair(few, draws=6, seed=1))
    other = model.repair(few, draws=6, seed=4)
    assert one["smiles"].tolist() != other["smiles"].tolist()
    many = (few * 140)[:270]
    whole = pd.concat(model.repair_chunks(many, draws=1, count=1, rows=512))
    parts = list(model.repair_chunks(many, draws=1, count=1, rows=1))
    assert [part["row"].nunique() for part in parts] == [256, 14]
    assert pd.concat(parts)["smiles"].tolist() == whole["smiles"].tolist()


def test_settings_out_of_range_are_refused(model: molvae.MolVAE) -> None:
    with pytest.raises(SettingsError, match="count is 1 or more"):
        model.repair(["CCO"], count=0)
    with pytest.raises(SettingsError, match="draws is 1 or more"):
        Asked(1.0, draws=0)
    with pytest.raises(SettingsError, match="seed is a whole number"):
        model.repair(["CCO"], seed=-1)


def test_a_model_that_never_read_broken_strings_is_named(model: molvae.MolVAE) -> None:
    assert model.corruption == 0
    assert "--corruption" in remark(model.corruption)
    training = {**model.record["training"], "corruption": 0.2}
    record = {**model.record, "training": training}
    assert molvae.MolVAE(replace(model.checkpoint, record=record)).corruption == 0.2
    assert not remark(0.2)


def test_the_command_proposes(cli, run_folder, tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = "smiles,n\n" + "".join(f"{one},1\n" for one in BROKEN)
    result = cli("reconstruct", "-m", run_folder, "-", "--proposals", "2", input=text)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(io.StringIO(result.stdout), keep_default_na=False)
    assert table.columns.tolist() == COLUMNS
    assert table["row"].unique().tolist() == list(range(1, len(BROKEN) + 1))
    assert set(table["rank"]) <= {"", "1", "2"}
    repaired = table[table["rank"] == "1"]["row"].nunique()
    assert f"{repaired} of 8 rows got proposals." in result.stderr
    assert result.stderr.count("--corruption") == 1


def test_the_command_refuses_both_kinds(cli) -> None:  # type: ignore[no-untyped-def]
    result = cli("reconstruct", "-m", "x", "-", "--proposals", "2", "--sample")
    assert result.exit_code == 2
    assert "--proposals" in result.stderr
    assert "--sample" in result.stderr
