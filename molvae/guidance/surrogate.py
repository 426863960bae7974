"""What measured values tell of other molecules: a Gaussian process, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from molvae.chem.fingerprints import BITS, COUNTED_BITS, counted_morgan
from molvae.metrics.description import fingerprints_of

MOST = 2_000
"""Molecules that it learns from; the time grows with the third power of them."""

SHARES = (0.0, 0.5, 1.0)
"""Of the latents in the kernel, to choose from."""

_LENGTHS, _NOISES = (0.5, 1.0, 2.0, 4.0), (0.01, 0.1, 0.3, 1.0)
_JITTER = 1e-6


@dataclass(frozen=True, eq=False)
class Features:
    """Molecules as they are compared.

    Attributes:
        latents: Posterior means, (N, D), with D 0 where none are compared.
        bits: Their Morgan fingerprints, plain or counted, (N, B), zeros and ones in float32.
    """

    latents: np.ndarray
    bits: np.ndarray

    @classmethod
    def of(cls, smiles: Sequence[str], latents: np.ndarray) -> Features:
        """Canonical SMILES, by their latents, (N, D), and fingerprints."""
        packed = fingerprints_of(smiles, bits=BITS, workers=1)
        return cls(latents, np.unpackbits(packed, axis=1).astype(np.float32))

    @classmethod
    def counted(cls, smiles: Sequence[str]) -> Features:
        """Canonical SMILES, by fingerprints that count, and no latents."""
        packed = np.array([counted_morgan(one) for one in smiles], dtype=np.uint8)
        bits = np.unpackbits(packed.reshape(len(smiles), COUNTED_BITS // 8), axis=1)
        return cls(np.zeros((len(smiles), 0), dtype=np.float32), bits.astype(np.float32))

    def taken(self, places: np.ndarray) -> Features:
        """Some of them."""
        return Features(self.latents[places], self.bits[places])


@dataclass(frozen=True)
class Shape:
    """The kernel: ``share * exp(-d^2 / 2 length^2) + (1 - share) * Tanimoto + noise``.

    d is the distance of the latents. Tanimoto similarity is a kernel: Ralaivola et al. (2005,
    doi:10.1016/j.neunet.2005.07.009).

    Attributes:
        share: Of the latents, 0 to 1.
        length: In latent units.
        noise: Variance of a measurement, by that of the values without it.
    """

    share: float
    length: float
    noise: float

    def between(self, one: Features, other: Features) -> np.ndarray:
        """The kernel without noise, (N, M)."""
        kernel = np.zeros((len(one.latents), len(other.latents)))
        if self.share > 0:
            squares = _squares(one.latents, other.latents)
            kernel += self.share * np.exp(-0.5 * squares / self.length**2)
        if self.share < 1:
            kernel += (1 - self.share) * tanimoto(one.bits, other.bits)
        return kernel


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A Gaussian process (Rasmussen and Williams, 2006, chapter 2) on molecules and their values.

    Its mean is that of the values; `Shape` is the likeliest of a small grid given the values
    (their chapter 5), and their scale the likeliest given the shape.

    Attributes:
        shape: Of the kernel.
        scale: Standard deviation of the values, noise apart.
        r2: Of each value as the others predict it (Sundararajan and Keerthi, 2001,
            doi:10.1162/08997660151134343); at most 1, and 0 or less where they tell nothing.
    """

    shape: Shape
    scale: float
    r2: float
    _features: Features
    _mean: float
    _inverse: np.ndarray
    _weights: np.ndarray

    @classmethod
    def fitted(cls, features: Features, values: np.ndarray) -> Surrogate:
        """Learn from N molecules with a value each, (N,), not all of them the same."""
        residuals = values - values.mean()
        median = _median_distance(features.latents)
        best = (-np.inf, Shape(0.0, median, 1.0))
        for share, length in product(SHARES, _LENGTHS):
            if share == 0 and length != 1.0:
                continue  # without latents there is no length
            shape = Shape(share, length * median, 0.0)
            kernel = shape.between(features, features)
            for noise in _NOISES:
                evidence = _evidence(kernel, noise, residuals)
                if evidence > best[0]:
                    best = (evidence, Shape(share, length * median, noise))
        return cls.shaped(best[1], features, values)

    @classmethod
    def shaped(cls, shape: Shape, features: Features, values: np.ndarray) -> Surrogate:
        """Learn as `fitted` does, by a kernel that is known."""
        mean = float(values.mean())
        residuals = values - mean
        kernel = shape.between(features, features)
        inverse = np.linalg.inv(kernel + (shape.noise + _JITTER) * np.eye(len(values)))
        weights = inverse @ residuals
        left_out = weights / np.diag(inverse)  # how far each is from what the others say
        r2 = 1 - float((left_out**2).sum() / (residuals**2).sum())
        scale = float(np.sqrt(residuals @ weights / len(values)))
        return cls(shape, scale, r2, features, mean, inverse, weights)

    def predict(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of the values without noise, (N,) each."""
        cross = self.shape.between(features, self._features)
        known = np.einsum("nm,mk,nk->n", cross, self._inverse, cross, optimize=True)
        deviation = self.scale * np.sqrt(np.maximum(1 - known, 0))
        return self._mean + cross @ self._weights, deviation

    def draw(self, features: Features, count: int, seed: Sequence[int]) -> np.ndarray:
        """What the values of all molecules may be together, (count, N)."""
        cross = self.shape.between(features, self._features)
        covariance = self.shape.between(features, features) - cross @ self._inverse @ cross.T
        lower = _cholesky(covariance)
        noise = np.random.default_rng(seed).standard_normal((count, len(lower)))
        drawn: np.ndarray = self._mean + cross @ self._weights + self.scale * noise @ lower.T
        return drawn


def tanimoto(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Tanimoto similarities of fingerprints, (N, B) and (M, B) to (N, M); 1 of two without a bit.

    >>> tanimoto(np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 0.0]]))
    array([[0.5, 0. ],
           [0. , 1. ]])
    """
    shared = one @ other.T
    either = one.sum(axis=1)[:, None] + other.sum(axis=1)[None] - shared
    similarities: np.ndarray = np.where(either > 0, shared / np.maximum(either, 1), 1.0)
    return similarities


def _median_distance(latents: np.ndarray) -> float:
    """Of each two of N latents, 1 where that would be 0."""
    distances = np.sqrt(_squares(latents, latents))
    return float(np.median(distances[np.triu_indices(len(latents), 1)])) or 1.0


def _squares(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared distances, (N, D) and (M, D) to (N, M)."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    lengths = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None]
    squares: np.ndarray = np.maximum(lengths - 2 * one @ other.T, 0)
    return squares


def _evidence(kernel: np.ndarray, noise: float, residuals: np.ndarray) -> float:
    """Log probability of the values under the likeliest scale, up to a constant."""
    lower = np.linalg.cholesky(kernel + (noise + _JITTER) * np.eye(len(kernel)))
    white = np.linalg.solve(lower, residuals)
    count = len(residuals)
    return float(-0.5 * count * np.log(white @ white / count) - np.log(np.diag(lower)).sum())


def _cholesky(covariance: np.ndarray) -> np.ndarray:
    """The lower factor of a covariance that rounding may have made indefinite."""
    jitter = _JITTER
    while True:
        try:
            return np.linalg.cholesky(covariance + jitter * np.eye(len(covariance)))
        except np.linalg.LinAlgError:
            jitter *= 10
