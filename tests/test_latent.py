"""Encoding, decoding, generating and walking with a trained model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae.chem.filters import objection
from molvae.chem.molecules import canonical, parse
from molvae.chem.properties import compute
from molvae.codec import BLOCK, Encodings, NetworkCodec
from molvae.errors import MoleculeError, SettingsError
from molvae.health.measure import measure
from molvae.latent.curves import lerp, slerp
from molvae.metrics.basic import novelty, uniqueness, validity


def test_rows_line_up_when_every_third_is_broken(
    model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    smiles = sample["smiles"].head(90).tolist()
    broken = ["", "x", "c1cc", "[Fe]", "C[C@H](F)Cl", "CC[N+](C)(C)C", "CC CC"]
    mixed = [broken[row // 3 % 7] if row % 3 == 2 else one for row, one in enumerate(smiles)]
    encodings = model.encode(mixed)
    alone = model.encode([one for row, one in enumerate(smiles) if row % 3 != 2])
    usable = np.array([row % 3 != 2 for row in range(90)])
    np.testing.assert_array_equal(encodings.usable, usable)
    np.testing.assert_allclose(encodings.mean[usable], alone.mean, atol=1e-5)
    assert np.isnan(encodings.mean[~usable]).all()
    assert all(bool(reason) != good for reason, good in zip(encodings.reasons, usable, strict=True))
    table = model.reconstruct(mixed)
    assert table["input"].tolist() == mixed
    assert (table["reason"] == "").tolist() == usable.tolist()
    assert (table["reconstruction"] != "").tolist() == usable.tolist()


def test_an_unseen_token_is_named_and_flattening_helps(model: molvae.MolVAE) -> None:
    chiral = "C[C@@H](O)c1ccccc1"
    (reason,) = model.encode([chiral]).reasons
    assert "never seen [C@" in reason
    flat = model.encode([chiral], flat=True)
    assert flat.flattened == [True]
    np.testing.assert_array_equal(flat.mean, model.encode(["CC(O)c1ccccc1"]).mean)


def test_another_batch_size_gives_the_same_latents(
    model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    smiles = sample["smiles"].tolist()
    latents = [
        NetworkCodec(model.checkpoint, batch_size=size).encode(smiles).mean for size in (1, 7, 512)
    ]
    np.testing.assert_allclose(latents[0], latents[2], atol=1e-5)
    np.testing.assert_allclose(latents[1], latents[2], atol=1e-5)


def test_rates_are_counted_by_hand() -> None:
    ones = np.ones((1, 3), dtype=np.float32)
    rates = Encodings([""], [()], ones, 2 * ones, [""], [False]).rates()
    np.testing.assert_allclose(rates, (4 - np.log(4)) / 2)


def test_the_slope_is_that_of_the_prediction(sample: pd.DataFrame) -> None:
    table = sample.head(60)
    both = molvae.train(table, properties=["logp", "tpsa"], size="small", steps=20, quiet=True)
    latents = both.encode(table.head(4)).mean
    for place, name in enumerate(["logp", "tpsa"]):
        slope = both.codec.slope(latents, name)
        scale = both.checkpoint.properties[place].deviation
        for dimension in (0, 5):
            step = np.zeros(both.latent_dim, dtype=np.float32)
            step[dimension] = 0.01
            rise = both.codec.predict(latents + step) - both.codec.predict(latents - step)
            np.testing.assert_allclose(
                rise[:, place] / 0.02, slope[:, dimension], rtol=0.05, atol=1e-3 * scale
            )


def test_decode_takes_back_what_encode_gives(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    latents = model.encode(sample["smiles"].head(30)).mean
    latents[4] = np.nan
    table = model.decode(latents)
    assert len(table) == 30
    assert table["reason"].iloc[4] == "no latent"
    assert (table["smiles"] != "").sum() == 29
    for smiles in table["smiles"].drop(4):
        assert canonical(smiles) == smiles
    pd.testing.assert_frame_equal(table, model.decode(latents))


def test_latents_of_another_width_are_refused(model: molvae.MolVAE) -> None:
    with pytest.raises(SettingsError, match="3 x 5; this model's have 32"):
        model.decode(np.zeros((3, 5)))
    with pytest.raises(SettingsError, match="seed is a whole number from 0"):
        model.decode(np.zeros((1, 32)), seed=-1)
    with pytest.raises(SettingsError, match="temperature is 0, or from"):
        model.decode(np.zeros((1, 32)), temperature=np.inf)
    with pytest.raises(SettingsError, match="no array"):
        model.decode([[0.0], [0.0, 1.0]])
    assert model.decode(np.full((1, 32), 1e300))["reason"].tolist() == ["no latent"]
    with pytest.raises(SettingsError, match="not numbers"):
        model.decode(np.full((1, 32), "x"))


def test_generated_molecules_keep_their_promises(
    model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    reference = sample["smiles"].tail(40).tolist()
    found = model.generate(40, seed=3, filters=["moses"], reference=reference, temperature=0.7)
    table = found.table
    train = set(sample["smiles"])
    assert len(table) == found.tally.taken == table["smiles"].nunique()
    assert table["novel"].all()
    assert table["strict"].all()
    assert not train & set(table["smiles"])
    assert (table["seed"] == 3).all()
    assert set(table["nearest_reference"]) <= set(reference)
    assert table["similarity"].between(0, 1).all()
    for row in table.head(10).itertuples():
        assert objection(parse(row.smiles), ["moses"]) == ""
        assert compute(parse(row.smiles))["logp"] == pytest.approx(row.logp)
    tally = found.tally
    counts = (
        tally.invalid,
        tally.repaired,
        tally.repeated,
        tally.known,
        tally.filtered,
        tally.taken,
    )
    assert sum(counts) == tally.drawn


def test_the_same_seed_gives_the_same_molecules_whatever_the_batch(model: molvae.MolVAE) -> None:
    tables = [
        model.generate(300, seed=5, strict=False, batch_size=size).table
        for size in (1, BLOCK, 5000)
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])
    other = model.generate(300, seed=6, strict=False).table
    assert not set(other["smiles"]) & set(tables[0]["smiles"]) >= set(other["smiles"])


def test_more_molecules_begin_with_the_fewer(model: molvae.MolVAE) -> None:
    few, many = (model.generate(count, seed=1, strict=False).table for count in (20, 60))
    pd.testing.assert_frame_equal(few, many.head(20))


def test_generation_ends_when_nothing_is_acceptable(
    model: molvae.MolVAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.latent.generation._refusal", lambda *_: "filtered")
    monkeypatch.setattr("molvae.latent.generation.ENOUGH", 300)
    found = model.generate(1, strict=False)
    assert (len(found.table), found.tally.drawn) == (0, 320)
    assert found.latents.dtype == np.float32
    assert found.table.columns[0] == "smiles"
    assert found.latents.shape == (0, model.latent_dim)


def test_a_path_starts_and_ends_at_what_was_given(
    model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    ends = sample["smiles"].iloc[[0, 1, 2]].tolist()
    for kind in ("slerp", "lerp"):
        table = model.interpolate(ends, steps=5, path=kind, spacing="latent").table
        assert table.loc[table["given"], "smiles"].tolist() == ends
        assert table["smiles"].iloc[0] == ends[0]
        assert table["smiles"].iloc[-1] == ends[-1]
        assert table["smiles"].is_unique
        assert table["position"].is_monotonic_increasing
        assert table["points"].sum() <= 3 + 2 * 3
        assert table["similarity_start"].iloc[0] == table["similarity_end"].iloc[-1] == 1
        assert table["strict"].all()
        walked = model.interpolate(ends, steps=5, path=kind, spacing="latent", strict=False)
        everything = walked.table
        assert set(table["smiles"]) <= set(everything["smiles"])
        assert everything["points"].sum() == 3 + 2 * 3


def test_a_path_says_what_the_model_does_not_reconstruct(model: molvae.MolVAE) -> None:
    strange = "FC(F)(F)C(F)(F)C(F)(F)C(F)(F)C(F)(F)F"
    assert any("doesn't reconstruct" in one for one in model.interpolate([strange, "CCO"]).notes)


def test_curves() -> None:
    one, other = np.array([[3.0, 0.0]]), np.array([[0.0, 1.0]])
    for curve in (lerp, slerp):
        points = curve(one, other, np.array([0.0, 1.0]))
        np.testing.assert_allclose(points, [[one[0], other[0]]], atol=1e-12)
        np.testing.assert_allclose(curve(one, one, np.array([0.3])), one[:, None])
        np.testing.assert_allclose(curve(one, 0 * one, np.array([0.5])), 0.5 * one[:, None])
    np.testing.assert_allclose(np.linalg.norm(slerp(one, other, np.array([0.5]))), 2)


@pytest.mark.parametrize(
    ("compounds", "options", "error"),
    [
        (["CCO"], {}, SettingsError),
        (["CCO", "x"], {}, MoleculeError),
        (["CCO", "CCN"], {"steps": 2}, SettingsError),
        (["CCO", "CCN"], {"path": "arc"}, SettingsError),
    ],
)
def test_a_path_that_cannot_be(model: molvae.MolVAE, compounds, options, error) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error):
        model.interpolate(compounds, **options)


def test_metrics_mean_what_they_say() -> None:
    smiles = ["CCO", "", "CCO", "C"]
    assert validity(smiles) == 0.75
    assert uniqueness(smiles) == 2 / 3
    assert novelty([*smiles, "CCO"], {"C"}) == novelty(smiles, {"C"}) == 0.5
    assert novelty(smiles, set(smiles)) == 0
    assert validity([]) == uniqueness([""]) == novelty([], set()) == 0


def test_the_report_measures_what_the_verbs_show(
    model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    table = sample.head(60)
    measured = model.report(table)
    back = measured.reconstruction
    assert back.molecules == 60
    assert back.exact_mean == model.reconstruct(table)["exact"].mean()
    assert back.exact_sampled == model.reconstruct(table, sample=True)["exact"].mean()
    assert 0 < back.active_units <= 32
    (head,) = measured.heads
    predicted = model.codec.predict(model.encode(table).mean)[:, 0]
    assert head.mae == pytest.approx(np.abs(predicted - table["logp"]).mean())
    blank = measure(
        model.codec,
        table["smiles"].tolist(),
        np.full((60, 1), np.nan),
        model.checkpoint.known,
        strings=9,
    )
    assert blank.heads == ()
    assert blank.prior.strings == 9
