"""How typical of the training set molecules are: their likelihood, and how unusual that is.

The *surprise* of a molecule is -log p(x | z) - log p(z) + log q(z | x) at its posterior mean, in
nats. Longer strings surprise more, so an outlier score is the surprise beyond what is expected of a
string of that many tokens. It needs no draw and one pass of the decoder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.checkpoint import Typical
from molvae.chem.identity import KnownMolecules, hash_of
from molvae.codec import Codec, Encodings
from molvae.training.posteriors import FEWEST_JUDGES

SAMPLES = 32
"""Draws of each posterior by default."""

LANDMARKS, JUDGES = 4_000, 2_000
"""Training molecules whose latents a model keeps, and held-out ones whose scores it keeps."""

ROWS = 2_048
"""Rows scored at a time: each is decoded many times over."""

_COMPARED = 1_024
"""Latents compared with the landmarks at a time."""


@dataclass(frozen=True)
class Likelihoods:
    """What draws of the posteriors say of molecules, each (N,) float64, in nats.

    Attributes:
        distortion: -log p(x | z), averaged over the draws.
        kl: Log q(z | x) - log p(z), averaged over the draws.
        bound: The importance-weighted lower bound on log p(x) of Burda et al. (2016,
            arXiv:1509.00519). With one draw it is -(distortion + kl), with more it is never below.
    """

    distortion: np.ndarray
    kl: np.ndarray
    bound: np.ndarray


def likelihoods(
    codec: Codec, encodings: Encodings, *, samples: int = SAMPLES, seed: int = 0
) -> Likelihoods:
    """Weigh draws of the posterior of each molecule.

    The draws of a molecule depend on the seed and on its SMILES, on nothing beside it.

    Args:
        codec: Of the model.
        encodings: Usable molecules, N of them.
        samples: Draws of each.
        seed: Of the draws.
    """
    samples, seed = checks.count("samples", samples), checks.seed(seed)
    generators = [np.random.default_rng([seed, hash_of(one)]) for one in encodings.smiles]
    count, width = encodings.mean.shape
    distortion, kl, weight = np.zeros(count), np.zeros(count), np.full(count, -np.inf)
    noise = np.empty((count, width), dtype=np.float32)
    for _ in range(samples):
        for row, generator in enumerate(generators):
            generator.standard_normal(dtype=np.float32, out=noise[row])
        nats, rate = _terms(codec, encodings, noise)
        distortion += nats
        kl += rate
        weight = np.logaddexp(weight, -nats - rate)
    return Likelihoods(distortion / samples, kl / samples, weight - math.log(samples))


def surprise(codec: Codec, encodings: Encodings) -> np.ndarray:
    """Of usable molecules, in nats, (N,) float64; what it is stands at the head of this file."""
    nats, rate = _terms(codec, encodings, np.zeros_like(encodings.mean))
    nats += rate
    return nats


def outlier_scores(codec: Codec, encodings: Encodings, expected: np.ndarray) -> np.ndarray:
    """Surprise beyond what is expected of strings of as many tokens.

    Args:
        codec: Of the model.
        encodings: Usable molecules.
        expected: The surprise at no token, and for each one more, in nats, (2,).

    Returns:
        In nats, (N,) float64.
    """
    start, slope = expected
    beyond: np.ndarray = surprise(codec, encodings) - (start + slope * _tokens(encodings))
    return beyond


def distances(latents: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """From latents, (N, D), to the nearest landmark of each, one or more (M, D): (N,) float64."""
    landmarks = landmarks.astype(np.float32)
    halves = 0.5 * (landmarks**2).sum(axis=1)
    found = np.empty(len(latents))
    for start in range(0, len(latents), _COMPARED):
        some = latents[start : start + _COMPARED]
        nearest = landmarks[(some @ landmarks.T - halves).argmax(axis=1)]
        # Not by the product, which has lost the digits of a small distance.
        found[start : start + _COMPARED] = np.linalg.norm(some - nearest, axis=1)
    return found


def _terms(codec: Codec, encodings: Encodings, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """-log p(x | z), and log q(z | x) - log p(z), at draws of the posteriors made of noise.

    Args:
        codec: Of the model.
        encodings: Usable molecules.
        noise: Standard normal numbers, (N, D) float32.

    Returns:
        In nats, each (N,) float64.
    """
    latents = encodings.mean + encodings.deviation * noise
    scaled = np.log(encodings.deviation.astype(float) * math.sqrt(2 * math.pi))
    posterior = -(scaled + 0.5 * noise.astype(float) ** 2).sum(axis=1)
    nats = codec.distortion(encodings, latents).astype(float)
    return nats, posterior - codec.log_density(latents)


def typical_of(codec: Codec, training: Sequence[str], held_out: Sequence[str]) -> Typical:
    """What a model keeps of its training set to tell outliers by.

    Args:
        codec: Of the model.
        training: SMILES of training molecules, whose latents are kept.
        held_out: SMILES of molecules that the model wasn't trained on, whose scores are kept; of
            fewer than `FEWEST_JUDGES` none is.
    """
    landmarks = _usable(codec, training).mean.astype(np.float16)
    judges = _usable(codec, held_out)
    if len(judges.smiles) < FEWEST_JUDGES:
        return Typical(landmarks, np.empty(0, dtype=np.float32), np.zeros(2))
    expected = _line(_tokens(judges), surprise(codec, judges))
    scores = np.sort(outlier_scores(codec, judges, expected)).astype(np.float32)
    return Typical(landmarks, scores, expected)


def remark(typical: Typical | None) -> str:
    """What a model lacks to tell outliers, and how to get it; empty when it lacks nothing."""
    if typical is None:
        return (
            "The model keeps nothing to compare with: nearest_training and outlier are empty. "
            "It is stored when training ends: `molvae train DATA -o FOLDER --from MODEL`."
        )
    if not len(typical.scores):
        return (
            f"Fewer than {FEWEST_JUDGES} molecules were held out in training, so outlier is empty: "
            "train with more."
        )
    return ""


def score(
    codec: Codec,
    texts: Sequence[str],
    encodings: Encodings,
    known: KnownMolecules,
    typical: Typical | None,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Score molecules, a row each; see `molvae.model.MolVAE.score` for the columns.

    Args:
        codec: Of the model.
        texts: The molecules as they were given.
        encodings: The molecules as the model sees them.
        known: The training molecules.
        typical: What the model keeps of its training set, if it does.
        samples: Draws of each posterior.
        seed: Of the draws.
    """
    there = np.flatnonzero(encodings.usable)
    molecules = encodings.taken(there)
    found = likelihoods(codec, molecules, samples=samples, seed=seed)
    numbers = pd.DataFrame(
        {
            "distortion": found.distortion,
            "kl": found.kl,
            "log_likelihood": found.bound,
            "density": codec.log_density(molecules.mean),
            "nearest_training": float("nan"),
            "outlier": float("nan"),
            **_compared(codec, molecules, typical),
        },
        index=there,
        dtype=float,
    ).reindex(range(len(texts)))
    back = [one.smiles for one in codec.decode(encodings.mean)]
    pairs = zip(encodings.smiles, back, strict=True)
    table = pd.DataFrame({"input": texts, "smiles": encodings.smiles}).join(numbers)
    return table.assign(
        exact=[bool(one) and one == other for one, other in pairs],
        known=[bool(one) and one in known for one in encodings.smiles],
        steps=[", ".join(steps) for steps in encodings.steps],
        flattened=encodings.flattened,
        reason=encodings.reasons,
        seed=seed,
    )


def _usable(codec: Codec, smiles: Sequence[str]) -> Encodings:
    encodings = codec.encode(smiles)
    return encodings.taken(np.flatnonzero(encodings.usable))


def _tokens(encodings: Encodings) -> np.ndarray:
    """Tokens of each molecule, (N,) float64."""
    return np.array([len(one) for one in encodings.tokens], dtype=float)


def _line(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The straight line of least squares: its value at 0 and its slope, (2,) float64."""
    centred = places - places.mean()
    spread = centred @ centred
    slope = centred @ values / spread if spread else 0.0
    return np.array([values.mean() - slope * places.mean(), slope])


def _compared(codec: Codec, molecules: Encodings, typical: Typical | None) -> dict[str, np.ndarray]:
    """The columns that tell how far from the training set molecules are, where that is kept."""
    columns = {}
    if typical is not None and len(typical.landmarks):
        columns["nearest_training"] = distances(molecules.mean, typical.landmarks)
    if typical is not None and len(typical.scores):
        scores = outlier_scores(codec, molecules, typical.expected).astype(np.float32)
        below = np.searchsorted(typical.scores, scores)
        columns["outlier"] = 100 * below / len(typical.scores)
    return columns
