"""GuacaMol's measures of a distribution, against training molecules.

Brown et al., 2019, doi:10.1021/acs.jcim.8b00839.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from molvae.chem.molecules import without_stereo
from molvae.chem.properties import compute_many
from molvae.errors import MeasureError
from molvae.metrics.description import fingerprints_of
from molvae.metrics.requirements import need, scipy_stats
from molvae.metrics.similarity import nearest_other
from molvae.parallel import ordered

SAMPLE = 10_000
"""Molecules of either side that GuacaMol compares."""

BITS = 4096
"""Bits of the fingerprints whose nearest neighbours GuacaMol compares."""

CONTINUOUS = ("bertz_ct", "logp", "mol_weight", "tpsa")
DISCRETE = ("hba", "hbd", "rotatable_bonds", "aliphatic_rings", "aromatic_rings")
DESCRIPTORS = CONTINUOUS + DISCRETE

_POINTS, _BINS, _NOTHING = 1000, 10, 1e-10


def flat_and_distinct(smiles: Sequence[str], workers: int | None = None) -> list[str]:
    """Molecules without stereo marks, each once, in the order of their first occurrence."""
    return list(dict.fromkeys(ordered(_flat_many, smiles, workers)))


def descriptors(smiles: Sequence[str], workers: int | None = None) -> np.ndarray:
    """The nine `DESCRIPTORS` of molecules, (N, 9) float64."""
    rows = ordered(partial(compute_many, names=DESCRIPTORS), smiles, workers)
    return np.array([[row[name] for name in DESCRIPTORS] for row in rows])


def divergences(
    generated: Sequence[str],
    baseline: Sequence[str],
    baseline_descriptors: np.ndarray,
    *,
    device: str | torch.device = "cpu",
    workers: int | None = None,
) -> dict[str, float | MeasureError]:
    """The KL divergence of each descriptor and of the similarity to the nearest other molecule.

    Args:
        generated: SMILES as `flat_and_distinct` gives them, N of them.
        baseline: The same of training molecules, M of them.
        baseline_descriptors: Of the baseline, (M, 9).
        device: Where similarities are computed.
        workers: Processes for the descriptors.

    Returns:
        KL(baseline || generated) in nats; in its place the error where it can't be computed.

    Raises:
        MeasureError: With fewer than two molecules on either side.
    """
    need(min(len(generated), len(baseline)), 2, "distinct molecules")
    values = descriptors(generated, workers)
    columns = {
        name: (baseline_descriptors[:, place], values[:, place])
        for place, name in enumerate(DESCRIPTORS)
    }
    baseline_near, generated_near = (
        nearest_other(fingerprints_of(smiles, bits=BITS, workers=workers), device=device)
        for smiles in (baseline, generated)
    )
    columns["internal_similarity"] = baseline_near, generated_near
    found: dict[str, float | MeasureError] = {}
    for name, (one, other) in columns.items():
        try:
            found[name] = (discrete_kl if name in DISCRETE else continuous_kl)(one, other)
        except MeasureError as error:
            found[name] = error
    return found


def score(divergences: Sequence[float]) -> float:
    """GuacaMol's KL score: the mean of exp(-divergence), 0 to 1."""
    return float(np.mean(np.exp([-one for one in divergences])))


def continuous_kl(baseline: np.ndarray, sampled: np.ndarray) -> float:
    """KL(baseline || sampled) of two kernel densities at a thousand points, nats.

    Raises:
        MeasureError: When the values of either are all the same.
    """
    stats = scipy_stats()
    both = np.concatenate([baseline, sampled])
    points = np.linspace(both.min(), both.max(), num=_POINTS)
    try:
        densities = [stats.gaussian_kde(one)(points) + _NOTHING for one in (baseline, sampled)]
    except np.linalg.LinAlgError:
        raise MeasureError("it is the same for all molecules") from None
    return float(stats.entropy(*densities))


def discrete_kl(baseline: np.ndarray, sampled: np.ndarray) -> float:
    """KL(baseline || sampled) of two histograms over ten bins of the baseline, nats.

    Raises:
        MeasureError: When no value of the sampled lies within the bins.
    """
    first, edges = np.histogram(baseline, bins=_BINS, density=True)
    counts, _ = np.histogram(sampled, bins=edges)
    if not counts.any():
        raise MeasureError("no generated molecule lies in the range of the training molecules")
    second = counts / counts.sum() / np.diff(edges)
    return float(scipy_stats().entropy(first + _NOTHING, second + _NOTHING))


def _flat_many(smiles: Sequence[str]) -> list[str]:
    return [without_stereo(one) for one in smiles]
