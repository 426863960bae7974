"""What the posteriors of molecules hold, and how well the molecules come back from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from molvae.codec import Encodings, NetworkCodec

ACTIVE = 0.01
"""Variance of its posterior means from which on a dimension counts as active."""

MOST_OF_IT = 0.9
"""The share of the KL that the report counts dimensions for."""


@dataclass(frozen=True)
class Reconstruction:
    """How well a model gives held-out molecules back.

    Attributes:
        molecules: Held-out molecules that the model can encode.
        exact_mean: Share decoded greedily from the posterior mean to the same canonical SMILES.
        exact_sampled: Likewise from one draw of the posterior.
        distortion: -log p(x | z) at one draw of the posterior, nats per molecule.
        distortion_shuffled: The same with the latent of another molecule; None for fewer than two.
        rate: KL to N(0, I), nats per molecule.
        rate_by_dimension: The same for each dimension, D of them; they add up to ``rate``.
        active_units: Dimensions whose posterior means vary by more than 0.01 between molecules
            (Burda et al., 2016, arXiv:1509.00519).
        latent_dim: All dimensions.
    """

    molecules: int
    exact_mean: float
    exact_sampled: float
    distortion: float
    distortion_shuffled: float | None
    rate: float
    rate_by_dimension: tuple[float, ...]
    active_units: int
    latent_dim: int


@dataclass(frozen=True)
class TrainingFit:
    """The same for some training molecules, to compare with the held-out ones.

    Attributes:
        molecules: Training molecules that were looked at.
        exact_mean: As in `Reconstruction`.
        distortion: Likewise, nats per molecule.
        rate: Likewise, nats per molecule.
    """

    molecules: int
    exact_mean: float
    distortion: float
    rate: float


@dataclass(frozen=True)
class Aggregate:
    """How far the aggregate posterior lies from the prior.

    With g the Gaussian that has the mean and covariance of the aggregate posterior q,
    KL(q || N(0, I)) = KL(q || g) + KL(g || N(0, I)), since the logarithm of the ratio of two
    Gaussians is quadratic. So ``kl`` is a lower bound of the mismatch, and just what a full
    Gaussian prior fitted to the latents would save; a learned prior may save more.

    Attributes:
        kl: KL(g || N(0, I)) in nats.
        kl_of_mean: The part that a prior moved to the mean of q would save, |m|^2 / 2 nats.
        floor: What as many points drawn from N(0, I) itself would show by chance, about
            D (D + 3) / (4 N) nats: half a nat for each number fitted, divided by N.
    """

    kl: float
    kl_of_mean: float
    floor: float


def measure_reconstruction(codec: NetworkCodec, encodings: Encodings, seed: int) -> Reconstruction:
    """Reconstruct molecules of which at least one is usable."""
    usable, drawn = encodings.usable, encodings.sample(seed)
    rates = encodings.rates()[usable].mean(axis=0, dtype=np.float64)
    return Reconstruction(
        molecules=int(usable.sum()),
        exact_mean=exact_share(codec, encodings, encodings.mean),
        exact_sampled=exact_share(codec, encodings, drawn),
        distortion=_distortion(codec, encodings, drawn),
        distortion_shuffled=_shuffled_distortion(codec, encodings, drawn),
        rate=float(rates.sum()),
        rate_by_dimension=tuple(rates.tolist()),
        active_units=int((encodings.mean[usable].var(axis=0) > ACTIVE).sum()),
        latent_dim=codec.latent_dim,
    )


def measure_training_fit(codec: NetworkCodec, encodings: Encodings, seed: int) -> TrainingFit:
    """Reconstruct training molecules of which at least one is usable."""
    usable = encodings.usable
    return TrainingFit(
        molecules=int(usable.sum()),
        exact_mean=exact_share(codec, encodings, encodings.mean),
        distortion=_distortion(codec, encodings, encodings.sample(seed)),
        rate=float(encodings.rates()[usable].sum(axis=1).mean()),
    )


def measure_aggregate(mean: np.ndarray, deviation: np.ndarray) -> Aggregate:
    """Compare the aggregate of posteriors with N(0, I).

    Args:
        mean: Posterior means, (N, D).
        deviation: Posterior standard deviations, (N, D).
    """
    count, width = mean.shape
    centre = mean.mean(axis=0, dtype=np.float64)
    return Aggregate(
        kl=gaussian_kl(centre, _covariance(mean, deviation)),
        kl_of_mean=float(0.5 * centre @ centre),
        floor=width * (width + 3) / (4 * count),
    )


def aggregate_deviation(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Standard deviation of the aggregate posterior by dimension: (N, D) twice to (D,)."""
    return np.asarray(np.sqrt(np.diag(_covariance(mean, deviation))))


def gaussian_kl(mean: np.ndarray, covariance: np.ndarray) -> float:
    """KL(N(m, C) || N(0, I)) in nats: (Tr C + m m - D - ln det C) / 2.

    Args:
        mean: (D,).
        covariance: (D, D), positive definite.

    >>> round(gaussian_kl(np.array([1.0, 0.0]), np.diag([1.0, np.e])), 4)  # (1 + e - 2) / 2
    0.8591
    """
    log_determinant = np.linalg.slogdet(covariance)[1]
    return float(0.5 * (np.trace(covariance) + mean @ mean - len(mean) - log_determinant))


def dimensions_for(rates: np.ndarray, share: float = MOST_OF_IT) -> int:
    """How few dimensions carry a share of the KL: (D,) nats to a count.

    >>> dimensions_for(np.array([0.5, 8.0, 0.5, 1.0]))
    2
    """
    carried = np.cumsum(np.sort(rates)[::-1])
    return int((carried < share * carried[-1] * (1 - 1e-9)).sum()) + 1


def exact_share(
    codec: NetworkCodec,
    encodings: Encodings,
    latents: np.ndarray,
    *,
    noise: float = 0.0,
    seed: int = 0,
) -> float:
    """Share of the usable molecules that latents, (N, D), made so noisy, decode to greedily."""
    decoded = codec.decode(latents, noise=noise, seed=seed)
    same = [one.smiles == name for one, name in zip(decoded, encodings.smiles, strict=True)]
    return float(np.array(same)[encodings.usable].mean())


def _covariance(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Covariance of a mixture of normals: that of the means plus the mean variances, (D, D)."""
    centred = mean.astype(np.float64) - mean.mean(axis=0, dtype=np.float64)
    within = np.diag((deviation.astype(np.float64) ** 2).mean(axis=0))
    return np.asarray(centred.T @ centred / len(mean) + within)


def _distortion(codec: NetworkCodec, encodings: Encodings, latents: np.ndarray) -> float:
    return float(codec.distortion(encodings, latents)[encodings.usable].mean())


def _shuffled_distortion(
    codec: NetworkCodec, encodings: Encodings, latents: np.ndarray
) -> float | None:
    """The distortion when each molecule gets the latent of the next usable one."""
    usable = encodings.usable
    if usable.sum() < 2:
        return None
    others = latents.copy()
    others[usable] = np.roll(latents[usable], 1, axis=0)
    return _distortion(codec, encodings, others)
