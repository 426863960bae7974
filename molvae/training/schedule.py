"""Learning rate and beta as functions of the step, and the plan that a clock makes of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from molvae.training.config import TrainingConfig

PROBE_SHARE = 0.08
"""The part of a limit in minutes after which the remaining steps are planned."""

SAFETY = 0.97
"""The part of the remaining time that the plan uses."""


@dataclass
class Schedule:
    """What each step is done with.

    A limit in minutes becomes a number of steps once the speed is known, so that the
    schedule ends where it should and the run can be repeated by its number of steps.

    Attributes:
        config: How the network is trained.
        steps: Planned steps.
        settled: Whether the plan is final.
    """

    config: TrainingConfig
    steps: int
    settled: bool

    @classmethod
    def plan(cls, config: TrainingConfig, steps_per_epoch: int) -> Schedule:
        """The plan before anything is known of the machine's speed."""
        steps = config.planned_steps(steps_per_epoch)
        return cls(config, steps, settled=config.max_minutes is None)

    def settle(self, step: int, seconds: float) -> None:
        """Plan the steps that a limit in minutes allows, once enough of it has been seen."""
        if self.settled or self.config.max_minutes is None:
            return
        limit = 60 * self.config.max_minutes
        if seconds >= PROBE_SHARE * limit and step >= 3:
            affordable = step + int(SAFETY * (limit - seconds) * step / seconds)
            self.steps = max(step, min(self.steps, affordable))
            self.settled = True

    def out_of_time(self, seconds: float) -> bool:
        """Whether the limit in minutes is reached, plan or no plan."""
        return self.config.max_minutes is not None and seconds >= 60 * self.config.max_minutes

    def learning_rate(self, step: int) -> float:
        """Linear warm-up over 5% of the steps, 500 at most; then a cosine to zero."""
        warmup = max(1, min(500, self.steps // 20))
        if step < warmup:
            return self.config.learning_rate * (step + 1) / warmup
        share = min(1.0, (step - warmup) / max(1, self.steps - warmup))
        return self.config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))

    def beta(self, step: int) -> float:
        """Linear from 0 over the warm-up, then constant."""
        warmup = self.config.beta_warmup * self.steps
        return self.config.beta * min(1.0, (step + 1) / warmup) if warmup >= 1 else self.config.beta
