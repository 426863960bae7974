"""Where the latents of generated molecules come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae.codec import BLOCK, NetworkCodec
from molvae.errors import SettingsError
from molvae.latent import sources
from molvae.latent.sources import PRIORS, prior_of, usual_noise


@pytest.mark.parametrize("name", PRIORS)
def test_what_is_drawn_depends_on_the_seed_and_the_block_alone(
    model: molvae.MolVAE, name: str
) -> None:
    source = prior_of(name, model.codec)
    both = source(2 * BLOCK, 5, 3)
    assert both.shape == (2 * BLOCK, model.latent_dim)
    assert np.isfinite(both).all()
    np.testing.assert_allclose(both[:BLOCK], source(BLOCK, 5, 3), atol=1e-5)
    np.testing.assert_allclose(both[BLOCK:], source(BLOCK, 5, 4), atol=1e-5)
    assert not np.allclose(both[:BLOCK], source(BLOCK, 6, 3))


@pytest.mark.parametrize("name", ["fitted", "normal"])
def test_a_cold_density_stays_where_it_is_dense(model: molvae.MolVAE, name: str) -> None:
    cold, warm = (prior_of(name, model.codec, one)(4 * BLOCK, 0, 0) for one in (0.5, 1.0))
    assert cold.std() < 0.8 * warm.std()
    if name == "fitted":
        assert model.codec.log_density(cold).mean() > model.codec.log_density(warm).mean()


def test_an_echo_lies_where_molecules_lie(model: molvae.MolVAE) -> None:
    latents = prior_of("echo", model.codec)(BLOCK, 0, 0)
    decoded = model.codec.decode(latents)
    way_back = model.codec.encode([one.smiles for one in decoded])
    usable = way_back.usable
    assert usable.mean() > 0.5
    apart = np.linalg.norm(way_back.mean - latents, axis=1)[usable]
    others = np.linalg.norm(way_back.mean - np.roll(latents, 1, axis=0), axis=1)[usable]
    assert np.median(apart) < 0.9 * np.median(others)


def test_nothing_to_echo(model: molvae.MolVAE) -> None:
    codec = NetworkCodec(model.checkpoint)
    codec.knows_noise, codec.strict_alone = False, 0.0
    with pytest.raises(SettingsError, match="noise_share 0"):
        prior_of("echo", codec)
    assert usual_noise(codec) == 0


def test_generated_molecules_tell_their_prior(model: molvae.MolVAE) -> None:
    found = model.generate(5, prior="echo", prior_temperature=0.8, seed=2, strict=False)
    assert set(found.table["prior"]) == {"echo"}
    assert set(found.table["prior_temperature"]) == {0.8}
    assert set(found.table["noise"]) == {0.0}
    again = model.generate(
        5, prior="echo", prior_temperature=0.8, seed=2, strict=False, batch_size=300
    )
    assert again.table.equals(found.table)
    like = model.generate(3, like=found.table, strict=False)
    assert set(like.table["prior"]) == {"like"}
    with pytest.raises(SettingsError, match="not both"):
        model.generate(3, like=found.table, prior="normal")
    with pytest.raises(SettingsError, match="echo"):
        model.generate(3, prior="ecko")
    with pytest.raises(SettingsError, match="prior_temperature"):
        model.generate(3, prior_temperature=float("nan"))
    with pytest.raises(SettingsError, match="all molecules are the same"):
        model.generate(3, temperature=0, noise=0, prior_temperature=0)


def test_what_can_not_be_like_is_told(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    smiles = sample["smiles"].head(2).tolist()
    found = model.generate(2, like=[smiles[0], "no molecule", smiles[1]], strict=False)
    assert found.notes == (
        "1 of 3 molecules to be like can't be used; row 2: not a SMILES: it has white space in it.",
    )
    with pytest.raises(molvae.TableError, match="row 1: not a SMILES"):
        model.generate(2, like=["no molecule"])
    assert model.generate(2, like=smiles, strict=False).notes == ()


def test_where_nothing_is_written_there_is_no_latent(
    model: molvae.MolVAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "ROUNDS", 1)
    latents = prior_of("echo", model.codec)(2 * BLOCK, 0, 0)
    there = np.isfinite(latents).all(axis=1).reshape(2, BLOCK)
    assert 0 < there.sum() < 2 * BLOCK
    assert (np.diff(there.astype(int), axis=1) <= 0).all()  # at the end of each block
