"""What a report is told of the training of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from molvae.checkpoint import Checkpoint


@dataclass(frozen=True)
class Training:
    """Facts of a training run; None for what isn't known.

    Attributes:
        steps: Steps done.
        best_step: The step whose weights were kept.
        epochs: Passes over the training molecules, a fraction.
        beta: Weight of the KL at the end, in ELBO units.
        labels: Training molecules that had a value, by property.
    """

    steps: int | None = None
    best_step: int | None = None
    epochs: float | None = None
    beta: float | None = None
    labels: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Training:
        """The facts in a checkpoint; one that was written by other code may lack some."""
        outcome: dict[str, Any] = checkpoint.record.get("outcome", {})
        asked: dict[str, Any] = checkpoint.record.get("training", {})
        # A controller keeps the last weights, whatever the held-out loss says.
        controlled = asked.get("target_rate") or asked.get("target_reconstruction")
        return cls(
            steps=outcome.get("steps"),
            best_step=None if controlled else outcome.get("best_step"),
            epochs=outcome.get("epochs"),
            beta=outcome.get("beta", asked.get("beta")),
            labels={scale.name: scale.count for scale in checkpoint.properties},
        )


def spread(total: int, count: int) -> np.ndarray:
    """At most ``count`` places among ``total``, evenly spread: (min(total, count),) int64.

    >>> spread(10, 4), spread(2, 4)
    (array([0, 3, 6, 9]), array([0, 1]))
    """
    if total <= count:
        return np.arange(total)
    return np.linspace(0, total - 1, count).round().astype(np.int64)
