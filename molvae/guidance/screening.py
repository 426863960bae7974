"""Which of many proposals are worth an evaluation, by what was scored before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from molvae.guidance.archive import Archive
from molvae.guidance.surrogate import Features, Surrogate


class Screen:
    """Tells what may be hoped of proposals, and costs no evaluation.

    A Gaussian process learns the scores of the best molecules and of some of the others, by counted
    fingerprints alone: latents change as a model is tuned. It takes a score to be exact but for
    `NOISE` (as Tripp and Hernández-Lobato, 2024, arXiv:2406.07709, do): a process that puts down to
    noise how two similar molecules differ sees no peaks. What may be hoped of a molecule is its
    expected improvement over the tenth best (Jones et al., 1998, doi:10.1023/A:1008306431147).

    Scores count from the median of those that it learned from first, in units of how far the best
    so far is above it, and those that are further below count as that far: however bad a penalty
    is, the others stay apart.
    """

    BEST, OTHERS = 1000, 200
    """Molecules that it learns from: of the best, and drawn from those below."""

    TO_BEAT = 10
    """The rank, from 1, of the score that is to be improved on."""

    NOISE = 1e-4
    """The variance of a score beside that of all, mostly for what fingerprints don't tell."""

    def __init__(self) -> None:
        self._surrogate: Surrogate | None = None
        self._median, self._top, self._to_beat = np.nan, -np.inf, 0.0

    @property
    def knows(self) -> bool:
        """Whether it has learned anything."""
        return self._surrogate is not None

    def learn(self, archive: Archive, random: np.random.Generator) -> None:
        """Learn anew from what has been scored; without two scores that differ, nothing."""
        scored = archive.scored()
        below = scored[self.BEST :]
        drawn = random.permutation(len(below))[: self.OTHERS]
        learned = [*scored[: self.BEST], *(below[place] for place in drawn)]
        scores = np.array([score for _, score in learned])
        self._surrogate = None
        if len(np.unique(scores)) > 1:
            features = Features.counted([smiles for smiles, _ in learned])
            values = self._placed(scores)
            self._surrogate = Surrogate.fitted(
                features, values, shares=(0.0,), noises=(self.NOISE,)
            )
            self._to_beat = values[: self.TO_BEAT].min()

    def _placed(self, scores: np.ndarray) -> np.ndarray:
        """Scores as it counts them, -1 to 1: (N,) to (N,)."""
        if np.isnan(self._median):
            self._median = float(np.median(scores))
        self._top = max(self._top, float(scores.max()))
        span = self._top - self._median
        if span == 0:  # half of the first were the best so far
            span = self._top - float(scores.min())
        placed: np.ndarray = (np.maximum(scores, self._median - span) - self._median) / span
        return placed

    def hopes(self, molecules: Sequence[str]) -> np.ndarray:
        """What may be hoped of molecules, (N,), 0 or more; it must know something."""
        assert self._surrogate is not None
        return improvement(*self._surrogate.predict(Features.counted(molecules)), self._to_beat)

    def best(self, molecules: Sequence[str], count: int) -> list[str]:
        """The most promising, at most so many; the first of them when nothing is known."""
        if not self.knows or len(molecules) <= count:
            return list(molecules[:count])
        order = np.argsort(-self.hopes(molecules), kind="stable")
        return [molecules[place] for place in order[:count]]


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
