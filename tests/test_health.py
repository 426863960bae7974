"""The report on a latent space: its numbers, and what it calls them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae import checkpoint as checkpoints
from molvae.guidance.trust import WEAK_R2
from molvae.health.measure import TRAINING_MOLECULES, fit_of, measure
from molvae.health.neighborhood import NOISES, same_pairs
from molvae.health.prior import SHIFTED, PriorSample, measure_shifts
from molvae.health.reconstruction import (
    Aggregate,
    Reconstruction,
    TrainingFit,
    dimensions_for,
    gaussian_kl,
    measure_aggregate,
)
from molvae.health.report import Finding, Report
from molvae.health.text import lines_of
from molvae.health.training import Training, spread
from molvae.health.verdict import RULES, judge


@pytest.fixture(scope="module")
def measured(model: molvae.MolVAE, sample: pd.DataFrame) -> Report:
    return report_of(model, sample)


def report_of(model: molvae.MolVAE, sample: pd.DataFrame, seed: int = 0) -> Report:
    held_out = sample.tail(40)
    return measure(
        model.codec,
        held_out["smiles"].tolist(),
        held_out[["logp"]].to_numpy(dtype=float),
        model.checkpoint.known,
        training=Training.of(model.checkpoint),
        training_fit=fit_of(model.codec, sample["smiles"].head(40).tolist()),
        strings=64,
        seed=seed,
    )


# What is measured.


def test_the_distance_to_the_prior_by_hand() -> None:
    """Two posteriors in two dimensions: means (1, 0) and (-1, 0), deviations (1, 0.5).

    The aggregate has covariance diag(1 + 1, 0 + 0.25):
    (2 + 0.25 + 0 - 2 - ln(2 * 0.25)) / 2 = (0.25 + 0.6931) / 2.
    """
    mean = np.array([[1.0, 0.0], [-1.0, 0.0]])
    deviation = np.array([[1.0, 0.5], [1.0, 0.5]])
    aggregate = measure_aggregate(mean, deviation)
    assert aggregate.kl == pytest.approx(0.5 * (0.25 + np.log(2)))
    assert aggregate.kl_of_mean == 0
    assert aggregate.floor == 2 * 5 / (4 * 2)
    moved = measure_aggregate(mean + np.array([0.0, 2.0]), deviation)
    assert moved.kl_of_mean == 2
    assert moved.kl == pytest.approx(aggregate.kl + 2)


def test_posteriors_equal_to_the_prior_lie_at_no_distance() -> None:
    assert measure_aggregate(np.zeros((1, 3)), np.ones((1, 3))).kl == pytest.approx(0)
    assert gaussian_kl(np.zeros(4), np.eye(4)) == 0


def test_the_floor_is_what_draws_from_the_prior_show() -> None:
    draws = np.random.default_rng(0).standard_normal((400, 20))
    aggregate = measure_aggregate(draws, np.full_like(draws, 1e-6))
    assert aggregate.kl == pytest.approx(aggregate.floor, rel=0.25)


def test_dimensions_that_carry_the_kl() -> None:
    assert dimensions_for(np.array([0.9, 0.1])) == 1
    assert dimensions_for(np.full(10, 0.1)) == 9
    assert dimensions_for(np.zeros(3)) == 1


def test_pairs_of_decodes() -> None:
    assert same_pairs(["CCO"] * 10) == 1
    assert same_pairs(["C", "CC", "CCC"]) == 0
    assert same_pairs(["C", "C", "", ""]) == pytest.approx(1 / 6)


def test_shifts_are_means_of_either_kind() -> None:
    shifts = {one.name: one for one in measure_shifts(["c1ccccc1", "CC"], ["C1CC1"])}
    assert tuple(shifts) == SHIFTED
    aromatic, heavy = shifts["aromatic_rings"], shifts["heavy_atoms"]
    assert (aromatic.generated, aromatic.held_out) == (0.5, 0)
    assert (heavy.generated, heavy.held_out) == (4, 3)
    assert measure_shifts([], ["C"])[0].generated is None


def test_places_are_spread() -> None:
    assert spread(5, 5).tolist() == [0, 1, 2, 3, 4]
    places = spread(10_000, TRAINING_MOLECULES)
    assert len(set(places.tolist())) == TRAINING_MOLECULES
    assert places[[0, -1]].tolist() == [0, 9_999]


def test_the_numbers_of_a_real_model_agree_with_each_other(measured: Report) -> None:
    back = measured.reconstruction
    assert len(back.rate_by_dimension) == back.latent_dim == 32
    assert sum(back.rate_by_dimension) == pytest.approx(back.rate)
    assert back.distortion_shuffled > back.distortion
    assert [step.noise for step in measured.falloff.steps] == list(NOISES)
    assert measured.falloff.steps[0].similarity > measured.falloff.steps[-1].similarity
    (head,) = measured.heads
    assert (head.molecules, head.labels) == (40, 380)
    assert head.too_weak_to_guide == (head.r2 < WEAK_R2)
    shift = next(one for one in measured.shifts if one.name == "heavy_atoms")
    assert 15 < shift.held_out < 28


def test_the_same_seed_gives_the_same_report(
    measured: Report, model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    assert report_of(model, sample) == measured
    assert report_of(model, sample, seed=1) != measured


def test_one_molecule_can_be_reported_on(model: molvae.MolVAE) -> None:
    blank = np.full((2, 1), np.nan)
    smiles = ["CCOc1ccccc1", "not a molecule"]
    report = measure(model.codec, smiles, blank, model.checkpoint.known, strings=8)
    assert report.reconstruction.distortion_shuffled is None
    assert report.falloff.strangers is None
    assert report.training is None
    assert lines_of(report.as_dict())


# What it is called.


def a_report(
    *,
    exact: float = 0.93,
    distortion: float = 1.1,
    shuffled: float = 60.0,
    rate: float = 45.0,
    active: int = 64,
    training_exact: float = 0.95,
    training_distortion: float = 1.0,
    novelty: float = 1.0,
    strict: float = 0.9,
    mismatch: float = 2.0,
    molecules: int = 2000,
) -> Report:
    """A healthy report of a latent of 64, unless told otherwise."""
    return Report(
        Reconstruction(
            molecules, exact, exact / 2, distortion, shuffled, rate, (rate / 64,) * 64, active, 64
        ),
        PriorSample(2048, "fitted", 0.5, strict, 1.0, 1.0, novelty),
        training=TrainingFit(500, training_exact, training_distortion, rate),
        aggregate=Aggregate(mismatch, 0.0, 0.5),
    )


SETTLED = Training(steps=10_000, best_step=7_000, epochs=20, beta=0.1)
FALLING = Training(steps=2_000, best_step=2_000, epochs=2.6, beta=0.1)
LOW = {"exact": 0.1, "distortion": 9.0, "training_exact": 0.1, "training_distortion": 9.0}

VERDICTS = {
    "healthy": (a_report(), SETTLED, ["healthy"]),
    "good though still falling": (a_report(), FALLING, ["healthy"]),
    "nothing known of training": (a_report(), Training(), ["healthy"]),
    # What eight minutes give: alive, half of the molecules come back, and more steps help.
    "eight minutes": (
        a_report(
            exact=0.484, distortion=4.98, rate=50.1, training_exact=0.49, training_distortion=4.9
        ),
        FALLING,
        ["undertrained"],
    ),
    "a living latent that the prior misses": (
        a_report(strict=0.17, mismatch=25.0),
        SETTLED,
        ["healthy", "prior misses"],
    ),
    # Strict all the same: whatever lies far from N(0, I) does no harm.
    "far, yet strict": (a_report(mismatch=25.0), SETTLED, ["healthy"]),
    "less than an epoch": (
        a_report(exact=0.7, training_exact=0.7),
        Training(steps=100, best_step=50, epochs=0.4),
        ["undertrained"],
    ),
    "low for no reason": (a_report(exact=0.4), Training(), ["memorising"]),
    "low on both": (a_report(exact=0.4, training_exact=0.4), SETTLED, ["undertrained"]),
    "no KL": (a_report(**LOW, rate=0.02), SETTLED, ["collapsed"]),
    "few units": (a_report(**LOW, active=3), SETTLED, ["collapsed"]),
    "ignored latent": (a_report(**LOW, shuffled=9.5), SETTLED, ["collapsed"]),
    "collapsed early": (a_report(**LOW, rate=0.02), FALLING, ["collapsed", "undertrained"]),
    "squeezed": (a_report(**LOW, rate=15), SETTLED, ["over-regularised"]),
    "squeezed by a large beta": (
        a_report(**LOW, rate=15),
        dataclasses.replace(FALLING, beta=1.0),
        ["over-regularised", "undertrained"],
    ),
    "known by heart": (a_report(exact=0.6), SETTLED, ["memorising"]),
    "likelier in training": (
        a_report(distortion=6.0, training_distortion=1.0),
        SETTLED,
        ["memorising"],
    ),
    # Sixteen molecules say less of a share than 0.25.
    "a gap by chance": (
        a_report(exact=0.8, training_exact=1.0, molecules=16),
        SETTLED,
        ["healthy"],
    ),
    # All molecules of a small chemical space are known ones.
    "a small space": (a_report(novelty=0.2), SETTLED, ["healthy"]),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdicts(case: str) -> None:
    report, training, names = VERDICTS[case]
    found = judge(report, training)
    assert [one.name for one in found] == names
    assert all(one.why and one.advice.endswith(".") for one in found)


def test_every_verdict_is_tried() -> None:
    tried = {name for _, _, names in VERDICTS.values() for name in names}
    assert tried == {*RULES, "healthy", "prior misses"}


def test_copies_are_named_beside_a_gap() -> None:
    (finding,) = judge(a_report(exact=0.6, novelty=0.2), SETTLED)
    assert "95% of training molecules come back, 60% of held-out ones" in finding.why
    assert "20% of what the prior gives is novel" in finding.why


def test_what_the_prior_misses_is_told_in_numbers() -> None:
    _, finding = judge(a_report(strict=0.17, mismatch=25.0), SETTLED)
    assert (
        finding.why == "17% of its strings needed no repair, the latents lie 25.0 nats from N(0, I)"
    )
    assert "trained for longer" in finding.advice


def test_a_large_beta_collapses_a_real_model(sample: pd.DataFrame) -> None:
    model = molvae.train(
        sample,
        split_column="split",
        size="small",
        steps=100,
        beta=10,
        beta_warmup=0,
        learning_rate=4e-3,
        batch_size=32,
        precision="fp32",
        quiet=True,
    )
    report = model.record["report"]
    assert report["verdict"][0]["name"] == "collapsed"
    assert "smaller --beta" in report["verdict"][0]["advice"]
    assert report["aggregate"]["kl"] < 0.1


def test_a_model_with_a_living_latent_is_not_called_collapsed(
    measured: Report, model: molvae.MolVAE
) -> None:
    for verdict in (
        [one.name for one in measured.verdict],
        [one["name"] for one in model.record["report"]["verdict"]],
    ):
        assert "collapsed" not in verdict
        assert verdict != ["healthy"]


def test_a_model_that_reconstructs_is_called_healthy() -> None:
    """Chains of carbon, nitrogen, oxygen and sulphur: few enough to be learned in seconds."""
    generator = np.random.default_rng(0)
    chains = {
        f"C{''.join(generator.choice(list('CNOS'), size))}C"
        for size in generator.integers(3, 6, 1500)
    }
    model = molvae.train(
        sorted(chains),
        held_out=0.2,
        size="small",
        steps=400,
        learning_rate=5e-3,
        batch_size=64,
        precision="fp32",
        quiet=True,
    )
    report = model.record["report"]
    assert report["reconstruction"]["exact_mean"] > 0.8
    assert [one["name"] for one in report["verdict"]] == ["healthy"]
    assert report["agreement"]["held_out"] > 0.2
    similarities = [step["similarity"] for step in report["falloff"]["steps"]]
    assert similarities == sorted(similarities, reverse=True)


# How it is shown and kept.


def test_a_report_is_plain_json(measured: Report) -> None:
    content = measured.as_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert isinstance(content["heads"], list)
    assert content["verdict"][0]["name"] == measured.verdict[0].name


def test_a_report_in_lines(measured: Report) -> None:
    text = "\n".join(lines_of(measured.as_dict()))
    assert text.startswith(f"verdict         {measured.verdict[0].name}: ")
    for part in (
        "of 32 carry 90% of it",
        "Tanimoto to start",
        "mean aromatic rings",
        "380 in train",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_weak_head_is_called_so(measured: Report) -> None:
    content = measured.as_dict()
    content["heads"][0].update(r2=0.12, too_weak_to_guide=True)
    assert any("too weak to guide" in line for line in lines_of(content))


def test_a_finding_reads_as_a_sentence() -> None:
    assert str(Finding("collapsed", "KL of 0 nats", "Do it.")) == "collapsed: KL of 0 nats. Do it."


OLD_REPORT = {
    "reconstruction": {
        "molecules": 20,
        "exact_mean": 0.5,
        "exact_sampled": 0.25,
        "distortion": 5.0,
        "rate": 50.0,
        "active_units": 32,
        "latent_dim": 32,
    },
    "prior": {
        "strings": 2048,
        "strict_share": 0.2,
        "validity": 1.0,
        "uniqueness": 1.0,
        "novelty": 1.0,
    },
    "heads": [{"name": "logp", "molecules": 20, "r2": 0.8, "mae": 0.3}],
}


@pytest.fixture
def old_folder(model: molvae.MolVAE, tmp_path: Path) -> Path:
    """A model whose report an older program wrote."""
    old = dataclasses.replace(
        model.checkpoint, record={**model.checkpoint.record, "report": OLD_REPORT}
    )
    checkpoints.save(old, tmp_path / checkpoints.FILE_NAME)
    return tmp_path


def test_old_reports_are_shown(cli, old_folder: Path, csv_file: Path) -> None:  # type: ignore[no-untyped-def]
    shown = cli("inspect", old_folder)
    assert shown.exit_code == 0, shown.output
    assert "50.0% from the mean" in shown.stdout
    assert "R2 0.800" in shown.stdout
    assert json.loads(cli("inspect", old_folder, "--json").stdout)["report"] == OLD_REPORT
    anew = cli("inspect", old_folder, "--data", csv_file)
    assert anew.exit_code == 0, anew.output
    assert "verdict         " in anew.stdout


def test_measuring_anew_keeps_what_is_known_of_training(
    cli,
    run_folder: Path,
    csv_file: Path,  # type: ignore[no-untyped-def]
) -> None:
    stored = json.loads(cli("inspect", run_folder, "--json").stdout)["report"]
    anew = json.loads(cli("inspect", run_folder, "--json", "--data", csv_file).stdout)["report"]
    assert anew["training"] == stored["training"]
    assert anew["reconstruction"]["molecules"] == 440


# Where heads guide.


@pytest.mark.parametrize(
    ("heads", "note"),
    [
        ([{"name": "logp", "r2": 0.12}], "The head for logp is too weak to guide: R2 0.12"),
        ([{"name": "logp", "r2": 0.9}], ""),
        ([], "never measured"),
    ],
)
def test_a_search_says_that_its_head_is_weak(
    model: molvae.MolVAE, heads: list[dict[str, object]], note: str
) -> None:
    told = molvae.MolVAE(dataclasses.replace(model.checkpoint, record={"report": {"heads": heads}}))
    found = told.optimize("logp:max", budget=5, method="gradient")
    # Another machine's rounding may let so short a search stall.
    notes = [one for one in found.notes if "stalled" not in one]
    assert bool(notes) == bool(note)
    assert note in "".join(notes)
    assert told.optimize("logp:max", budget=5).notes == ()


def test_optimize_prints_the_note(cli, model: molvae.MolVAE, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    weak = dataclasses.replace(
        model.checkpoint, record={"report": {"heads": [{"name": "logp", "r2": 0.1}]}}
    )
    checkpoints.save(weak, tmp_path / "model.safetensors")
    result = cli(
        "optimize", "-m", tmp_path, "--objective", "logp:max", "--method", "gradient", "--budget", 5
    )
    assert result.exit_code == 0, result.output
    assert "too weak to guide" in result.stderr
