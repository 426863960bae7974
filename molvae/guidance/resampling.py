"""Latents of a source, given conditions on properties.

Draws of a source are weighed by the likelihood of the conditions and drawn again by their weights
(sampling-importance resampling: Smith and Gelfand, 1992, doi:10.1080/00031305.1992.10475856).
Where the source has a density, each then takes steps of Langevin dynamics that keep the
distribution (MALA: Roberts and Tweedie, 1996, doi:10.2307/3318418), so that latents drawn
several times part, and those of a rare condition come nearer to it. So far the heads decide,
which err. So more latents are kept than are wanted, and drawn once more, by what is computed of the
molecules that they decode to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from molvae.codec import BLOCK, Codec
from molvae.guidance.conditions import Conditions
from molvae.latent.sources import Density, Latents
from molvae.settings import require

BLOCKS = 64
"""Blocks of the source that are drawn for each block given, at most."""

KEPT = 4
"""Latents that are decoded, to be looked at, for each one that is given."""

STEPS, STEP = 20, 0.2
"""Steps of Langevin dynamics, and the deviation of their noise at first, in latent units."""

ACCEPTED = 0.574
"""The best share of steps to accept (Roberts and Rosenthal, 1998, doi:10.1111/1467-9868.00123)."""

_RESAMPLED = 12
"""What tells the random numbers of a block from those of other sources under the same seed."""


@dataclass(frozen=True)
class Weighed:
    """Draws of a source.

    Attributes:
        latents: (N, D).
        weights: How likely they meet the conditions, in proportion; they sum to 1, or are all 0
            where none can, (N,).
    """

    latents: np.ndarray
    weights: np.ndarray

    @classmethod
    def by(cls, latents: np.ndarray, nats: np.ndarray) -> Weighed:
        """By the logs of the weights, (N,), up to a constant."""
        highest = nats.max(initial=-np.inf)
        weights = np.exp(nats - highest) if np.isfinite(highest) else np.zeros(len(nats))
        return cls(latents, weights / max(1.0, weights.sum()))

    @property
    def effective(self) -> float:
        """How many draws from the wanted distribution they are worth.

        >>> Weighed.by(np.zeros((4, 2)), np.log([0.2, 0.2, 0.2, 1e-9])).effective
        3.0...
        """
        squares = float((self.weights**2).sum())
        return 1 / squares if squares else 0.0

    def resampled(self, count: int, random: np.random.Generator) -> np.ndarray:
        """So many of them, each about as often as its weight says, (count, D).

        Systematically: one number decides, and none comes more than once more than its share.
        """
        sums = np.cumsum(self.weights)
        shares = (np.arange(count) + random.random()) / count
        places = np.searchsorted(sums, shares * sums[-1], side="right")
        taken: np.ndarray = self.latents[places]
        return taken


def narrowed(
    codec: Codec,
    conditions: Conditions,
    source: Latents,
    density: Density | None,
    *,
    on_block: Callable[[int, Weighed], object] = lambda block, found: None,
) -> Latents:
    """A source of the latents of another one that meet conditions, in proportion.

    A block is made of draws of its own, so it depends on the seed and its number alone.

    Args:
        codec: The model.
        conditions: What is wanted.
        source: Where the latents come from.
        density: Of the source, where it is known.
        on_block: Told of each block what it was made of.
    """

    def drawn(count: int, seed: int, first_block: int) -> np.ndarray:
        blocks = range(first_block, first_block + -(-count // BLOCK))
        return np.concatenate([of_block(seed, block) for block in blocks])[:count]

    def of_block(seed: int, block: int) -> np.ndarray:
        random = np.random.default_rng([seed, block, _RESAMPLED])
        found = weighed(codec, conditions, source, seed, block)
        on_block(block, found)
        latents = found.resampled(KEPT * BLOCK, random)
        if density is not None:
            latents = langevin(_given(conditions, codec, density), latents, random)
        return confirmed(codec, conditions, latents).resampled(BLOCK, random)

    return drawn


def weighed(
    codec: Codec, conditions: Conditions, source: Latents, seed: int, block: int
) -> Weighed:
    """Draw blocks of a source until the draws are worth one, `BLOCKS` at most.

    Args:
        codec: The model.
        conditions: What the draws are weighed by.
        source: Where they come from.
        seed: Of the draws.
        block: The number of the block that is to be made of them.

    Raises:
        SettingsError: When none of them meets the conditions.
    """
    latents = np.empty((0, codec.latent_dim), dtype=np.float32)
    nats = np.empty(0)
    for drawn in range(block * BLOCKS, (block + 1) * BLOCKS):
        more = source(BLOCK, seed, drawn)
        more = more[np.isfinite(more).all(axis=1)]
        latents = np.concatenate([latents, more])
        nats = np.concatenate([nats, conditions.log_likelihood(codec, more)])
        found = Weighed.by(latents, nats)
        if found.effective >= BLOCK:
            break
    require(
        found.effective > 0,
        f"By the heads of the model none of {len(latents):,} latents meets {conditions}. Widen it.",
    )
    return found


def confirmed(codec: Codec, conditions: Conditions, latents: np.ndarray) -> Weighed:
    """Weigh latents, drawn by what heads say, by what is computed of the molecules they decode to.

    Where none of these meets the conditions, the heads have the last word.

    Args:
        codec: The model.
        conditions: What is wanted.
        latents: (N, D).
    """
    molecules = [one.smiles for one in codec.decode(latents)]
    met = conditions.log_likelihood_of(codec, molecules)
    if np.isneginf(met).all():
        return Weighed.by(latents, np.zeros(len(latents)))
    return Weighed.by(latents, met - conditions.log_likelihood(codec, latents))


def langevin(target: Density, latents: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Move latents by `STEPS` steps that keep their distribution.

    The length of the steps is adapted until so many are accepted as is best.

    Args:
        target: Their distribution.
        latents: (N, D) float32.
        random: Of the steps.

    Returns:
        (N, D) float32.
    """
    nats, slope = target.log_prob(latents), target.slope(latents)
    step = STEP
    for _ in range(STEPS):
        noise = random.standard_normal(latents.shape, dtype=np.float32)
        # A flow may have no finite slope where it never saw a latent; no step ends there.
        with np.errstate(over="ignore", invalid="ignore"):
            there = (latents + step**2 / 2 * slope + step * noise).astype(np.float32)
            nats_there, slope_there = target.log_prob(there), target.slope(there)
            back = (latents - there - step**2 / 2 * slope_there) / step
            gain = nats_there - nats + 0.5 * (noise**2 - back**2).sum(axis=1)
        taken = np.log(random.random(len(latents))) < gain
        latents = np.where(taken[:, None], there, latents)
        slope = np.where(taken[:, None], slope_there, slope)
        nats = np.where(taken, nats_there, nats)
        step *= float(np.exp(taken.mean() - ACCEPTED))
    return latents


def _given(conditions: Conditions, codec: Codec, density: Density) -> Density:
    """A density, given conditions."""
    return Density(
        lambda latents: density.log_prob(latents) + conditions.log_likelihood(codec, latents),
        lambda latents: density.slope(latents) + conditions.slope(codec, latents),
    )
