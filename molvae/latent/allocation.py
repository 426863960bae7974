"""Where the next draws go: to the levels of a dial that still yield what is new."""

from __future__ import annotations

import numpy as np

from molvae import settings as checks


class Allocation:
    """Shares draws among levels by the chance that each has of yielding something new.

    That chance is the share of the level's draws whose outcome was seen once in all draws, at
    whatever level (Good, 1953, doi:10.1093/biomet/40.3-4.237): it falls as what a level can reach
    is exhausted, and where other levels reach the same. Each draw goes to the level that is best
    after a chance of each was drawn from what is known of it (Thompson, 1933,
    doi:10.1093/biomet/25.3-4.285), so that levels seen seldom are tried again.

    Args:
        levels: How many there are.
        seed: Of what is random.

    Attributes:
        drawn: Draws of each level, (L,) int64.
        once: Those of them whose outcome was seen once, (L,) int64.
    """

    def __init__(self, levels: int, seed: int) -> None:
        self.drawn = np.zeros(levels, dtype=np.int64)
        self.once = np.zeros(levels, dtype=np.int64)
        self._levels: dict[str, int | None] = {}
        self._random = np.random.default_rng([checks.seed(seed), 3])

    def spread(self, rows: int) -> np.ndarray:
        """Levels in turn, the least drawn first, (N,)."""
        order = np.argsort(self.drawn, kind="stable")
        return np.asarray(order[np.arange(rows) % len(order)])

    def ask(self, rows: int) -> np.ndarray:
        """Levels to draw from next, (N,)."""
        seldom, often = self.once + 0.5, self.drawn - self.once + 0.5  # Jeffreys' prior
        chances = self._random.beta(seldom, often, size=(rows, len(self.drawn)))
        return np.asarray(chances.argmax(axis=1))

    def tell(self, level: int, outcome: str) -> None:
        """What a draw of a level gave; an empty outcome is worth nothing."""
        self.drawn[level] += 1
        if not outcome:
            return
        if outcome not in self._levels:
            self._levels[outcome] = level
            self.once[level] += 1
        elif (first := self._levels[outcome]) is not None:
            self._levels[outcome] = None
            self.once[first] -= 1
