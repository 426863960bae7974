"""A stopwatch for training loops, the same for every trainer that is compared."""

from __future__ import annotations

import time
from dataclasses import dataclass

FEWEST = 3
"""Steps that warm up, at least, and steps that are timed, at least."""


@dataclass
class Stopwatch:
    """Counts what is done after the warm-up: three steps, and a fifth of the seconds to measure.

    Attributes:
        limit: Seconds to measure.
        steps: Steps timed.
        molecules: Molecules in them.
        tokens: Tokens of those, when the trainer tells.
        seconds: What the steps took, the making of their batches included.
    """

    limit: float
    steps: int = 0
    molecules: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._made = time.perf_counter()
        self._warm: float | None = None
        self._warming = 0

    def step(self, molecules: int, tokens: int = 0) -> None:
        """A step is done."""
        now = time.perf_counter()
        if self._warm is None:
            self._warming += 1
            if self._warming >= FEWEST and now - self._made >= self.limit / 5:
                self._warm = now
            return
        self.steps += 1
        self.molecules += molecules
        self.tokens += tokens
        self.seconds = now - self._warm

    @property
    def over(self) -> bool:
        """Whether enough is measured."""
        return self.steps >= FEWEST and self.seconds >= self.limit
