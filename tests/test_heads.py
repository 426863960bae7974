"""Heads fitted anew to the latents of a trained network."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import molvae
from molvae.chem.strings import PRESETS
from molvae.corpus.corpus import Corpus, prepare
from molvae.corpus.splits import TRAIN, VALID
from molvae.network.vae import SequenceVAE
from molvae.run import course as courses
from molvae.run.course import Course
from molvae.training.config import TrainingConfig
from molvae.training.heads import EPOCHS_UNJUDGED, HeadsFit

NAMES = ("logp", "mol_weight")


def revalued(smiles: list[str], values: np.ndarray) -> Corpus:
    """Molecules with other values, (N, P)."""
    names = NAMES[: values.shape[1]]
    table = pd.DataFrame({"smiles": smiles, **dict(zip(names, values.T, strict=True))})
    return prepare(table, property_names=names, held_out=0.2).corpus


def values_of(corpus: Corpus) -> np.ndarray:
    """The values of all molecules, (N, P)."""
    return corpus.properties(corpus.rows())


@pytest.fixture(scope="module")
def corpus(sample: pd.DataFrame) -> Corpus:
    """Molecules with logP and weight, in units of about 1."""
    rows = sample.head(380)
    values = rows[list(NAMES)].to_numpy()
    return revalued(rows["smiles"].tolist(), (values - values.mean(axis=0)) / values.std(axis=0))


def course_of(corpus: Corpus, model: molvae.MolVAE, seed: int = 0) -> Course:
    """The network of a trained model with two heads that have learned nothing."""
    trained = model.checkpoint.network
    torch.manual_seed(7)
    network = SequenceVAE(replace(trained.config, properties=2))
    weights = {
        name: tensor
        for name, tensor in trained.state_dict().items()
        if not name.startswith("heads.")
    }
    network.load_state_dict(weights, strict=False)
    config = TrainingConfig(seed=seed)
    return Course(network.eval(), corpus, (), PRESETS["default"], config, None, 1, True)


def fitted(course: Course) -> HeadsFit:
    fit = course.refit_heads()
    assert fit is not None
    return fit


def errors(course: Course, split: int) -> np.ndarray:
    """Squared error of the heads at posterior means, by property, (P,)."""
    squares = []
    for batch in course._labelled(split).epoch(0):
        with torch.no_grad():
            posterior = course.network.inference(
                torch.from_numpy(batch.token_ids), torch.from_numpy(batch.lengths)
            )
            predicted = course.network.predict(posterior.mean).numpy()
        squares.append(np.square(predicted - batch.properties))
    mean: np.ndarray = np.nanmean(np.concatenate(squares), axis=0)
    return mean


def blanked(corpus: Corpus, kept: dict[int, np.ndarray]) -> Corpus:
    """The corpus with values of the first property in these rows of each split only."""
    before = values_of(corpus)
    values = before.copy()
    values[:, 0] = np.nan
    for rows in kept.values():
        values[rows, 0] = before[rows, 0]
    return revalued(corpus.smiles(corpus.rows()), values)


def test_heads_learn_what_the_latents_hold(corpus: Corpus, model: molvae.MolVAE) -> None:
    course = course_of(corpus, model)
    before = copy.deepcopy(course.network.state_dict())
    untrained = errors(course, VALID)
    fit = fitted(course)
    # The model learned from logP alone; of the weight its latents hold little.
    assert (errors(course, VALID) < [0.6 * untrained[0], 0.95 * untrained[1]]).all()
    assert errors(course, VALID)[0] < 0.5  # the mean of the molecules would have 1
    labelled = len(corpus.rows(TRAIN))
    assert (fit.molecules, fit.labels) == (labelled, (labelled, labelled))
    assert fit.held_out == (len(corpus.rows(VALID)),) * 2
    assert 0 < fit.best_step <= fit.steps
    for name, tensor in course.network.state_dict().items():
        assert torch.equal(tensor, before[name]) != name.startswith("heads."), name


def test_the_seed_decides_the_heads(corpus: Corpus, model: molvae.MolVAE) -> None:
    weights = []
    for seed in (0, 0, 1):
        course = course_of(corpus, model, seed)
        torch.manual_seed(len(weights))  # what else draws numbers doesn't matter
        fitted(course)
        assert course.network.heads is not None
        weights.append(course.network.heads[0].weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_heads_that_are_best_stay(corpus: Corpus, model: molvae.MolVAE) -> None:
    """Held-out molecules choose among all heads seen, those at the start among them."""
    course = course_of(corpus, model)
    fitted(course)
    before = errors(course, VALID)
    again = fitted(course)
    ratio = (errors(course, VALID) + 0.01) / (before + 0.01)
    assert ratio.mean() <= 1 + 1e-6
    # Where nothing can be learned from the labels, nothing is taken from them.
    shuffled = values_of(corpus)
    rows = corpus.rows(TRAIN)
    shuffled[rows] = -shuffled[rows]
    misled = replace(course, corpus=revalued(corpus.smiles(corpus.rows()), shuffled))
    assert fitted(misled).best_step == 0 < again.steps


def test_without_held_out_molecules(corpus: Corpus, model: molvae.MolVAE) -> None:
    alone = replace(corpus, split=np.full_like(corpus.split, TRAIN))
    course = course_of(alone, model)
    untrained = errors(course, TRAIN)
    fit = fitted(course)
    assert (errors(course, TRAIN) < 0.8 * untrained).all()
    assert fit.held_out == (0, 0)
    assert fit.best_step == fit.steps
    assert fit.steps == EPOCHS_UNJUDGED * -(-len(alone) // 38)


def test_three_labels_and_none(corpus: Corpus, model: molvae.MolVAE) -> None:
    """A column with three values neither breaks the fit nor keeps the other from learning."""
    few = blanked(corpus, {TRAIN: corpus.rows(TRAIN)[:3], VALID: corpus.rows(VALID)[:1]})
    course = course_of(few, model)
    untrained = errors(course, VALID)
    fit = fitted(course)
    assert fit.labels == (3, len(corpus.rows(TRAIN)))
    assert fit.held_out == (1, len(corpus.rows(VALID)))
    assert errors(course, VALID)[1] < 0.95 * untrained[1]
    only = revalued(few.smiles(few.rows()), values_of(few)[:, :1])
    network = SequenceVAE(replace(course.network.config, properties=1)).eval()
    fit = fitted(replace(course, corpus=only, network=network))
    assert (fit.molecules, fit.labels, fit.held_out) == (3, (3,), (1,))
    assert all(weight.isfinite().all() for weight in network.parameters())


def test_a_scarce_property_loses_no_label_to_the_cap(
    corpus: Corpus, model: molvae.MolVAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courses, "ROWS", 50)
    few = blanked(corpus, {TRAIN: corpus.rows(TRAIN)[-3:]})
    labelled = course_of(few, model)._labelled(TRAIN)
    assert labelled.molecules == 50
    assert labelled.label_shares()[0] * 50 == pytest.approx(3)
    assert course_of(corpus, model)._labelled(TRAIN).molecules == 50


def test_few_labelled_molecules_are_drawn_often(corpus: Corpus, model: molvae.MolVAE) -> None:
    rows = corpus.rows(TRAIN)
    smiles, values = corpus.smiles(corpus.rows()), np.full_like(values_of(corpus), np.nan)
    values[rows[:60], 0] = 0.5
    values[corpus.rows(VALID)[0], 1] = 0.5  # a column has to have a number
    course = course_of(revalued(smiles, values), model)
    drawn = course.training()
    assert drawn.molecules == len(rows) + 60 * (round((len(rows) - 60) / 60) - 1)
    assert drawn.label_shares() == pytest.approx([0.5, 0], abs=0.05)
    values[rows[1:60], 0] = np.nan  # one label: it isn't learned by heart
    scarce = replace(course, corpus=revalued(smiles, values))
    assert scarce.training().molecules == len(rows) + 19
    never = replace(scarce, config=TrainingConfig(labelled_share=0.0))
    assert never.training().molecules == len(rows)
    assert course_of(corpus, model).training().molecules == len(rows)  # all are labelled


def test_the_record_tells_of_it(model: molvae.MolVAE, csv_file: Path, tmp_path: Path) -> None:
    told = model.record["heads"]
    assert (told["labels"], told["held_out"]) == ([380], [20])
    bare = molvae.train(csv_file, size="small", steps=2, report=False, quiet=True)
    assert "heads" not in bare.record
