"""The report on a latent space: how well it reconstructs, and what its prior generates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from molvae.chem.identity import KnownMolecules
from molvae.codec import Encodings, NetworkCodec
from molvae.errors import TableError
from molvae.latent.generation import draw
from molvae.metrics.basic import novelty, uniqueness, validity

ACTIVE = 0.01
"""Variance of its posterior means from which on a dimension counts as active."""


@dataclass(frozen=True)
class Reconstruction:
    """How well a model gives held-out molecules back.

    Attributes:
        molecules: Held-out molecules that the model can encode.
        exact_mean: Share decoded greedily from the posterior mean to the same canonical SMILES.
        exact_sampled: Likewise from one draw of the posterior.
        distortion: -log p(x | z) at one draw of the posterior, nats per molecule.
        rate: KL to N(0, I), nats per molecule.
        active_units: Dimensions whose posterior means vary by more than 0.01 between molecules
            (Burda et al., 2016, arXiv:1509.00519).
        latent_dim: All dimensions.
    """

    molecules: int
    exact_mean: float
    exact_sampled: float
    distortion: float
    rate: float
    active_units: int
    latent_dim: int


@dataclass(frozen=True)
class PriorSample:
    """What N(0, I) gives at temperature 1 before anything is refused.

    Attributes:
        strings: Strings drawn.
        strict_share: Share of the strings that needed no repair by SELFIES.
        validity: Share of the strings that hold a molecule.
        uniqueness: Distinct molecules among the valid.
        novelty: Share of the distinct that aren't training molecules.
    """

    strings: int
    strict_share: float
    validity: float
    uniqueness: float
    novelty: float


@dataclass(frozen=True)
class HeadFit:
    """How well a head predicts a property of held-out molecules from the posterior mean.

    Attributes:
        name: The property.
        molecules: Held-out molecules that have a value.
        r2: Share of the variance explained; None when all values are the same.
        mae: Mean absolute error, in the units of the property.
    """

    name: str
    molecules: int
    r2: float | None
    mae: float


@dataclass(frozen=True)
class Report:
    """The state of a latent space, as `inspect` shows it."""

    reconstruction: Reconstruction
    prior: PriorSample
    heads: tuple[HeadFit, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        content = asdict(self)
        content["heads"] = [asdict(head) for head in self.heads]
        return content


def report(
    codec: NetworkCodec,
    held_out: Sequence[str],
    properties: np.ndarray,
    known: KnownMolecules,
    *,
    strings: int = 2048,
    seed: int = 0,
) -> Report:
    """Measure a model on molecules that it wasn't trained on.

    Args:
        codec: The model.
        held_out: SMILES.
        properties: What its heads predict, for the same molecules, (N, P), NaN for no value.
        known: The training molecules.
        strings: Strings drawn from the prior.
        seed: Of the draws.

    Raises:
        TableError: When the model can encode none of the molecules.
    """
    encodings = codec.encode(held_out)
    if not encodings.usable.any():
        raise TableError(f"The model can encode no molecule; the first: {encodings.reasons[0]}.")
    return Report(
        reconstruction=_reconstruction(codec, encodings, seed),
        prior=_prior_sample(codec, known, strings, seed),
        heads=tuple(_head_fits(codec, encodings, properties)),
    )


def _reconstruction(codec: NetworkCodec, encodings: Encodings, seed: int) -> Reconstruction:
    usable = encodings.usable
    drawn = encodings.sample(seed)
    count = int(usable.sum())
    return Reconstruction(
        molecules=count,
        exact_mean=_exact(codec, encodings, encodings.mean),
        exact_sampled=_exact(codec, encodings, drawn),
        distortion=float(codec.distortion(encodings, drawn)[usable].mean()),
        rate=float(encodings.rates()[usable].sum(axis=1).mean()),
        active_units=int((encodings.mean[usable].var(axis=0) > ACTIVE).sum()),
        latent_dim=codec.latent_dim,
    )


def _exact(codec: NetworkCodec, encodings: Encodings, latents: np.ndarray) -> float:
    usable = encodings.usable
    decoded = codec.decode(latents)
    same = [one.smiles == name for one, name in zip(decoded, encodings.smiles, strict=True)]
    return float(np.array(same)[usable].mean())


def _prior_sample(
    codec: NetworkCodec, known: KnownMolecules, strings: int, seed: int
) -> PriorSample:
    drawn = [
        one
        for _, _, one in islice(
            draw(codec, temperature=1.0, seed=seed, strings_at_once=lambda: strings), strings
        )
    ]
    smiles = [one.smiles for one in drawn]
    return PriorSample(
        strings=strings,
        strict_share=sum(one.strict for one in drawn) / strings,
        validity=validity(smiles),
        uniqueness=uniqueness(smiles),
        novelty=novelty(smiles, known),
    )


def _head_fits(codec: NetworkCodec, encodings: Encodings, properties: np.ndarray) -> list[HeadFit]:
    predicted = codec.predict(encodings.mean)
    fits = []
    for place, name in enumerate(codec.property_names):
        known = encodings.usable & ~np.isnan(properties[:, place])
        if known.sum() < 2:
            continue
        truth = properties[known, place]
        error = predicted[known, place] - truth
        spread = truth.var()
        r2 = float(1 - (error**2).mean() / spread) if spread > 0 else None
        fits.append(HeadFit(name, int(known.sum()), r2, float(np.abs(error).mean())))
    return fits
