"""Where latents come from: a prior, molecules that the decoder writes by itself, or given ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from molvae import settings as checks
from molvae.chem.strings import Decoded
from molvae.codec import BLOCK, Codec

Latents = Callable[[int, int, int], np.ndarray]
"""Gives latents, (N, D): how many, the seed, and the number of the first block of them."""

FITTED, NORMAL, ECHO = "fitted", "normal", "echo"
PRIORS = (FITTED, NORMAL, ECHO)
"""What latents are drawn from: the density that the model keeps, N(0, I), or an `echo`."""

LIKE = "like"
"""What stands for the prior where latents are drawn around given molecules."""

NOISE = 0.8
"""Of latents from a density: it gives the outline of a molecule, the decoder the rest."""

LIKE_NOISE = 0.4
"""Of latents around molecules: of a well trained model about a quarter decode to these again."""

ECHOES = 0.5
"""A decoder of whose own strings at least this share is strict is echoed, unless another prior is
asked for: of one that writes fewer, too many strings would be lost."""

ROUNDS = 16
"""How often `echo` writes as many strings as it gives latents, at most."""

MARGIN = 1.5
"""How many more strings `echo` writes than it seems to need."""

_AROUND, _CHOSEN, _NORMAL, _ECHO, _WRITTEN = 3, 8, 9, 10, 11
"""What tells the random numbers of a source from those of the codec under the same seed."""


def prior_of(name: str, codec: Codec, temperature: float = 1.0) -> Latents:
    """A source by the name of its prior.

    Args:
        name: One of `PRIORS`.
        codec: The model.
        temperature: Of the prior. The normal numbers that a draw of a density is made of are
            multiplied by it: below 1 the draws stay where it is dense. What is echoed is written
            at it.

    Raises:
        SettingsError: For an unknown name, a temperature out of range, or an echo of a decoder that
            can't write without a latent.
    """
    temperature = checks.temperature(temperature, "prior_temperature")
    checks.choice("prior", name, PRIORS)
    if name == ECHO:
        return echo(codec, temperature)
    if name == NORMAL:
        return normal(codec.latent_dim, temperature)
    return partial(codec.draw, temperature=temperature)


@dataclass(frozen=True)
class Density:
    """What latents of a source are distributed by.

    Attributes:
        log_prob: Log p(z) in nats, up to a constant: (N, D) to (N,).
        slope: Its gradient, per latent unit: (N, D) to (N, D).
    """

    log_prob: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def density_of(name: str, codec: Codec, temperature: float = 1.0) -> Density | None:
    """The density of a source by the name of its prior; None where it isn't known.

    That is so of an echo, and of a fitted prior whose draws are made at another temperature than 1.
    """
    if name == FITTED and temperature == 1:
        return Density(codec.log_density, codec.density_slope)
    if name == NORMAL and temperature > 0:
        precision = np.float32(1 / temperature**2)
        return Density(
            lambda latents: -0.5 * precision * (latents**2).sum(axis=1),
            lambda latents: -precision * latents,
        )
    return None


def usual_prior(codec: Codec) -> str:
    """The prior that latents are drawn from, unless another is asked for."""
    return ECHO if codec.strict_alone >= ECHOES else FITTED


def strict_alone(codec: Codec, strings: int = 1024, seed: int = 0) -> float:
    """The share of the strings that a decoder writes without a latent that are strict.

    0 for a decoder that was never without one.
    """
    if not codec.knows_noise:
        return 0.0
    return sum(one.strict for one in written_alone(codec, strings, seed)) / strings


def written_alone(codec: Codec, strings: int, seed: int = 0) -> list[Decoded]:
    """So many strings that a decoder writes at temperature 1, told nothing of a latent."""
    nothing = np.zeros((strings, codec.latent_dim), dtype=np.float32)
    return codec.decode(nothing, temperature=1.0, noise=1.0, seed=seed)


def usual_noise(codec: Codec, source: str = FITTED) -> float:
    """The noise that latents of a source are decoded with, unless another is asked for.

    None where the decoder doesn't know what to make of it, and none in the latents of an echo,
    which lie where molecules do.
    """
    if not codec.knows_noise or source == ECHO:
        return 0.0
    return LIKE_NOISE if source == LIKE else NOISE


def normal(latent_dim: int, temperature: float = 1.0) -> Latents:
    """A source of draws from N(0, I), multiplied by the temperature."""

    def drawn(count: int, seed: int, first_block: int) -> np.ndarray:
        noise = block_noise(count, latent_dim, seed, first_block, _NORMAL)
        return np.float32(temperature) * noise

    return drawn


def around(means: np.ndarray, deviations: np.ndarray, temperature: float = 1.0) -> Latents:
    """A source of draws from the posteriors of given molecules, each as likely as another.

    Args:
        means: (M, D).
        deviations: (M, D).
        temperature: What the deviations are multiplied by.
    """

    def drawn(count: int, seed: int, first_block: int) -> np.ndarray:
        noise = block_noise(count, means.shape[1], seed, first_block, _AROUND)
        chosen = [
            np.random.default_rng([seed, block, _CHOSEN]).integers(len(means), size=BLOCK)
            for block in range(first_block, first_block + -(-count // BLOCK))
        ]
        rows = np.concatenate(chosen)[:count]
        latents: np.ndarray = means[rows] + np.float32(temperature) * deviations[rows] * noise
        return latents

    return drawn


def echo(codec: Codec, temperature: float = 1.0) -> Latents:
    """A source of draws from the posteriors of molecules that the decoder writes by itself.

    It is told nothing of a latent while it writes them, so that they follow what it has learned of
    strings; those that SELFIES would have to repair are left out. Their posteriors together are a
    prior without a density: that of a VampPrior (Tomczak and Welling, 2018, arXiv:1705.07120) whose
    inputs the model invents. A block for which `ROUNDS` rounds give too few molecules ends in rows
    of NaN.

    Args:
        codec: The model.
        temperature: Of the writing.

    Raises:
        SettingsError: When the decoder was never without a latent.
    """
    checks.require(
        codec.knows_noise,
        "This model's decoder can't write without a latent (it was trained with noise_share 0), "
        "so there is nothing to echo. Take another prior.",
    )

    def drawn(count: int, seed: int, first_block: int) -> np.ndarray:
        blocks = range(first_block, first_block + -(-count // BLOCK))
        latents = np.full((len(blocks), BLOCK, codec.latent_dim), np.nan, dtype=np.float32)
        filled, written = np.zeros((2, len(blocks)), dtype=np.int64)
        for number in range(ROUNDS):
            # All blocks take part in each round, so that none depends on how many they are.
            lacking = (BLOCK - filled) * (written + 1) / (filled + 1)
            strings = np.minimum(BLOCK, np.ceil(MARGIN * lacking)).astype(np.int64)
            heard = _heard(codec, temperature, seed, number, blocks, strings)
            for block, more in enumerate(heard):
                start = filled[block]
                filled[block] = min(BLOCK, start + len(more))
                latents[block, start : filled[block]] = more[: filled[block] - start]
            written += strings
            if filled.min() == BLOCK:
                break
        return latents.reshape(-1, codec.latent_dim)[:count]

    return drawn


def _heard(
    codec: Codec, temperature: float, seed: int, number: int, blocks: range, strings: np.ndarray
) -> list[np.ndarray]:
    """Draws of the posteriors of what one round wrote for each block, (at most `BLOCK`, D).

    Args:
        codec: The model.
        temperature: Of the writing.
        seed: Of the numbers.
        number: Of the round.
        blocks: Their numbers.
        strings: How many it writes for each, `BLOCK` at most.
    """
    nothing = np.full((len(blocks), BLOCK, codec.latent_dim), np.nan, dtype=np.float32)
    for block, few in zip(nothing, strings, strict=True):
        block[:few] = 0
    own = int(np.random.SeedSequence([seed, _WRITTEN, number]).generate_state(1)[0])
    decoded = codec.decode(
        nothing.reshape(-1, codec.latent_dim),
        temperature=temperature,
        noise=1.0,
        seed=own,
        first_block=blocks[0],
    )
    names = [one.smiles if one.strict else "" for one in decoded]
    encodings = codec.encode(names)
    noise = block_noise(len(names), codec.latent_dim, own, blocks[0], _ECHO)
    latents = encodings.mean + encodings.deviation * noise
    usable = encodings.usable
    return [
        latents[start : start + BLOCK][usable[start : start + BLOCK]]
        for start in range(0, len(names), BLOCK)
    ]


def block_noise(count: int, width: int, seed: int, first_block: int, key: int) -> np.ndarray:
    """Standard normal numbers, (count, width) float32; those of a block depend on its number.

    Args:
        count: Rows.
        width: Numbers in a row.
        seed: Of the numbers.
        first_block: The number of the first block of `BLOCK` rows.
        key: What tells them from other numbers under the same seed.
    """
    parts = [
        np.random.default_rng([seed, block, key]).standard_normal((BLOCK, width), dtype=np.float32)
        for block in range(first_block, first_block + -(-count // BLOCK))
    ]
    return np.concatenate(parts)[:count]
