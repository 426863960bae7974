"""How far two sets of molecules lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from molvae.errors import MeasureError
from molvae.metrics.requirements import need, scipy_stats


@dataclass(frozen=True)
class Moments:
    """The Gaussian that stands for a set of molecules in the Fréchet distance.

    Attributes:
        mean: (D,) float64.
        covariance: Unbiased, (D, D) float64.
        count: Molecules.
    """

    mean: np.ndarray
    covariance: np.ndarray
    count: int

    @classmethod
    def of(cls, features: np.ndarray) -> Moments:
        """The moments of (N, D) features.

        Raises:
            MeasureError: With fewer than two molecules.
        """
        need(len(features), 2)
        values = features.astype(np.float64)
        return cls(values.mean(axis=0), np.cov(values, rowvar=False), len(values))


def frechet_distance(one: Moments, other: Moments) -> float:
    """The squared Fréchet distance of two Gaussians (doi:10.1021/acs.jcim.8b00234).

    |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)). With C1 = A A^T and C2 = B B^T, the trace of the
    root is the sum of the singular values of A^T B, which needs no root of a singular matrix.

    >>> narrow = Moments(np.zeros(2), np.eye(2), 9)
    >>> wide = Moments(np.array([3.0, 0.0]), 4 * np.eye(2), 9)
    >>> frechet_distance(narrow, wide)  # 3^2 + 2 (2 - 1)^2
    11.0
    """
    shift = one.mean - other.mean
    product = _factor(one.covariance).T @ _factor(other.covariance)
    root_trace = np.linalg.svd(product, compute_uv=False).sum()
    traces = np.trace(one.covariance) + np.trace(other.covariance)
    return float(max(0.0, shift @ shift + traces - 2 * root_trace))


def _factor(covariance: np.ndarray) -> np.ndarray:
    """A with A A^T = C, for a symmetric C without negative eigenvalues but by rounding."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(values.clip(min=0.0)))


def cosine_similarity(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """The cosine between two vectors of counts, 0 to 1.

    In floating point: sums of squared counts leave 64-bit integers at some ten thousand molecules.

    >>> cosine_similarity({"a": 3, "b": 4}, {"a": 6, "b": 8})
    1.0

    Raises:
        MeasureError: When either has no counts.
    """
    if not one or not other:
        raise MeasureError("there are none to compare")
    keys = sorted(one.keys() | other.keys())
    left = np.array([one.get(key, 0) for key in keys], dtype=np.float64)
    right = np.array([other.get(key, 0) for key in keys], dtype=np.float64)
    return float(left @ right / np.sqrt((left @ left) * (right @ right)))


def wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """The 1-Wasserstein distance of two sets of numbers, in their unit."""
    need(min(len(one), len(other)), 1)
    return float(scipy_stats().wasserstein_distance(one, other))
