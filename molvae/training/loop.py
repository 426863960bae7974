"""The loop: batches in, a trained network out."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from molvae.corpus.batches import Batch, Batches
from molvae.errors import TrainingError
from molvae.network.objective import Loss, evaluate_loss
from molvae.network.vae import SequenceVAE
from molvae.training.config import TrainingConfig
from molvae.training.precision import MasterWeights, choose
from molvae.training.schedule import Schedule

LOOKS = 40
"""Looks at the held-out molecules over a planned run."""


@dataclass(frozen=True)
class Progress:
    """What is known of training after a step.

    Attributes:
        step: Steps done.
        steps: Steps planned.
        epoch: Epochs done, a fraction.
        distortion: Nats per molecule, mean over the steps since the last look.
        rate: Nats per molecule, likewise.
        property_error: Likewise, see `Loss`.
        beta: Of this step.
        learning_rate: Of this step.
        held_out_loss: The objective on the held-out molecules at the full beta; NaN between
            looks.
        molecules_per_second: Since the start.
        seconds: Since the start.
    """

    step: int
    steps: int
    epoch: float
    distortion: float
    rate: float
    property_error: float
    beta: float
    learning_rate: float
    held_out_loss: float
    molecules_per_second: float
    seconds: float


@dataclass
class Outcome:
    """How training ended. The network holds the weights of the best look.

    Attributes:
        steps: Steps done.
        epochs: Epochs done, a fraction.
        molecules: Molecules seen.
        best_step: The step whose weights were kept.
        held_out_loss: The best held-out loss, nats per molecule.
        ending: "complete", "early stop", "time" or "interrupted".
        precision: "bf16" or "fp32".
        seconds: Wall-clock time of the loop.
    """

    steps: int = 0
    epochs: float = 0.0
    molecules: int = 0
    best_step: int = 0
    held_out_loss: float = math.inf
    ending: str = "complete"
    precision: str = "fp32"
    seconds: float = 0.0


@dataclass
class _Running:
    """Sums since the last look, kept on the device so that no step waits for it."""

    sums: Tensor
    steps: int = 0

    def add(self, loss: Loss) -> None:
        parts = (loss.distortion, loss.rate, loss.property_error)
        self.sums += torch.stack([part.detach().mean() for part in parts])
        self.steps += 1

    def take(self) -> list[float]:
        means: list[float] = (self.sums / max(1, self.steps)).tolist()
        self.sums.zero_()
        self.steps = 0
        return means


@dataclass
class Watch:
    """Who is told what happens.

    Attributes:
        on_step: Called after each step with the number of molecules in it.
        on_look: Called after each look at the held-out molecules.
    """

    on_step: Callable[[int], None] = field(default=lambda molecules: None)
    on_look: Callable[[Progress], None] = field(default=lambda progress: None)


def fit(
    network: SequenceVAE,
    training: Batches,
    held_out: Batches | None,
    config: TrainingConfig,
    watch: Watch | None = None,
) -> Outcome:
    """Train a network in place, and leave it with the weights of the best look.

    A KeyboardInterrupt ends training as a limit would: the best weights stay, and the
    outcome says so.

    Args:
        network: The fp32 network, on the device to train on.
        training: Batches whose properties are in standard units.
        held_out: Batches to choose the best weights by; without any, the last are kept.
        config: How.
        watch: Who is told.

    Raises:
        TrainingError: When the loss isn't finite.
    """
    watch = watch or Watch()
    torch.manual_seed(config.seed)
    weights = MasterWeights(network, choose(config.precision, network.device))
    outcome = Outcome(precision="fp32" if weights.working is network else "bf16")
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = Schedule.plan(config, len(training))
    noise = torch.Generator().manual_seed(config.seed)
    running = _Running(torch.zeros(3, device=network.device))
    best = copy.deepcopy(network.state_dict())
    start, patience = time.monotonic(), config.patience
    try:
        for batch in _forever(training):
            seconds = time.monotonic() - start
            schedule.settle(outcome.steps, seconds)
            if outcome.steps >= schedule.steps:
                break
            if schedule.out_of_time(seconds):
                outcome.ending = "time"
                break
            beta = schedule.beta(outcome.steps)
            learning_rate = schedule.learning_rate(outcome.steps)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate
            loss = _loss(weights.working, batch, noise)
            loss.total(beta, config.property_weight).backward()  # type: ignore[no-untyped-call]  # torch
            weights.collect_gradients()
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            weights.spread_weights()
            running.add(loss)
            outcome.steps += 1
            outcome.molecules += len(batch.lengths)
            outcome.epochs = outcome.molecules / training.molecules
            watch.on_step(len(batch.lengths))
            if _is_look(outcome.steps, schedule.steps):
                means = running.take()
                _require_finite(means, outcome.steps, learning_rate)
                held_out_loss = (
                    mean_loss(weights.working, held_out, config) if held_out else math.nan
                )
                seconds = time.monotonic() - start
                watch.on_look(
                    Progress(
                        outcome.steps,
                        schedule.steps,
                        outcome.epochs,
                        *means,
                        beta,
                        learning_rate,
                        held_out_loss,
                        outcome.molecules / seconds,
                        seconds,
                    )
                )
                if held_out is None or held_out_loss < outcome.held_out_loss:
                    outcome.held_out_loss, outcome.best_step = held_out_loss, outcome.steps
                    best = copy.deepcopy(network.state_dict())
                    patience = config.patience
                elif outcome.steps >= config.beta_warmup * schedule.steps:
                    patience -= 1
                    if patience == 0:
                        outcome.ending = "early stop"
                        break
    except KeyboardInterrupt:
        outcome.ending = "interrupted"
    outcome.seconds = time.monotonic() - start
    network.load_state_dict(best)
    return outcome


@torch.no_grad()
def mean_loss(network: SequenceVAE, batches: Batches, config: TrainingConfig) -> float:
    """The objective at the full beta over all batches, nats per molecule.

    The latents are drawn with the same noise each time, so that two looks compare.
    """
    noise = torch.Generator().manual_seed(config.seed)
    network.eval()
    total = 0.0
    for batch in batches.epoch(0):
        loss = _loss(network, batch, noise)
        total += float(loss.total(config.beta, config.property_weight)) * len(batch.lengths)
    network.train()
    return total / batches.molecules


def _forever(batches: Batches) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from batches.epoch(epoch)
        epoch += 1


def _loss(network: SequenceVAE, batch: Batch, generator: torch.Generator) -> Loss:
    device = network.device
    noise = torch.randn(len(batch.lengths), network.config.latent_dim, generator=generator)
    return evaluate_loss(
        network,
        torch.from_numpy(batch.token_ids).to(device, non_blocking=True),
        torch.from_numpy(batch.lengths).to(device, non_blocking=True),
        torch.from_numpy(batch.properties).to(device, non_blocking=True),
        noise.to(device, non_blocking=True),
    )


def _is_look(step: int, steps: int) -> bool:
    return step % max(1, steps // LOOKS) == 0 or step == steps


def _require_finite(means: list[float], step: int, learning_rate: float) -> None:
    if not all(map(math.isfinite, means)):
        raise TrainingError(
            f"The loss is not finite at step {step:,} (learning rate {learning_rate:.2g}). "
            "Train again with a smaller --learning-rate, or with --precision fp32."
        )
