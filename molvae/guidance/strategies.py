"""Ways to search. A strategy is asked for molecules and told how good they are.

Whatever latents it works with are its own affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from molvae.chem.strings import Decoded
from molvae.codec import Codec
from molvae.guidance.desirability import Desirability


class Strategy(Protocol):
    """A way to search."""

    def ask(self) -> list[Decoded]:
        """Some molecules to look at next; the empty and the repeated are no loss."""

    def tell(self, scores: Sequence[float]) -> None:
        """How good the molecules last asked for are, higher being better; -inf for unusable."""

    def hear(self, found: Sequence[tuple[str, float]]) -> None:
        """Molecules that were scored without being asked for; by default they change nothing."""
        return


class CovarianceAdaptation(Strategy):
    """CMA-ES over latents (Hansen, 2016, arXiv:1604.00772), of the `cmaes` package.

    Starts as wide as asked for around a latent. When it has narrowed down to molecules that
    it knows already, it starts anew from the best one: as wide as at first after a gain,
    wider each time that there was none.

    Args:
        codec: The model.
        start: The latent to start around, (D,).
        score: How good its molecule is.
        width: Standard deviation at the start.
        seed: Of everything random.
    """

    POPULATION, WIDENING, WIDEST = 24, 1.5, 3.0

    def __init__(
        self, codec: Codec, start: np.ndarray, score: float, width: float, seed: int
    ) -> None:
        self._codec, self._first_width, self._seed = codec, width, seed
        self._width = width
        self._best, self._best_score = start, score
        self._restarts = 0
        self._seen: set[str] = set()
        self._begin()

    def ask(self) -> list[Decoded]:
        """A population, decoded greedily."""
        self._asked = np.array([self._search.ask() for _ in range(self.POPULATION)])
        self._molecules = self._codec.decode(self._asked.astype(np.float32))
        return self._molecules

    def tell(self, scores: Sequence[float]) -> None:
        """Move towards the better half."""
        finite = [score for score in scores if np.isfinite(score)]
        worst = min(finite, default=0.0) - 1.0
        losses = [-(score if np.isfinite(score) else worst) for score in scores]
        self._search.tell(list(zip(self._asked, losses, strict=True)))
        top = int(np.argmax(scores))
        if scores[top] > self._best_score:
            self._best, self._best_score = self._asked[top], scores[top]
            self._width = self._first_width
        new = {one.smiles for one in self._molecules if one.smiles} - self._seen
        self._seen |= new
        if len(new) <= self.POPULATION // 8 or self._search.should_stop():
            self._restarts += 1
            self._begin()
            self._width = min(self.WIDEST, self.WIDENING * self._width)

    def _begin(self) -> None:
        import cmaes  # here: it takes scipy.stats along, most of a second of each start

        self._search = cmaes.CMA(
            mean=self._best.astype(float),
            sigma=self._width,
            population_size=self.POPULATION,
            seed=(self._seed + self._restarts) % 2**32,
        )


class GradientAscent(Strategy):
    """Steps along the slope of a head, from given latents, then from draws of the prior.

    Each molecule starts at a latent of its own. A step goes a fixed length along the slope of
    the head, then is drawn back towards the origin, where the prior has its mass.

    Args:
        codec: The model.
        head: A property that it predicts.
        aim: What is wanted of that.
        starts: Latents to start from, (N, D).
        seed: Of the starts that follow when all of these are exhausted.
    """

    STEP, DRAW_BACK, STEPS = 0.5, 0.02, 24

    def __init__(
        self, codec: Codec, head: str, aim: Desirability, starts: np.ndarray, seed: int
    ) -> None:
        self._codec, self._head, self._aim = codec, head, aim
        self._latents, self._age = starts.astype(np.float32), 0
        self._seed, self._restarts = seed, 0

    def ask(self) -> list[Decoded]:
        """The next point of each ascent, decoded greedily."""
        if self._age:
            self._latents = self._stepped(self._latents)
        self._age += 1
        return self._codec.decode(self._latents)

    def tell(self, scores: Sequence[float]) -> None:
        """Start anew after the last step; the scores themselves aren't used."""
        if self._age > self.STEPS:
            self._age, self._restarts = 0, self._restarts + 1
            seed = (self._seed + self._restarts) % 2**32
            self._latents = self._codec.draw(len(self._latents), seed)

    def _stepped(self, latents: np.ndarray) -> np.ndarray:
        slope = self._codec.slope(latents, self._head) * self._ways(latents)
        length = np.linalg.norm(slope, axis=1, keepdims=True)
        direction = np.divide(slope, length, out=np.zeros_like(slope), where=length > 0)
        stepped: np.ndarray = (1 - self.DRAW_BACK) * latents + self.STEP * direction
        return stepped

    def _ways(self, latents: np.ndarray) -> np.ndarray:
        """1 where the head should rise, -1 where it should fall, 0 where all is well: (N, 1)."""
        place = self._codec.property_names.index(self._head)
        predicted, (low, high) = self._codec.predict(latents)[:, place], self._aim.best
        ways = (predicted < low).astype(np.float32) - (predicted > high).astype(np.float32)
        return ways[:, None]
