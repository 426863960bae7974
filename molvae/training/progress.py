"""What training tells of itself, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from molvae.training.held_out import HeadFit
from molvae.training.state import State


@dataclass(frozen=True)
class Progress:
    """What is known of training at a look.

    Attributes:
        step: Steps done.
        steps: Steps planned.
        epoch: Epochs done, a fraction.
        distortion: Nats per molecule, mean over the steps since the last look.
        rate: Nats per molecule, likewise.
        property_error: Likewise, over all molecules, each value counting once; see `Loss`.
        exact: Share of the training molecules that greedy decoding gives back, likewise.
        blurred: Distortion given noisy latents, likewise; None without any.
        beta: Of this step.
        learning_rate: Of this step.
        held_out_loss: The objective on the held-out molecules at the full beta; None without
            any.
        molecules_per_second: Since the start.
        seconds: Since the start.
        heads: How the property heads do on the held-out molecules, one each; none without any.
    """

    step: int
    steps: int
    epoch: float
    distortion: float
    rate: float
    property_error: float
    exact: float
    blurred: float | None
    beta: float
    learning_rate: float
    held_out_loss: float | None
    molecules_per_second: float
    seconds: float
    heads: tuple[HeadFit, ...] = ()


@dataclass
class Outcome:
    """How training ended. The network holds the weights of the best look.

    Attributes:
        steps: Steps done.
        epochs: Epochs done, a fraction.
        molecules: Molecules seen.
        best_step: The step whose weights were kept.
        held_out_loss: The best held-out loss, nats per molecule; None without held-out molecules.
        beta: At the last look.
        ending: "complete", "early stop", "time" or "interrupted".
        precision: "bf16" or "fp32".
        seconds: Wall-clock time of the loop.
    """

    steps: int = 0
    epochs: float = 0.0
    molecules: int = 0
    best_step: int = 0
    held_out_loss: float | None = None
    beta: float | None = None
    ending: str = "complete"
    precision: str = "fp32"
    seconds: float = 0.0


@dataclass
class Watch:
    """Who is told what happens, and who may end it.

    Attributes:
        on_step: Called after each step with the steps planned.
        on_look: Called after each look at the held-out molecules.
        on_state: Called with each state point; without it none is made.
        stop_asked: Asked before each step whether to stop, save and leave.
    """

    on_step: Callable[[int], None] = field(default=lambda steps: None)
    on_look: Callable[[Progress], None] = field(default=lambda progress: None)
    on_state: Callable[[State], None] | None = None
    stop_asked: Callable[[], bool] = field(default=lambda: False)
