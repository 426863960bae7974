"""The learning rate as a function of the step, and the plan that a clock makes of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from molvae.training.config import TrainingConfig

PLANS = 20
"""How often the steps that a limit in minutes allows are planned anew."""

SAFETY = 0.97
"""The part of the remaining time that a plan uses."""


@dataclass
class Schedule:
    """What each step is done with.

    A limit in minutes becomes a number of steps, estimated from the speed so far and
    corrected as training goes, so that the schedule is at its end when the time is.

    Attributes:
        config: How the network is trained.
        steps: Planned steps.
        most: Steps that are taken when no clock ends training sooner.
        plans: How often the clock has been asked.
    """

    config: TrainingConfig
    steps: int
    most: int
    plans: int = 0

    @classmethod
    def plan(cls, config: TrainingConfig, steps_per_epoch: int) -> Schedule:
        """The plan before anything is known of the machine's speed."""
        steps = config.planned_steps(steps_per_epoch)
        return cls(config, steps, most=steps)

    def settle(self, step: int, seconds: float) -> None:
        """Plan the steps that the limit in minutes allows, each time that a part of it is over."""
        if self.config.max_minutes is None or step < 3:
            return
        limit = 60 * self.config.max_minutes
        if seconds >= (self.plans + 1) / PLANS * limit:
            self.plans = int(PLANS * seconds / limit)
            affordable = step + int(SAFETY * (limit - seconds) * step / seconds)
            self.steps = max(step, min(self.most, affordable))

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
