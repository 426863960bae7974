"""A latent space within scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae.errors import CheckpointError, MoleculeError, SettingsError

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from molvae.pipeline import Latents

SMILES = ["CCO", "c1ccccc1C", "CC(C)CN"]


def test_any_column_of_smiles_becomes_latents(model: molvae.MolVAE) -> None:
    expected = model.encode(SMILES).mean
    latents = Latents(model).fit()
    array = np.array(SMILES)
    for given in (
        SMILES, tuple(SMILES), array, array[:, None], pd.Series(SMILES), pd.DataFrame({"x": SMILES})
    ):  # fmt: skip
        found = latents.transform(given)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
    assert latents.transform([]).shape == (0, model.latent_dim)
    assert latents.get_feature_names_out().tolist()[:2] == ["z1", "z2"]
    back = latents.inverse_transform(expected)
    assert back.tolist() == model.reconstruct(SMILES)["reconstruction"].tolist()


def test_a_regression_on_latents_is_cross_validated(run_folder: Path, sample: pd.DataFrame) -> None:
    regression = make_pipeline(Latents(run_folder, device="cpu"), Ridge(alpha=10.0))
    smiles, logp = sample["smiles"].tolist(), sample["logp"].to_numpy()
    scores = cross_val_score(regression, smiles, logp, cv=3)
    assert scores.min() > 0
    regression.fit(smiles, logp)
    np.testing.assert_allclose(clone(regression).fit(smiles, logp).predict(SMILES),
                               regression.predict(SMILES))  # fmt: skip


def test_it_stands_among_other_columns(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    columns = make_column_transformer((Latents(model), "smiles"), ("passthrough", ["logp"]))
    columns.set_output(transform="pandas")
    table = columns.fit_transform(sample.head(5))
    assert table.shape == (5, model.latent_dim + 1)
    assert table.columns[0].endswith("z1")


def test_what_cannot_be_encoded_is_named_or_nan(model: molvae.MolVAE) -> None:
    mixed = ["CCO", "c1cc", None]
    with pytest.raises(MoleculeError, match=r"Row 1 of X, .*'c1cc': not a SMILES.*unusable='nan'"):
        Latents(model).fit_transform(mixed)
    found = Latents(model, unusable="nan").fit_transform(mixed)
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, False]


def test_bad_parameters_are_refused(model: molvae.MolVAE, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unusable can't be 'drop'"):
        Latents(model, unusable="drop").fit()
    with pytest.raises(CheckpointError, match="No model at"):
        Latents(tmp_path).fit()
    for given in ("CCO", 3, np.array([["C", "C"]])):
        with pytest.raises(SettingsError, match="X is"):
            Latents(model).fit().transform(given)


def test_without_scikit_learn_the_remedy_is_told() -> None:
    code = "import sys; sys.modules['sklearn'] = None\nimport molvae.pipeline"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert "molvae.pipeline needs scikit-learn" in last
    assert "molvae[sklearn]" in last
