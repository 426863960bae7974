"""What a run leaves: the model with its record and report, and files for people."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from molvae import files
from molvae.checkpoint import FILE_NAME, Checkpoint
from molvae.corpus.corpus import Corpus, Preparation
from molvae.corpus.reading import CHUNK
from molvae.corpus.splits import SPLIT_NAMES, TEST, TRAIN, VALID
from molvae.errors import OutputError
from molvae.health.measure import TRAINING_MOLECULES, fit_of, measure
from molvae.health.training import Training, spread
from molvae.latent.sources import strict_alone
from molvae.latent.typicality import JUDGES, LANDMARKS, typical_of
from molvae.model import MolVAE
from molvae.network.priors import StandardNormal
from molvae.run.base import Base
from molvae.run.course import Course
from molvae.run.curves import draw_curves
from molvae.run.folder import CURVES, HELD_OUT, LOG, REJECTS, RUN, RunFolder
from molvae.training.config import TrainingConfig
from molvae.training.priors import STEPS
from molvae.training.progress import Outcome


def checkpoint_of(
    preparation: Preparation, course: Course, outcome: Outcome, base: Base | None
) -> Checkpoint:
    """What a course came to."""
    corpus = course.corpus
    known = corpus.known() if base is None else base.checkpoint.known | corpus.known()
    record = _record(preparation, course.config, outcome)
    return Checkpoint(
        network=course.network,
        prior=StandardNormal(course.network.config.latent_dim),
        vocabulary=corpus.vocabulary,
        constraints=preparation.constraints,
        standard=preparation.standard,
        properties=course.scales,
        known=known,
        record=record if base is None else {**record, "base": base.facts()},
    )


def completed(model: MolVAE, course: Course) -> MolVAE:
    """The model with all that is fitted to its latents when its weights have come to rest.

    A prior gets no more steps than the network had: one that tried a single step is soon ready.
    """
    steps = STEPS if "base" in model.record else model.record["outcome"]["steps"]
    heads, priors = course.refit_heads(), course.fit_prior(steps)
    record: dict[str, Any] = {"priors": [asdict(fit) for fit in priors.fits]}
    if heads is not None:
        record["heads"] = asdict(heads)
    if share := strict_alone(model.codec):
        record["strict_alone"] = share
    old = model.checkpoint
    checkpoint = replace(old, prior=priors.best, record={**old.record, **record})
    return MolVAE(checkpoint, workers=model.workers, path=model.path)


def with_typical(model: MolVAE, corpus: Corpus) -> MolVAE:
    """The model, with what its later verb `score` compares molecules with."""
    chosen = [
        corpus.smiles(rows[spread(len(rows), count)])
        for rows, count in ((corpus.rows(TRAIN), LANDMARKS), (corpus.rows(VALID), JUDGES))
    ]
    typical = typical_of(model.codec, *chosen)
    checkpoint = replace(model.checkpoint, typical=typical)
    return MolVAE(checkpoint, workers=model.workers, path=model.path)


def put_report(model: MolVAE, corpus: Corpus, seed: int) -> None:
    """Put the report on the held-out molecules, if there are any, into the model's record."""
    rows = corpus.rows(VALID)
    if not len(rows):
        return
    trained = corpus.rows(TRAIN)
    seen = trained[spread(len(trained), TRAINING_MOLECULES)]
    measured = measure(
        model.codec,
        corpus.smiles(rows),
        corpus.store.numbers[rows],
        model.checkpoint.known,
        training=Training.of(model.checkpoint),
        training_fit=fit_of(model.codec, corpus.smiles(seen), seed=seed),
        seed=seed,
    )
    model.checkpoint.record["report"] = measured.as_dict()


def draw(folder: RunFolder, show: Callable[[str], None]) -> None:
    """Draw the curves; a model isn't worth less without them."""
    try:
        draw_curves(folder.path / LOG, folder.path / CURVES)
    except (OutputError, OSError, ValueError) as error:
        show(f"There is no picture of the curves: {error}")


def _record(preparation: Preparation, config: TrainingConfig, outcome: Outcome) -> dict[str, Any]:
    """What the checkpoint tells of its training: nothing that a clock or a machine decides."""
    how = asdict(outcome)
    del how["seconds"]
    return {
        "data": {
            **asdict(preparation.account),
            "fingerprint": preparation.corpus.fingerprint(),
            "train": len(preparation.corpus.rows(TRAIN)),
            "valid": len(preparation.corpus.rows(VALID)),
            "test": len(preparation.corpus.rows(TEST)),
        },
        "training": asdict(config),
        "outcome": how,
    }


def _write_held_out(path: Path, corpus: Corpus) -> None:
    """Write the molecules that the model didn't learn from, part by part."""
    places = corpus.rows(VALID, TEST)
    with (
        files.atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        for start in range(0, max(1, len(places)), CHUNK):
            some = places[start : start + CHUNK]
            numbers = dict(zip(corpus.property_names, corpus.store.numbers[some].T, strict=True))
            table = pd.DataFrame(
                {
                    "row": corpus.store.row[some],
                    "smiles": corpus.smiles(some),
                    "split": [SPLIT_NAMES[one] for one in corpus.split[some].tolist()],
                    **numbers,
                }
            )
            table.to_csv(stream, index=False, header=start == 0, lineterminator="\n")


def write(folder: Path, model: MolVAE, outcome: Outcome) -> None:
    """Write the model, and the facts of the run."""
    model.save(folder / FILE_NAME)
    facts = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "device": str(model.checkpoint.network.device),
        "threads": torch.get_num_threads(),
        "training_seconds": round(outcome.seconds, 1),
        "molecules_per_second": round(outcome.molecules / max(outcome.seconds, 1e-9), 1),
        **model.record,
    }
    files.write_text(folder / RUN, json.dumps(facts, indent=2, allow_nan=False) + "\n")


def write_tables(folder: Path, preparation: Preparation) -> None:
    """Write the rows that can't be used, and the molecules that were set apart."""
    preparation.rejects.write(folder / REJECTS)
    _write_held_out(folder / HELD_OUT, preparation.corpus)
