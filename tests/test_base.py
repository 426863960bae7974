"""Training that starts from a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import interrupt_after

import molvae
from molvae.corpus.vocabulary import BOS, EOS, PAD, SPECIAL
from molvae.errors import SettingsError
from molvae.network.growth import NEW, grown

FEW = ["CCO", "CC[Se]C", "CCCC[Se]C", "c1ccccc1[Se]C", "CCN", "CCCN", "CCCCO", "CC(C)O"] * 4
FEW = [f"{'C' * (row // 8)}{one}" for row, one in enumerate(FEW)]


def fine_tuned(run_folder: Path, output: Path | None, **settings: Any) -> molvae.MolVAE:
    wanted: dict[str, Any] = {"steps": 30, "batch_size": 8, "report": False, "quiet": True}
    return molvae.train(FEW, output, base=run_folder, **{**wanted, **settings})


def test_what_is_known_is_kept(model: molvae.MolVAE) -> None:
    network = model.checkpoint.network
    ids = [PAD, BOS, EOS, NEW, *range(SPECIAL, network.config.vocabulary_size), NEW]
    larger = grown(network, ids=ids, max_tokens=200, heads=[NEW, 0], knows_noise=True).eval()
    new_id = {old: new for new, old in enumerate(ids)}
    token_ids = torch.tensor([[3, 4, 5, 3], [4, 5, PAD, PAD]])
    moved = torch.tensor([[new_id[int(one)] for one in row] for row in token_ids])
    lengths = torch.tensor([4, 2])
    with torch.no_grad():
        old, new = network.inference(token_ids, lengths), larger.inference(moved, lengths)
        torch.testing.assert_close(new.mean, old.mean)
        kept = [place for place in ids if place != NEW]
        logits = larger.generative(new.mean, moved)[..., [new_id[one] for one in kept]]
        torch.testing.assert_close(logits, network.generative(old.mean, token_ids)[..., kept])
        torch.testing.assert_close(larger.predict(new.mean)[:, 1:], network.predict(old.mean))


def test_new_symbols_are_added_and_old_rows_keep_their_values(
    run_folder: Path, model: molvae.MolVAE
) -> None:
    # A step too small to be seen: what is left is what training started from.
    tuned = fine_tuned(run_folder, None, steps=1, learning_rate=1e-12, weight_decay=0.0)
    old, new = model.checkpoint, tuned.checkpoint
    assert set(new.vocabulary.symbols) > set(old.vocabulary.symbols)
    assert "[Se]" in new.vocabulary.symbols
    rows = [place + SPECIAL for place, one in enumerate(new.vocabulary.symbols)
            if one in old.vocabulary.symbols]  # fmt: skip
    torch.testing.assert_close(
        new.network.embedding.weight[rows],
        old.network.embedding.weight[SPECIAL:],
        atol=1e-9,
        rtol=0,
    )
    smiles = ["CCOC", "CCNC(=O)c1ccccc1"]
    np.testing.assert_allclose(tuned.encode(smiles).mean, model.encode(smiles).mean, atol=1e-5)
    assert tuned.encode(["CC[Se]C"]).usable.all()
    assert not model.encode(["CC[Se]C"]).usable.any()
    assert len(new.known) == len(old.known) + len(set(FEW))
    assert tuned.record["base"]["molecules"] == len(old.known)


def test_it_learns_from_what_it_knows(
    run_folder: Path, model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    rows = sample.loc[sample["split"] == "train", ["smiles"]].head(60)
    settings: dict[str, Any] = {"steps": 20, "batch_size": 20, "report": False, "quiet": True}
    tuned = molvae.train(rows, None, base=run_folder, **settings)
    fresh = molvae.train(rows, None, size="small", **settings)
    assert tuned.record["outcome"]["held_out_loss"] < 0.8 * fresh.record["outcome"]["held_out_loss"]


def test_an_interrupted_run_goes_on_to_the_same_weights(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "few.csv"
    pd.DataFrame({"smiles": FEW, "logp": range(len(FEW))}).to_csv(source, index=False)
    settings: dict[str, Any] = {
        "base": run_folder,
        "steps": 30,
        "batch_size": 8,
        "properties": ["logp"],
        "state_every": 7,
        "state_seconds": 0,
        "report": False,
        "quiet": True,
        "precision": "fp32",
    }
    whole = molvae.train(source, tmp_path / "whole", **settings)
    interrupt_after(monkeypatch, 12)
    cut = molvae.train(source, tmp_path / "cut", **settings)
    assert cut.record["outcome"]["ending"] == "interrupted"
    molvae.resume(tmp_path / "cut", quiet=True)
    one, other = (tmp_path / name / "model.safetensors" for name in ("whole", "cut"))
    assert one.read_bytes() == other.read_bytes()
    scale, old = whole.checkpoint.properties[0], molvae.load(run_folder).checkpoint.properties[0]
    assert (scale.mean, scale.deviation) == (old.mean, old.deviation)


@pytest.mark.parametrize(
    "setting", [{"neutralise": True}, {"decoder_hidden": 64}, {"constraints": "wide"}]
)
def test_what_the_model_brings_cannot_be_set(run_folder: Path, setting: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="own when training starts"):
        fine_tuned(run_folder, None, **setting)


def test_no_model_to_start_from(tmp_path: Path, cli) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "few.smi").write_text("\n".join(FEW))
    result = cli("train", tmp_path / "few.smi", "-o", tmp_path / "run", "--from", tmp_path / "none")
    assert result.exit_code == 2
    assert "No model" in result.output
    assert not (tmp_path / "run").exists()


def test_the_model_to_start_from_may_change_or_go(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: pd.DataFrame
) -> None:
    """The run keeps it until it ends, also when it is the folder's own model."""
    source = tmp_path / "few.csv"
    pd.DataFrame({"smiles": FEW}).to_csv(source, index=False)
    settings: dict[str, Any] = {
        **{"steps": 30, "batch_size": 8, "state_every": 7, "state_seconds": 0, "quiet": True},
        **{"report": False, "precision": "fp32"},
    }
    whole = molvae.train(source, tmp_path / "whole", base=run_folder, **settings)
    own = tmp_path / "own"
    own.mkdir()
    (own / "model.safetensors").write_bytes((run_folder / "model.safetensors").read_bytes())
    with monkeypatch.context() as patched:
        interrupt_after(patched, 12)
        molvae.train(source, own, base=own, overwrite=True, **settings)
    assert (own / "base.safetensors").exists()
    molvae.resume(own, quiet=True)
    one, other = (folder / "model.safetensors" for folder in (tmp_path / "whole", own))
    assert one.read_bytes() == other.read_bytes()
    assert not (own / "base.safetensors").exists()
    assert whole.property_names == ()


def test_two_processes_start_from_it_too(run_folder: Path) -> None:
    one, two = (
        fine_tuned(run_folder, None, processes=count, precision="fp32").checkpoint.network
        for count in (1, 2)
    )
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], tensor, atol=1e-4, rtol=1e-3)


def test_heads_that_are_dropped_are_named(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fine_tuned(run_folder, None, quiet=False, steps=1)
    assert "The heads for logp are dropped; --property logp keeps them." in capsys.readouterr().err
    with pytest.raises(SettingsError, match="size"):
        fine_tuned(run_folder, None, size="small")
