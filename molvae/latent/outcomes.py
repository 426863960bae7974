"""How a property of generated molecules falls, beside that of plain draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fall:
    """How the values of a property fall.

    Attributes:
        molecules: That have a value.
        mean: Of the values; NaN where there is none.
        deviation: Their standard deviation; NaN where there is none.
        inside: The share of them that meets the condition; NaN where there is none.
    """

    molecules: int
    mean: float
    deviation: float
    inside: float

    @classmethod
    def of(cls, values: np.ndarray, held: np.ndarray) -> Fall:
        """Of values, (N,), NaN for none, and whether each meets the condition, (N,)."""
        there = np.isfinite(values)
        if not there.any():
            return cls(0, float("nan"), float("nan"), float("nan"))
        known = values[there]
        return cls(len(known), float(known.mean()), float(known.std()), float(held[there].mean()))

    def __str__(self) -> str:
        if not self.molecules:
            return "no molecule"
        return f"mean {self.mean:.3g}, spread {self.deviation:.2g}, {self.inside:.0%} inside"


@dataclass(frozen=True)
class Outcome:
    """What came of a condition.

    Attributes:
        condition: As it was written.
        quantity: What was found of the molecules: the name of a property that RDKit computed, or
            ``predicted_NAME``: what the head says of a molecule encoded again.
        given: How it falls where the conditions were given.
        plain: How it falls without them, at the same settings.
    """

    condition: str
    quantity: str
    given: Fall
    plain: Fall

    def __str__(self) -> str:
        return (
            f"{self.condition}: {self.quantity} has {self.given}; "
            f"without conditions {self.plain} ({self.plain.molecules:,} molecules)."
        )
