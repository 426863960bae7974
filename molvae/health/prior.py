"""What the prior generates, and how it differs from held-out molecules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from molvae.chem.identity import KnownMolecules
from molvae.chem.properties import compute_many
from molvae.codec import Codec
from molvae.latent.generation import draw
from molvae.latent.sources import prior_of, usual_noise, usual_prior
from molvae.metrics.basic import novelty, uniqueness, validity

SHIFTED = ("aromatic_rings", "aliphatic_rings", "heavy_atoms", "logp")
"""Properties that move when SELFIES has to repair strings, or the prior misses the molecules."""

COMPARED = 1000
"""Molecules of either kind whose properties are compared."""


@dataclass(frozen=True)
class PriorSample:
    """What the prior gives at temperature 1 and the usual noise, before anything is refused.

    Attributes:
        strings: Strings drawn.
        source: What their latents are drawn from, one of `molvae.latent.sources.PRIORS`.
        noise: Of their latents.
        strict_share: Share of the strings that needed no repair by SELFIES.
        validity: Share of the strings that hold a molecule.
        uniqueness: Distinct molecules among the valid.
        novelty: Share of the distinct that aren't training molecules.
    """

    strings: int
    source: str
    noise: float
    strict_share: float
    validity: float
    uniqueness: float
    novelty: float


@dataclass(frozen=True)
class Shift:
    """The mean of a property, of generated and of held-out molecules.

    Attributes:
        name: The property, as `molvae.chem.properties` knows it.
        generated: Mean of the valid molecules from the prior; None when there is none.
        held_out: Mean of the held-out molecules.
    """

    name: str
    generated: float | None
    held_out: float


def measure_prior(
    codec: Codec, known: KnownMolecules, strings: int, seed: int
) -> tuple[PriorSample, list[str]]:
    """Draw strings from the prior: what they are like, and the molecules of the valid ones."""
    source = usual_prior(codec)
    noise = usual_noise(codec, source)
    stream = draw(
        codec,
        prior_of(source, codec),
        temperature=1.0,
        noise=noise,
        seed=seed,
        strings_at_once=lambda: strings,
    )
    drawn = [one for _, _, one in islice(stream, strings)]
    smiles = [one.smiles for one in drawn]
    sample = PriorSample(
        strings=strings,
        source=source,
        noise=noise,
        strict_share=sum(one.strict for one in drawn) / strings,
        validity=validity(smiles),
        uniqueness=uniqueness(smiles),
        novelty=novelty(smiles, known),
    )
    return sample, [one for one in smiles if one]


def measure_shifts(generated: Sequence[str], held_out: Sequence[str]) -> tuple[Shift, ...]:
    """Compare the properties of valid molecules, at least one of them held out."""
    ours, theirs = _means(generated), _means(held_out)
    return tuple(Shift(name, ours.get(name), theirs[name]) for name in SHIFTED)


def _means(smiles: Sequence[str]) -> dict[str, float]:
    rows = compute_many(smiles[:COMPARED], SHIFTED)
    return {name: float(np.mean([row[name] for row in rows])) for name in SHIFTED if rows}
