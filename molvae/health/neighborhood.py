"""What lies around a latent: how sure the decoder is of it, and how its molecule changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from molvae.chem.strings import Decoded
from molvae.codec import Codec, Encodings
from molvae.health.reconstruction import aggregate_deviation
from molvae.metrics.description import fingerprints_of
from molvae.metrics.similarity import paired

DECODES, LATENTS = 10, 64
"""Decodes of one latent, and how many latents are decoded so often."""

MOLECULES = 256
"""Molecules that noise is added to."""

NOISES = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Sizes of the noise, in standard deviations of the aggregate posterior."""

_AGREEMENT, _NOISE = 1, 2
"""What tells the draws of one measure from those of another under the same seed."""


@dataclass(frozen=True)
class Agreement:
    """How far ten decodes at temperature 1 of one latent agree.

    1 when the latent decides the molecule; near 0 when the decoder decides by itself.

    Attributes:
        held_out: Share of the pairs of decodes that are the same molecule, for draws of
            held-out posteriors.
        prior: Likewise for draws of the prior.
    """

    held_out: float
    prior: float


@dataclass(frozen=True)
class NoiseStep:
    """Molecules decoded greedily from held-out posterior means with noise added.

    Attributes:
        noise: Its size, in standard deviations of the aggregate posterior by dimension.
        similarity: Mean Tanimoto (Morgan 2) to the molecule at the start; 0 for no molecule.
        strict_share: Share of the strings that needed no repair by SELFIES.
    """

    noise: float
    similarity: float
    strict_share: float


@dataclass(frozen=True)
class Falloff:
    """How similarity falls with distance in the latent space.

    Attributes:
        molecules: Molecules started from.
        steps: One a size of the noise, from none on.
        strangers: Mean Tanimoto of two held-out molecules, where the fall ends when nothing of
            the start is left; None for fewer than two.
    """

    molecules: int
    steps: tuple[NoiseStep, ...]
    strangers: float | None


def measure_agreement(codec: Codec, drawn: np.ndarray, seed: int) -> Agreement:
    """Decode latents again and again.

    Args:
        codec: The model.
        drawn: Draws of held-out posteriors, (N, D); the first 64 are used.
        seed: Of the prior's draws and of the decoder's.
    """
    return Agreement(
        held_out=_agreement(codec, drawn[:LATENTS], seed),
        prior=_agreement(codec, codec.draw(LATENTS, seed), seed),
    )


def same_pairs(names: Sequence[str]) -> float:
    """The share of pairs that are the same molecule; an empty one is like no other.

    >>> same_pairs(["C", "C", "C", "CC"]), same_pairs(["", ""])
    (0.5, 0.0)
    """
    pairs = len(names) * (len(names) - 1)
    return sum(names.count(one) - 1 for one in names if one) / pairs


def measure_falloff(codec: Codec, encodings: Encodings, places: np.ndarray, seed: int) -> Falloff:
    """Add noise to posterior means and see what they decode to.

    Args:
        codec: The model.
        encodings: Held-out molecules.
        places: Rows to start from, all usable, (M,), at least one.
        seed: Of the noise.
    """
    usable = encodings.usable
    scale = aggregate_deviation(encodings.mean[usable], encodings.deviation[usable])
    starts = fingerprints_of([encodings.smiles[place] for place in places])
    # The same direction at every size, so that the steps differ by the distance alone.
    noise = np.random.default_rng([seed, _NOISE]).standard_normal((len(places), len(scale)))
    steps = []
    for size in NOISES:
        latents = encodings.mean[places] + size * scale * noise  # (M, D)
        steps.append(_step(size, starts, codec.decode(latents.astype(np.float32))))
    strangers = float(paired(starts, np.roll(starts, 1, axis=0)).mean())
    return Falloff(len(places), tuple(steps), strangers if len(places) > 1 else None)


def _agreement(codec: Codec, latents: np.ndarray, seed: int) -> float:
    repeated = np.repeat(latents, DECODES, axis=0)  # (N * DECODES, D)
    decoder_seed = int(np.random.default_rng([seed, _AGREEMENT]).integers(2**32))
    decoded = codec.decode(repeated, temperature=1.0, seed=decoder_seed)
    names = [one.smiles for one in decoded]
    groups = [names[start : start + DECODES] for start in range(0, len(names), DECODES)]
    return float(np.mean([same_pairs(group) for group in groups]))


def _step(noise: float, starts: np.ndarray, decoded: Sequence[Decoded]) -> NoiseStep:
    there = np.array([bool(one.smiles) for one in decoded])
    found = fingerprints_of([one.smiles for one in decoded if one.smiles])
    similarities = paired(starts[there], found)
    strict = sum(one.strict for one in decoded)
    return NoiseStep(noise, float(similarities.sum()) / len(decoded), strict / len(decoded))
