"""Measuring a latent space on molecules that it wasn't trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from molvae.chem.identity import KnownMolecules
from molvae.codec import Encodings, NetworkCodec
from molvae.errors import TableError
from molvae.health.heads import measure_heads
from molvae.health.neighborhood import MOLECULES, measure_agreement, measure_falloff
from molvae.health.prior import COMPARED, measure_prior, measure_shifts
from molvae.health.reconstruction import (
    TrainingFit,
    measure_aggregate,
    measure_reconstruction,
    measure_training_fit,
)
from molvae.health.report import Report
from molvae.health.training import Training, spread
from molvae.health.verdict import judge

TRAINING_MOLECULES = 500
"""Training molecules that are enough to compare with: a share is known to 0.02."""


def measure(
    codec: NetworkCodec,
    held_out: Sequence[str],
    properties: np.ndarray,
    known: KnownMolecules,
    *,
    training: Training | None = None,
    training_fit: TrainingFit | None = None,
    strings: int = 2048,
    seed: int = 0,
) -> Report:
    """Measure a model on molecules that it wasn't trained on.

    All held-out molecules are reconstructed; what needs more decodes takes some of them.

    Args:
        codec: The model.
        held_out: SMILES.
        properties: What its heads predict, for the same molecules, (N, P), NaN for no value.
        known: The training molecules.
        training: What is known of its training.
        training_fit: The reconstruction of training molecules; see `fit_of`.
        strings: Strings drawn from the prior.
        seed: Of the draws; the same seed gives the same report.

    Raises:
        TableError: When the model can encode none of the molecules.
    """
    training = training or Training()
    encodings = _encoded(codec, held_out)
    rows = np.flatnonzero(encodings.usable)
    names = [encodings.smiles[row] for row in rows[spread(len(rows), COMPARED)]]
    prior, generated = measure_prior(codec, known, strings, seed)
    report = Report(
        reconstruction=measure_reconstruction(codec, encodings, seed),
        prior=prior,
        heads=measure_heads(codec, encodings, properties, training.labels),
        training=training_fit,
        aggregate=measure_aggregate(encodings.mean[rows], encodings.deviation[rows]),
        agreement=measure_agreement(codec, encodings.sample(seed)[rows], seed),
        falloff=measure_falloff(codec, encodings, rows[spread(len(rows), MOLECULES)], seed),
        shifts=measure_shifts(generated, names),
    )
    return dataclasses.replace(report, verdict=judge(report, training))


def fit_of(codec: NetworkCodec, molecules: Sequence[str], *, seed: int = 0) -> TrainingFit:
    """Reconstruct training molecules, SMILES; `TRAINING_MOLECULES` of them are enough.

    Raises:
        TableError: When the model can encode none of them.
    """
    return measure_training_fit(codec, _encoded(codec, molecules), seed)


def _encoded(codec: NetworkCodec, smiles: Sequence[str]) -> Encodings:
    encodings = codec.encode(smiles)
    if not encodings.usable.any():
        raise TableError(f"The model can encode no molecule; the first: {encodings.reasons[0]}.")
    return encodings
