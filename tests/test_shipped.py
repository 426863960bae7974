"""The models in the package load offline, are small, and generate."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import molvae
from molvae import shipped
from molvae.checkpoint import file_of


def test_they_are_small() -> None:
    assert sum(shipped.file_of(name).stat().st_size for name in shipped.NAMES) < 25e6


@pytest.mark.parametrize("name", shipped.NAMES)
def test_a_model_works_by_its_name(name: str, sample: pd.DataFrame) -> None:
    model = molvae.load(name, device="cpu")
    found = model.generate(20, seed=1, filters=["moses"])
    assert len(found.table) == 20
    assert found.table["novel"].all()
    held_out = sample.loc[sample["split"] == "test", "smiles"].head(50)
    assert model.reconstruct(held_out)["similarity"].mean() > 0.8
    assert set(model.property_names) == {"logp", "qed", "mol_weight", "tpsa", "sa_score"}


def test_what_they_know(sample: pd.DataFrame) -> None:
    moses, druglike = (molvae.load(name, device="cpu") for name in ("moses", "druglike"))
    training = sample.loc[sample["split"] == "train", "smiles"].head(50)
    assert all(one in moses.checkpoint.known for one in training)
    charged = "C[NH+]1CCC[C@H]1c1cccnc1"  # protonated nicotine, with its stereocentre
    assert druglike.encode([charged]).usable.all()
    assert not moses.encode([charged]).usable.any()


def test_a_search_can_leave_stereo_and_charges_out() -> None:
    model = molvae.load("druglike", device="cpu")
    options = {"method": "evolution", "moves": ["nearby", "samples"], "budget": 60, "adapt": False}
    start = "C[NH+]1CCC[C@H]1c1cccnc1"
    for flat in (False, True):
        found = model.optimize("qed:max", start=start, flat=flat, **options)
        marked = found.table["smiles"].str.contains(r"@|/|H\d?\+")
        assert marked.any() != flat
        assert flat == any("novel only says" in note for note in found.notes)
        assert flat == ("CN1CCCC1c1cccnc1" in set(found.table["smiles"]))


def test_a_file_of_that_name_comes_first(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert file_of("moses") == shipped.file_of("moses")
    (tmp_path / "moses").write_bytes((run_folder / "model.safetensors").read_bytes())
    assert file_of("moses") == Path("moses")
    assert file_of(run_folder) == run_folder / "model.safetensors"
