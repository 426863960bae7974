"""Molecules generated under conditions on their properties."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae.chem.properties import compute_many
from molvae.chem.strings import Decoded
from molvae.codec import BLOCK
from molvae.errors import SettingsError
from molvae.guidance.conditions import Condition, Conditions, Likelihood, parsed, read
from molvae.guidance.desirability import Range, Target
from molvae.guidance.resampling import BLOCKS, confirmed, langevin, narrowed, weighed
from molvae.latent.outcomes import Fall
from molvae.latent.sources import Density, density_of, normal, prior_of


class Linear:
    """A codec with one head, ``slope * z[0]``, and N(0, I), that decodes to nothing."""

    latent_dim, property_names, knows_noise, strict_alone = 8, ("y",), True, 0.0

    def __init__(self, slope: float = 2.0) -> None:
        self._slope = slope

    def decode(self, latents: np.ndarray) -> list[Decoded]:
        return [Decoded("", False)] * len(latents)

    def predict(self, latents: np.ndarray) -> np.ndarray:
        return self._slope * latents[:, :1].astype(float)

    def slope(self, latents: np.ndarray, name: str) -> np.ndarray:
        slopes = np.zeros_like(latents)
        slopes[:, 0] = self._slope
        return slopes

    def log_density(self, latents: np.ndarray) -> np.ndarray:
        return -0.5 * (latents**2).sum(axis=1)

    def density_slope(self, latents: np.ndarray) -> np.ndarray:
        return -latents


def given(text: str, error: float = 0.0) -> Conditions:
    return read(text, Linear(), {"y": error})


@pytest.mark.parametrize(
    ("text", "aim"),
    [
        ("logp=2.5+-0.3", Target(2.5, 0.3)),
        (" logp = -2.5 ± 3e-1 ", Target(-2.5, 0.3)),
        ("logp=-1..3", Range((-1.0, 3.0))),
        ("logp > -1", Range((-1.0, math.inf))),
        ("logp<1e2", Range((-math.inf, 100.0))),
    ],
)
def test_conditions_are_read(text: str, aim: Target | Range) -> None:
    condition = parsed(text.strip())
    assert (condition.name, condition.aim) == ("logp", aim)


def test_the_name_of_a_column_may_be_odd() -> None:
    assert parsed("pIC50 (nM)>3").name == "pIC50 (nM)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("logp", "logp: It is no condition. A condition is NAME=VALUE"),
        ("", "'': It is no condition"),
        (">3", "no condition"),
        ("1<logp<3", "no condition"),
        ("logp>=3", "no condition"),
        ("logp=3", r"logp=3: Say how near, as in 3\+-WIDTH"),
        ("logp=", r"Say how near, as in VALUE\+-WIDTH"),
        ("logp=a+-1", "'a' is no number"),
        ("logp>", "'' is no number"),
        ("logp>inf", "a number, not inf"),
        ("logp=1+-0", "width is a number above 0"),
        ("logp=3..1", "The lower bound comes first"),
        ("logp=3..3", r"Between 3 and 3 lies nothing. Say 3\+-WIDTH"),
        ("logpp>1", "no head for 'logpp'. Did you mean 'logp'. Train one with --property logpp"),
        ("qed>0.8", "no head for 'qed'. Known: logp. Train one with --property qed"),
        ("logp=0...3", "logp=0...3: '0...3': two dots stand between numbers"),
        (["logp>1", "logp<3"], r"logp<3: logp has a condition already.* logp=LOW..HIGH"),
    ],
)
def test_what_is_no_condition_is_refused(
    model: molvae.MolVAE, text: str | list[str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        model.generate(1, where=[text] if isinstance(text, str) else text)


@pytest.mark.parametrize("text", ["qed>1.1", "qed=-2..-1", "qed=1.2+-0.1"])
def test_what_no_molecule_meets_is_refused(text: str) -> None:
    codec = Linear()
    codec.property_names = ("qed",)
    with pytest.raises(SettingsError, match=r"qed is from 0 to 1"):
        read(text, codec)  # type: ignore[arg-type]
    assert len(read("qed>0.9", codec).each) == 1  # type: ignore[arg-type]


def test_settings_that_leave_nothing_to_choose_are_refused(model: molvae.MolVAE) -> None:
    with pytest.raises(SettingsError, match="At noise 1 nothing of a latent is left"):
        model.generate(1, where="logp>3", noise=1.0)
    with pytest.raises(SettingsError, match="At prior_temperature 0 all latents are the same"):
        model.generate(1, where="logp>3", prior_temperature=0.0)


@pytest.mark.parametrize("text", ["y=1.5+-0.4", "y=0.5..1.2", "y>0.7", "y<-0.3"])
def test_the_error_of_a_head_widens_a_condition(text: str) -> None:
    error, predicted = 0.6, np.array([-2.0, 0.0, 0.9, 2.5])
    condition = Condition("y", parsed(text).aim, error)
    values = np.linspace(-12, 12, 200_001)
    densities = np.exp(-0.5 * ((values - predicted[:, None]) / error) ** 2)
    averages = (condition.aim.of(values) * densities).sum(axis=1)
    found = condition.likelihood(predicted)
    np.testing.assert_allclose(
        found.nats - found.nats[0], np.log(averages) - np.log(averages[0]), atol=1e-3
    )
    rise = condition.likelihood(predicted + 1e-4).nats - condition.likelihood(predicted - 1e-4).nats
    np.testing.assert_allclose(found.slope, rise / 2e-4, rtol=1e-4, atol=1e-6)


def test_far_away_a_condition_still_tells_the_way() -> None:
    found = Condition("y", parsed("y=1..2").aim, 0.1).likelihood(np.array([-40.0, 43.0]))
    assert np.isfinite(found.nats).all()
    np.testing.assert_allclose(found.slope, [4100, -4100], rtol=1e-3)


def test_without_an_error_a_range_is_hard() -> None:
    found = Condition("y", parsed("y>1").aim).likelihood(np.array([0.9, 1.0, 5.0]))
    assert found.nats.tolist() == [-np.inf, 0, 0]
    assert found.slope.tolist() == [0, 0, 0]


def moments(text: str, error: float, density: Density | None) -> tuple[float, float]:
    """Mean and deviation of z[0] of latents that meet a condition."""
    source = narrowed(Linear(), given(text, error), normal(8), density)
    latents = source(24 * BLOCK, 3, 0)
    assert latents.shape == (24 * BLOCK, 8)
    assert latents.dtype == np.float32
    assert latents[:, 1:].std() == pytest.approx(1, abs=0.03)
    return float(latents[:, 0].mean()), float(latents[:, 0].std())


@pytest.mark.parametrize("has_density", [False, True])
def test_latents_are_drawn_from_the_posterior(has_density: bool) -> None:
    density = density_of("normal", Linear()) if has_density else None
    # y = 2 z and 1.5 = y + N(0, 0.3^2 + 0.4^2): precision 1 + 4 / 0.25, mean 2 * 1.5 / 0.25 / 17.
    mean, deviation = moments("y=1.5+-0.3", 0.4, density)
    assert mean == pytest.approx(12 / 17, abs=0.015)
    assert deviation == pytest.approx(17**-0.5, abs=0.015)
    # z > 1: of N(0, 1), the mean of which above 1 is 1.525 and the deviation 0.446.
    mean, deviation = moments("y>2", 0.0, density)
    assert mean == pytest.approx(1.525, abs=0.03)
    assert deviation == pytest.approx(0.446, abs=0.03)


def test_steps_part_what_was_drawn_several_times() -> None:
    # z = 5 +- 0.05: one draw of N(0, 1) in three million comes so far.
    conditions = given("y=10+-0.1")
    density = density_of("normal", Linear())
    weighty = weighed(Linear(), conditions, normal(8), 0, 0)
    assert len(weighty.latents) == BLOCK * BLOCKS
    assert weighty.effective < 3
    alike = narrowed(Linear(), conditions, normal(8), None)(BLOCK, 0, 0)
    apart = narrowed(Linear(), conditions, normal(8), density)(BLOCK, 0, 0)
    assert len(np.unique(alike, axis=0)) < 5
    assert len(np.unique(apart, axis=0)) > 0.9 * BLOCK
    assert apart[:, 0].mean() > alike[:, 0].mean() + 0.3


def test_steps_keep_a_distribution() -> None:
    density = density_of("normal", Linear(), 0.5)
    assert density is not None
    random = np.random.default_rng(0)
    begun = 0.5 * random.standard_normal((4000, 8)).astype(np.float32)
    ended = langevin(density, begun, random)
    assert ended.std() == pytest.approx(0.5, abs=0.01)
    assert np.abs(ended - begun).mean() > 0.3


def test_a_density_is_known_where_draws_follow_it(model: molvae.MolVAE) -> None:
    latents = model.codec.draw(4, 0)
    step = np.zeros_like(latents)
    step[:, 2] = 0.01
    for name, temperature in (("fitted", 1.0), ("normal", 0.7)):
        density = density_of(name, model.codec, temperature)
        assert density is not None
        rise = density.log_prob(latents + step) - density.log_prob(latents - step)
        np.testing.assert_allclose(rise / 0.02, density.slope(latents)[:, 2], rtol=0.05, atol=0.02)
    assert density_of("echo", model.codec) is None
    assert density_of("fitted", model.codec, 0.7) is None


def test_what_no_latent_meets_is_told() -> None:
    with pytest.raises(SettingsError, match=r"none of 16,384 latents meets y>20\. Widen"):
        weighed(Linear(), given("y>20"), normal(8), 0, 0)


def test_an_echo_is_narrowed(model: molvae.MolVAE, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molvae.guidance.resampling.BLOCKS", 1)
    source = cache(prior_of("echo", model.codec))
    high, low = (read(one, model.codec, model._head_errors()) for one in ("logp>3", "logp<2"))
    latents = narrowed(model.codec, high, source, None)(BLOCK, 4, 0)
    others = narrowed(model.codec, low, source, None)(BLOCK, 4, 0)
    plain = source(BLOCK, 4, 0)
    above, below, without = (model.codec.predict(one).mean() for one in (latents, others, plain))
    assert above > without + 0.1  # one way or the other the heads of a small model may be weak
    assert above > below + 0.4
    assert len(np.unique(latents, axis=0)) > 0.2 * BLOCK


def test_molecules_have_the_last_word(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    conditions = read("logp=2.5+-0.3", model.codec, model._head_errors())
    latents = model.encode(sample["smiles"].head(512)).mean
    weights = confirmed(model.codec, conditions, latents).weights
    molecules = model.codec.decode(latents)
    logp = np.array([one["logp"] for one in compute_many([m.smiles for m in molecules], ["logp"])])
    heads = np.exp(conditions.log_likelihood(model.codec, latents))
    expected = np.exp(-0.5 * ((logp - 2.5) / 0.3) ** 2) / heads
    np.testing.assert_allclose(weights, expected / expected.sum(), rtol=1e-6)
    assert np.isneginf(conditions.log_likelihood_of(model.codec, [""])).all()


@pytest.mark.parametrize("prior", ["fitted", "normal"])
def test_molecules_follow_a_condition(model: molvae.MolVAE, prior: str) -> None:
    low, high = (
        model.generate(100, where=text, strict=False, seed=1, prior=prior)
        for text in ("logp<0.5", "logp>4.5")
    )
    (fall_low,), (fall_high,) = low.outcomes, high.outcomes
    assert fall_low.quantity == "logp"
    assert fall_low.plain.mean == fall_high.plain.mean
    assert fall_low.given.mean < fall_low.plain.mean < fall_high.given.mean
    assert fall_high.given.mean - fall_low.given.mean > 0.3 * fall_low.plain.deviation
    assert fall_low.given.inside > fall_low.plain.inside


def test_a_fall_is_that_of_the_molecules(model: molvae.MolVAE) -> None:
    found = model.generate(40, where="logp=2.5+-0.3", strict=False)
    logp = np.array([one["logp"] for one in compute_many(found.table["smiles"], ["logp"])])
    (outcome,) = found.outcomes
    assert outcome.given == Fall(
        40,
        pytest.approx(logp.mean()),
        pytest.approx(logp.std()),
        pytest.approx((np.abs(logp - 2.5) <= 0.3).mean()),
    )
    assert outcome.plain.molecules == 128
    assert str(outcome) in found.notes
    assert set(found.table["where"]) == {"logp=2.5+-0.3"}
    assert set(found.table["noise"]) == {0.0}
    plain = model.generate(128, strict=False, noise=0.0)
    assert "where" not in plain.table
    assert plain.outcomes == ()
    assert outcome.plain.mean == pytest.approx(plain.table["logp"].mean())


def test_the_held_out_error_is_that_of_the_record(model: molvae.MolVAE) -> None:
    (head,) = model.record["report"]["heads"]
    assert model._head_errors() == {"logp": pytest.approx(head["mae"] * math.sqrt(math.pi / 2))}


def test_the_same_seed_gives_the_same_molecules_whatever_the_batch(model: molvae.MolVAE) -> None:
    one, two, three = (
        model.generate(count, where="logp>3", strict=False, seed=5, batch_size=size).table
        for count, size in ((300, BLOCK), (300, 5000), (20, 1))
    )
    pd.testing.assert_frame_equal(one, two)
    pd.testing.assert_frame_equal(one.head(20), three)
    other = model.generate(20, where="logp>3", strict=False, seed=6).table
    assert set(other["smiles"]) != set(three["smiles"])


def test_molecules_like_others_follow_a_condition(
    model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    like = sample["smiles"].head(30).tolist()
    found = model.generate(100, where="logp>3", like=[*like, "no molecule"], strict=False)
    assert set(found.table["prior"]) == {"like"}
    assert found.notes[0].startswith("1 of 31 molecules to be like can't be used")
    (outcome,) = found.outcomes
    assert outcome.given.mean > outcome.plain.mean


def test_what_only_the_head_knows_is_told_as_predicted(sample: pd.DataFrame) -> None:
    table = sample.head(60).rename(columns={"logp": "assay"})
    own = molvae.train(table, properties=["assay", "tpsa"], size="small", steps=20, quiet=True)
    settings = {"strict": False, "novel": False, "seed": 2}
    found = own.generate(10, where=["assay>2", "tpsa=20..80"], **settings)
    assay, tpsa = found.outcomes
    assert (assay.quantity, tpsa.quantity) == ("predicted_assay", "tpsa")
    encodings = own.encode(found.table)
    predicted = own.codec.predict(encodings.mean[encodings.usable])[:, 0]
    assert assay.given.mean == pytest.approx(predicted.mean())
    assert set(found.table["where"]) == {"assay>2, tpsa=20..80"}
    assert any("predicted_assay has mean" in note for note in found.notes)


def test_molecules_without_a_value_do_not_count() -> None:
    fall = Fall.of(np.array([1.0, np.nan, 3.0]), np.array([True, False, False]))
    assert fall == Fall(2, 2.0, 1.0, 0.5)
    assert str(Fall.of(np.array([]), np.array([]))) == "no molecule"


def test_the_likelihood_of_several_is_their_product() -> None:
    latents = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)
    both = Conditions((Condition("y", Target(1, 0.5)), Condition("y", Range((0, 3)), 0.5)))
    parts: list[Likelihood] = [one.likelihood(Linear().predict(latents)[:, 0]) for one in both.each]
    np.testing.assert_allclose(
        both.log_likelihood(Linear(), latents), parts[0].nats + parts[1].nats
    )
    np.testing.assert_allclose(
        both.slope(Linear(), latents)[:, 0], 2 * (parts[0].slope + parts[1].slope)
    )


def test_the_command_line(cli, run_folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "found.csv"
    common = ("generate", "-m", run_folder, "-n", 10, "--keep-repaired")
    result = cli(*common, "--where", "logp=2.5+-0.5", "-o", target)
    assert result.exit_code == 0
    assert "logp=2.5+-0.5: logp has mean" in result.stderr
    assert "without conditions mean" in result.stderr
    assert set(pd.read_csv(target)["where"]) == {"logp=2.5+-0.5"}
    refused = cli(*common, "--where", "qed>0.8")
    assert refused.exit_code == 2
    assert "no head for 'qed'. Known: logp. Train one with --property qed." in refused.stderr
