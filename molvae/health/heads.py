"""How well the property heads do on held-out molecules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from molvae.codec import Codec, Encodings
from molvae.guidance.trust import is_weak


@dataclass(frozen=True)
class HeadFit:
    """How well a head predicts a property of held-out molecules from the posterior mean.

    Attributes:
        name: The property.
        molecules: Held-out molecules that have a value.
        r2: Share of the variance explained; None when all values are the same.
        mae: Mean absolute error, in the units of the property.
        labels: Training molecules that had a value; None when that isn't known.
        too_weak_to_guide: Whether R2 is below `molvae.guidance.trust.WEAK_R2`.
    """

    name: str
    molecules: int
    r2: float | None
    mae: float
    labels: int | None
    too_weak_to_guide: bool


def measure_heads(
    codec: Codec, encodings: Encodings, properties: np.ndarray, labels: Mapping[str, int]
) -> tuple[HeadFit, ...]:
    """Compare what the heads say with the truth.

    Args:
        codec: The model.
        encodings: Held-out molecules.
        properties: The truth, (N, P), NaN for no value; heads with fewer than two are left out.
        labels: Training molecules that had a value, by property.
    """
    predicted = codec.predict(encodings.mean)
    fits = []
    for place, name in enumerate(codec.property_names):
        known = encodings.usable & ~np.isnan(properties[:, place])
        if known.sum() < 2:
            continue
        r2, mae = _fit(predicted[known, place], properties[known, place])
        fits.append(HeadFit(name, int(known.sum()), r2, mae, labels.get(name), is_weak(r2)))
    return tuple(fits)


def _fit(predicted: np.ndarray, truth: np.ndarray) -> tuple[float | None, float]:
    """R2 and the mean absolute error of (N,) predictions."""
    error, variance = predicted - truth, truth.var()
    r2 = float(1 - (error**2).mean() / variance) if variance > 0 else None
    return r2, float(np.abs(error).mean())
