"""How typical of the training set molecules are: bounds that hold, and percentiles that mean it."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae.codec import Encodings
from molvae.errors import SettingsError
from molvae.latent.typicality import Likelihoods, likelihoods, remark, typical_of
from molvae.network.priors import StandardNormal

NUMBERS = ["distortion", "kl", "log_likelihood", "density", "nearest_training", "outlier"]
MIXED = ["CCO", "", "c1ccccc1CC(=O)N", "hello", "C[Si](C)C", "CC(C)c1ccccc1", "CCO"]


@dataclass
class Linear:
    """p(z) = N(0, 1), p(x | z) = N(slope z, width^2): all is known of it. An x is a SMILES here."""

    slope: float = 1.5
    width: float = 0.7

    def distortion(self, encodings: Encodings, latents: np.ndarray) -> np.ndarray:
        x = np.array(encodings.smiles, dtype=float)
        return -_log_normal(x - self.slope * latents[:, 0], self.width)

    def log_density(self, latents: np.ndarray) -> np.ndarray:
        return _log_normal(latents[:, 0], 1.0)

    def evidence(self, x: np.ndarray) -> np.ndarray:
        return _log_normal(x, np.hypot(self.slope, self.width))

    def posterior(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        variance = 1 / (1 + (self.slope / self.width) ** 2)
        return variance * self.slope / self.width**2 * x, float(np.sqrt(variance))


def _log_normal(x: np.ndarray, width: float) -> np.ndarray:
    return -0.5 * (x / width) ** 2 - np.log(width * np.sqrt(2 * np.pi))


def weighed(codec: Linear, x: np.ndarray, wider: float, **settings: int) -> Likelihoods:
    """Likelihoods by a posterior that is the true one, or so many times wider."""
    mean, deviation = codec.posterior(x)
    columns = [part[:, None].astype(np.float32) for part in (mean, np.full_like(x, deviation))]
    texts = [repr(float(one)) for one in x]
    empty: list[list[str]] = [[]] * len(x)
    encodings = Encodings(
        texts, empty, columns[0], wider * columns[1], [""] * len(x), [()] * len(x)
    )
    return likelihoods(codec, encodings, **settings)  # type: ignore[arg-type]


def test_the_bound_is_the_evidence_where_the_posterior_is_true() -> None:
    codec, x = Linear(), np.linspace(-3, 3, 7)
    found = weighed(codec, x, 1.0, samples=3)
    np.testing.assert_allclose(found.bound, codec.evidence(x), atol=1e-5)
    np.testing.assert_allclose(-found.distortion - found.kl, codec.evidence(x), atol=1e-5)


def test_the_bound_rises_with_the_draws_and_stays_below_the_evidence() -> None:
    codec, x = Linear(), np.linspace(-2, 2, 2_000)
    gaps = [
        float((codec.evidence(x) - weighed(codec, x, 2.0, samples=samples).bound).mean())
        for samples in (1, 4, 32, 256)
    ]
    # KL of a normal twice as wide: log 1/2 + (4 - 1) / 2, the gap of the plain bound.
    assert gaps[0] == pytest.approx(1.5 - np.log(2), abs=0.1)
    assert gaps == sorted(gaps, reverse=True)
    assert 0 < gaps[-2] < 0.05
    assert abs(gaps[-1]) < 0.01
    found = weighed(codec, x, 2.0, samples=8)
    assert (found.bound >= -found.distortion - found.kl).all()  # Jensen, draw for draw


def test_each_row_has_its_score(model: molvae.MolVAE) -> None:
    table = model.score(MIXED, samples=4, seed=5)
    assert table["input"].tolist() == MIXED
    usable = np.array([True, False, True, False, False, True, True])
    assert ((table["reason"] == "") == usable).all()
    assert (table[NUMBERS].notna().all(axis=1) == usable).all()
    assert (table[NUMBERS].isna().all(axis=1) == ~usable).all()
    assert table["outlier"][usable].between(0, 100).all()
    assert not table["known"][~usable].any()
    # A molecule's draws are its own, wherever it stands.
    np.testing.assert_allclose(
        table.loc[0, NUMBERS].astype(float), table.loc[6, NUMBERS].astype(float), rtol=1e-4
    )
    # Under N(0, I) the divergence is known exactly.
    normal = StandardNormal(model.latent_dim)
    plain = molvae.MolVAE(replace(model.checkpoint, prior=normal))
    rate = plain.encode(MIXED).rates().sum(axis=1)[usable]
    many = plain.score(MIXED, samples=300)["kl"][usable]
    np.testing.assert_allclose(many, rate, rtol=0.05)
    assert (table["exact"] == model.reconstruct(MIXED)["exact"]).all()


@pytest.mark.parametrize("rows", [1, 3])
def test_the_size_of_the_parts_changes_nothing(rows: int, model: molvae.MolVAE) -> None:
    whole = model.score(MIXED, samples=2, seed=1)
    parts = pd.concat(model.score_chunks(MIXED, samples=2, seed=1, rows=rows), ignore_index=True)
    pd.testing.assert_frame_equal(parts, whole, rtol=1e-4, atol=1e-4)


def test_percentiles_are_those_of_held_out_molecules(
    model: molvae.MolVAE, run_folder: Path, sample: pd.DataFrame
) -> None:
    apart = pd.read_csv(run_folder / "held_out.csv")
    held_out = model.score(apart[apart["split"] == "valid"], samples=1)
    count = len(held_out)
    expected = 100 * np.arange(count) / count
    np.testing.assert_allclose(np.sort(held_out["outlier"]), expected, atol=101 / count)
    assert held_out["known"].all()  # training has seen them, though it didn't learn from them
    tests = model.score(sample[sample["split"] == "test"], samples=1)
    assert tests["outlier"].mean() == pytest.approx(50, abs=20)
    assert not tests["known"].all()
    odd = model.score(["C1CC1C2CC2C3CC3C4CC4C5CC5C6CC6", "OOOOOOONNNNNNN"], samples=1)
    assert (odd["outlier"] == 100).all()
    assert odd["nearest_training"].min() > tests["nearest_training"].median()


def test_landmarks_are_training_molecules(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    trained = sample[sample["split"] == "train"]
    nearest = model.score(trained, samples=1)["nearest_training"]
    size = np.linalg.norm(model.encode(trained).mean, axis=1).mean()
    assert (nearest < 1e-3 * size).mean() > 0.9  # but for those held out
    typical = model.checkpoint.typical
    assert typical is not None
    assert typical.landmarks.dtype == np.float16
    again = typical_of(model.codec, ["CCO", "nonsense"], [])
    assert (again.landmarks.shape, len(again.scores)) == ((1, model.latent_dim), 0)


def test_a_model_without_them_says_how_to_get_them(  # type: ignore[no-untyped-def]
    model: molvae.MolVAE, tmp_path: Path, cli
) -> None:
    path = tmp_path / "older.safetensors"
    molvae.MolVAE(replace(model.checkpoint, typical=None)).save(path)
    older = molvae.load(path, device="cpu")
    assert older.checkpoint.typical is None
    table = older.score(["CCO"], samples=1)
    assert table[["nearest_training", "outlier"]].isna().all(axis=None)
    assert table[["distortion", "density"]].notna().all(axis=None)
    result = cli("score", "-m", path, "-", "--samples", "1", input="smiles\nCCO\n")
    assert "--from MODEL" in result.stderr


def test_fine_tuning_compares_with_the_new_molecules(run_folder: Path) -> None:
    few = [f"{'C' * length}[Se]C" for length in range(1, 30)]
    settings = {"steps": 5, "batch_size": 8, "report": False, "quiet": True}
    tuned = molvae.train(few, base=run_folder, held_out=0.4, **settings)
    typical = tuned.checkpoint.typical
    assert typical is not None
    assert (len(typical.landmarks), len(typical.scores)) == (17, 12)


def test_too_few_held_out_molecules_judge_nobody(run_folder: Path) -> None:
    few = [f"{'C' * length}[Se]C" for length in range(1, 30)]
    tuned = molvae.train(few, base=run_folder, steps=5, report=False, quiet=True)
    assert len(tuned.checkpoint.typical.scores) == 0
    assert tuned.score(["CCC[Se]C"], samples=1)["outlier"].isna().all()
    assert remark(tuned.checkpoint.typical).startswith("Fewer than 10 molecules were held out")


def test_the_command_writes_a_row_a_row(  # type: ignore[no-untyped-def]
    cli, run_folder: Path
) -> None:
    text = "smiles,n\n" + "".join(f"{one},1\n" for one in MIXED)
    result = cli("score", "-m", run_folder, "-", "--samples", "2", input=text)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(io.StringIO(result.stdout), keep_default_na=False)
    assert table["input"].tolist() == MIXED
    assert (table["outlier"] == "").tolist() == (table["reason"] != "").tolist()
    assert "4 of 7 rows scored" in result.stderr
    assert "more unusual than 99%" in result.stderr


def test_settings_out_of_range_are_refused(model: molvae.MolVAE) -> None:
    with pytest.raises(SettingsError, match="samples is 1 or more"):
        model.score(["CCO"], samples=0)
    with pytest.raises(SettingsError, match="seed is a whole number"):
        model.score(["CCO"], seed=-1)
