"""A model file is whole, ours and harmless, or it is refused in one line."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

import molvae
from molvae import checkpoint as checkpoints
from molvae import sealed
from molvae.chem.standard import Standard
from molvae.errors import CheckpointError


@pytest.fixture
def content(run_folder: Path) -> bytes:
    return (run_folder / "model.safetensors").read_bytes()


def test_a_loaded_model_is_the_saved_one(model: molvae.MolVAE, tmp_path: Path) -> None:
    model.save(tmp_path / "copy.safetensors")
    again = molvae.load(tmp_path / "copy.safetensors", device="cpu")
    smiles = ["CCOc1ccccc1", "CCN"]
    np.testing.assert_array_equal(again.encode(smiles).mean, model.encode(smiles).mean)
    assert again.checkpoint.vocabulary.symbols == model.checkpoint.vocabulary.symbols
    assert again.checkpoint.constraints == model.checkpoint.constraints
    assert again.checkpoint.standard == model.checkpoint.standard
    assert again.checkpoint.properties == model.checkpoint.properties
    assert again.describe() == model.describe()
    np.testing.assert_array_equal(again.checkpoint.known.hashes, model.checkpoint.known.hashes)


def test_a_compact_model_is_nearly_the_same(
    model: molvae.MolVAE, content: bytes, sample: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "compact.safetensors"
    model.save(path, compact=True)
    assert path.stat().st_size < 0.65 * len(content)
    again = molvae.load(path, device="cpu")
    smiles = sample["smiles"].head(300).tolist()
    old, new = model.encode(smiles), again.encode(smiles)
    np.testing.assert_allclose(new.mean, old.mean, atol=0.02)
    density = again.codec.log_density(old.mean)
    np.testing.assert_allclose(density, model.codec.log_density(old.mean), rtol=0.01)
    known = [[one in each.checkpoint.known for one in old.smiles] for each in (model, again)]
    assert known[0] == known[1]
    assert any(known[0])


def test_saving_what_was_loaded_gives_the_same_bytes(
    run_folder: Path, content: bytes, tmp_path: Path
) -> None:
    molvae.load(run_folder, device="cpu").save(tmp_path / "copy.safetensors")
    assert (tmp_path / "copy.safetensors").read_bytes() == content


def test_one_turned_bit_is_noticed_wherever_it_is(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    generator = np.random.default_rng(0)
    for place in [0, 7, 8, 9, *generator.integers(0, len(content), 60), len(content) - 1]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError) as caught:
            molvae.load(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_cut_file_is_noticed(content: bytes, tmp_path: Path, share: float) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="damaged"):
        molvae.load(path)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was executed')",)


@pytest.mark.parametrize("way", ["torch", "plain"])
def test_a_pickle_is_never_executed(tmp_path: Path, way: str) -> None:
    path = tmp_path / "model.safetensors"
    if way == "torch":
        torch.save({"weights": torch.zeros(3), "x": Bomb()}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="is a pickle"):
        molvae.load(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"x": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="not a model of molvae"):
        molvae.load(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content, arrays: content.update(known_bits=65),
        lambda content, arrays: content.update(known_bits="64"),
        lambda content, arrays: content.update(format="4"),
        lambda content, arrays: content.update(prior=[]),
        lambda content, arrays: content.update(record=None),
        lambda content, arrays: content.pop("vocabulary"),
        lambda content, arrays: content.pop("format"),
        lambda content, arrays: arrays.pop("training_set.below"),
        lambda content, arrays: arrays.update({"training_set.upper": np.zeros(9, dtype=np.uint8)}),
        lambda content, arrays: arrays.update({"training_set.below": np.zeros((9, 2))}),
    ],
)
def test_what_no_version_wrote_is_refused_in_a_line(
    run_folder: Path, tmp_path: Path, spoil: Callable[[dict[str, Any], dict[str, Any]], object]
) -> None:
    content, arrays = sealed.read(run_folder / "model.safetensors", checkpoints._MODEL)
    spoil(content, arrays)
    sealed.write(tmp_path / "odd.safetensors", checkpoints._MODEL, content, arrays)
    with pytest.raises(CheckpointError, match=r"can't be used: .+") as caught:
        molvae.load(tmp_path / "odd.safetensors")
    assert "\n" not in str(caught.value)


def test_a_newer_format_asks_for_an_update(run_folder: Path, tmp_path: Path) -> None:
    source = run_folder / "model.safetensors"
    content, arrays = sealed.read(source, checkpoints._MODEL)
    content["format"] = checkpoints.FORMAT + 1
    sealed.write(tmp_path / "new.safetensors", checkpoints._MODEL, content, arrays)
    with pytest.raises(CheckpointError, match="Update molvae"):
        molvae.load(tmp_path / "new.safetensors")


@pytest.mark.parametrize("flat", [False, True])
def test_a_model_of_format_1_behaves_as_it_did(
    run_folder: Path, model: molvae.MolVAE, tmp_path: Path, flat: bool
) -> None:
    """It had one switch for stereo, isotopes and charges, and kept salts of any size."""
    content, arrays = sealed.read(run_folder / "model.safetensors", checkpoints._MODEL)
    del content["standard"], content["prior"], content["known_bits"]
    later = ("prior.", "typical.", "training_set.")
    arrays = {name: one for name, one in arrays.items() if not name.startswith(later)}
    arrays["training_set.hashes"] = model.checkpoint.known.hashes.view(np.int64)
    old = {**content, "format": 1, "flat": flat}
    sealed.write(tmp_path / "old.safetensors", checkpoints._MODEL, old, arrays)
    loaded = molvae.load(tmp_path / "old.safetensors", device="cpu")
    asked = Standard(salts="keep", max_heavy_atoms=2000)
    assert loaded.checkpoint.standard == (asked.flattened() if flat else asked)
    np.testing.assert_array_equal(loaded.checkpoint.known.hashes, model.checkpoint.known.hashes)
    chiral, plain, salt = "C[C@H](O)c1ccccc1", "CC(O)c1ccccc1", "CCN.CCO"
    encodings = loaded.encode([chiral, plain, salt])
    if flat:
        assert encodings.smiles[0] == plain
        assert encodings.flattened == [True, False, False]
    else:
        assert "never seen" in encodings.reasons[0]
    np.testing.assert_allclose(encodings.mean[1], model.encode([plain]).mean[0], atol=1e-5)
    assert "never seen ." in encodings.reasons[2]
    loaded.save(tmp_path / "new.safetensors")
    again = molvae.load(tmp_path / "new.safetensors", device="cpu")
    assert again.describe() == loaded.describe()


def test_a_model_treats_molecules_as_its_training_did(model: molvae.MolVAE, tmp_path: Path) -> None:
    """The standard travels in the file."""
    assert model.checkpoint.standard == Standard()
    salt = model.encode(["OCC.Cl"])
    assert salt.smiles == ["CCO"]
    assert salt.steps == [("spelling", "salts")]
    assert salt.flattened == [False]
    strict = replace(model.checkpoint, standard=Standard(salts="reject", max_heavy_atoms=5))
    checkpoints.save(strict, tmp_path / "strict.safetensors")
    reasons = molvae.load(tmp_path / "strict.safetensors").encode(["CCO.Cl", "CCCCCC"]).reasons
    assert reasons == ["more than one fragment", "more than 5 heavy atoms"]


def test_a_missing_model_tells_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"molvae train data\.csv"):
        molvae.load(tmp_path)


def test_a_failed_save_leaves_nothing_behind(
    model: molvae.MolVAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "model.safetensors"
    target.write_bytes(b"what was there")

    def disk_full(path: Path, content: bytes) -> None:
        with path.open("wb") as stream:
            stream.write(content[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", disk_full)
        with pytest.raises(molvae.OutputError, match="no space left on device"):
            model.save(target)
    assert target.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [target]
