"""Which of many proposals are worth an evaluation, by what was scored before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from molvae.guidance.archive import Archive
from molvae.guidance.surrogate import Features, Surrogate


class Screen:
    """Chooses among proposals, and costs no evaluation.

    A Gaussian process learns the scores of the best molecules and of some of the others, by
    fingerprints alone: latents change as a model is tuned. Of what is proposed it takes that of the
    highest expected improvement (Jones et al., 1998, doi:10.1023/A:1008306431147) over the tenth
    best. Scores count by their ranks, as quantiles of a normal distribution: whatever their scale,
    and however bad the worst.
    """

    BEST, OTHERS = 1000, 200
    """Molecules that it learns from: of the best, and drawn from those below."""

    TO_BEAT = 10
    """The rank, from 1, of the score that is to be improved on."""

    def __init__(self) -> None:
        self._surrogate: Surrogate | None = None
        self._to_beat = 0.0

    def learn(self, archive: Archive, random: np.random.Generator) -> None:
        """Learn anew from what has been scored; without two scores that differ, nothing."""
        scored = archive.scored()
        below = scored[self.BEST :]
        drawn = random.permutation(len(below))[: self.OTHERS]
        learned = [*scored[: self.BEST], *(below[place] for place in drawn)]
        scores = np.array([score for _, score in learned])
        self._surrogate = None
        if len(np.unique(scores)) > 1:
            features = Features.of([smiles for smiles, _ in learned])
            values = quantiles(scores)
            self._surrogate = Surrogate.fitted(features, values, shares=(0.0,))
            self._to_beat = values[: self.TO_BEAT].min()

    def best(self, molecules: Sequence[str], count: int) -> list[str]:
        """The most promising, at most so many; the first of them when nothing is known."""
        if self._surrogate is None or len(molecules) <= count:
            return list(molecules[:count])
        gain = improvement(*self._surrogate.predict(Features.of(molecules)), self._to_beat)
        return [molecules[place] for place in np.argsort(-gain, kind="stable")[:count]]


def quantiles(values: np.ndarray) -> np.ndarray:
    """Values by their ranks, as quantiles of N(0, 1), equal ones alike: (N,) to (N,).

    >>> quantiles(np.array([-1e9, 0.1, 0.2, 0.2])).round(3)
    array([-1.15 , -0.319,  0.674,  0.674])
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - 0.5 * counts  # of the ranks of equals, from 0 to N
    found: np.ndarray = torch.special.ndtri(torch.from_numpy(middles / len(values))).numpy()[places]
    return found


def improvement(mean: np.ndarray, deviation: np.ndarray, to_beat: float) -> np.ndarray:
    """How much a normal value is expected to be above another, 0 where it is below: (N,) each.

    >>> improvement(np.array([1.0, 1.0, 3.0]), np.array([0.0, 1.0, 0.0]), 1.0).round(4)
    array([0.    , 0.3989, 2.    ])
    """
    deviation = np.maximum(deviation, 1e-12)
    ahead = (mean - to_beat) / deviation
    density = np.exp(-0.5 * ahead**2) / np.sqrt(2 * np.pi)
    below = torch.special.ndtr(torch.from_numpy(ahead)).numpy()
    gain: np.ndarray = deviation * (density + ahead * below)
    return gain
