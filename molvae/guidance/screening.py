"""Which of many proposals are worth an evaluation, by what was scored before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from molvae.guidance.archive import Archive
from molvae.guidance.surrogate import Features, Shape, Surrogate


class Screen:
    """Tells what may be hoped of proposals, and costs no evaluation.

    A Gaussian process learns the scores of the best molecules and of some of the others, by counted
    fingerprints alone: latents change as a model is tuned. It takes a score to be exact but for
    `NOISE` (as Tripp and Hernández-Lobato, 2024, arXiv:2406.07709, do): a process that puts down to
    noise how two similar molecules differ sees no peaks. What may be hoped of a molecule is its
    expected improvement over the tenth best (Jones et al., 1998, doi:10.1023/A:1008306431147).

    A score that is further below what was `usual` at first than the best is above it counts as that
    far below: however bad a penalty is, the others stay apart.
    """

    BEST, OTHERS = 1000, 200
    """Molecules that it learns from: of the best, and drawn from those below."""

    TO_BEAT = 10
    """The rank, from 1, of the score that is to be improved on."""

    NOISE = 1e-4
    """The variance of a score by that of the process, mostly for what fingerprints don't tell."""

    def __init__(self) -> None:
        self._surrogate: Surrogate | None = None
        self._usual, self._top, self._to_beat = np.nan, -np.inf, 0.0
        self._hopes: dict[str, float] = {}

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
        values = self._placed(np.array([score for _, score in learned]))
        self._surrogate, self._hopes = None, {}
        if len(np.unique(values)) > 1:
            features = Features.counted([smiles for smiles, _ in learned])
            self._surrogate = Surrogate.shaped(Shape(0.0, 1.0, self.NOISE), features, values)
            self._to_beat = values[: self.TO_BEAT].min()

    def _placed(self, scores: np.ndarray) -> np.ndarray:
        """Scores as it counts them, (N,) to (N,): 0 is usual, 1 the best so far, -1 the least."""
        scores = np.clip(scores, -_HUGE, _HUGE)
        if np.isnan(self._usual):
            self._usual = usual(scores)
        lowest, self._top = scores.min(initial=np.inf), scores.max(initial=self._top)
        zero = lowest if np.isnan(self._usual) else self._usual
        if not self._top > zero:
            return np.zeros(len(scores))
        span = self._top - zero
        placed: np.ndarray = (np.maximum(scores, zero - span) - zero) / span
        return placed

    def hopes(self, molecules: Sequence[str]) -> np.ndarray:
        """What may be hoped of molecules, (N,), 0 or more; it must know something."""
        assert self._surrogate is not None
        new = [one for one in dict.fromkeys(molecules) if one not in self._hopes]
        if new:
            predicted = self._surrogate.predict(Features.counted(new))
            self._hopes |= zip(new, improvement(*predicted, self._to_beat), strict=True)
        return np.array([self._hopes[one] for one in molecules])

    def best(self, molecules: Sequence[str], count: int) -> list[str]:
        """The most promising, at most so many; the first of them when nothing is known."""
        if not self.knows or len(molecules) <= count:
            return list(molecules[:count])
        order = np.argsort(-self.hopes(molecules), kind="stable")
        return [molecules[place] for place in order[:count]]


_HUGE, _FAR = 1e300, 10


def usual(scores: np.ndarray) -> float:
    """The median of the scores below the best, (N,); nan where that can't be told.

    Where most are penalties it is that of the others: while the median is ten times as far from the
    best as the median of what is above it, what isn't above it is left out.

    >>> usual(np.array([0.1, 0.2, 0.3, 0.4]))
    0.2
    >>> usual(np.array([-1e9, -1e9, -1e9, -1e9, 0.1, 0.2, 0.3, 0.4]))
    0.2
    """
    best = scores.max(initial=-np.inf)
    below = scores[scores < best]
    while len(below):
        middle = float(np.median(below))
        better = below[below > middle]
        if len(better) and best - middle <= _FAR * (best - float(np.median(better))):
            return middle
        below = better
    return np.nan


def improvement(mean: np.ndarray, deviation: np.ndarray, to_beat: float) -> np.ndarray:
    """How much a normal value is expected to be above another, 0 where it is below: (N,) each.

    >>> improvement(np.array([1.0, 1.0, 3.0]), np.array([0.0, 1.0, 0.0]), 1.0).round(4)
    array([0.    , 0.3989, 2.    ])
    """
    deviation = np.maximum(deviation, 1e-12)
    ahead = (mean - to_beat) / deviation
    density = np.exp(-0.5 * ahead**2) / np.sqrt(2 * np.pi)
    below = torch.special.ndtr(torch.from_numpy(ahead)).numpy()
    gain: np.ndarray = np.maximum(deviation * (density + ahead * below), 0)
    return gain
