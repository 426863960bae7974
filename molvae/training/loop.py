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

LOOKS = 20
"""Looks at the held-out molecules over a planned run."""


@dataclass(frozen=True)
class Progress:
    """What is known of training at a look.

    Attributes:
        step: Steps done.
        steps: Steps planned.
        epoch: Epochs done, a fraction.
        distortion: Nats per molecule, mean over the steps since the last look.
        rate: Nats per molecule, likewise.
        property_error: Likewise, see `Loss`.
        beta: Of this step.
        learning_rate: Of this step.
        held_out_loss: The objective on the held-out molecules at the full beta; None without
            any.
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
    held_out_loss: float | None
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
        held_out_loss: The best held-out loss, nats per molecule; None without held-out molecules.
        ending: "complete", "early stop", "time" or "interrupted".
        precision: "bf16" or "fp32".
        seconds: Wall-clock time of the loop.
    """

    steps: int = 0
    epochs: float = 0.0
    molecules: int = 0
    best_step: int = 0
    held_out_loss: float | None = None
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
        on_step: Called after each step with the number of steps planned.
        on_look: Called after each look at the held-out molecules.
    """

    on_step: Callable[[int], None] = field(default=lambda steps: None)
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
    run = _Run(network, training, held_out, config, watch or Watch())
    try:
        for batch in _forever(training):
            if run.is_over():
                break
            run.step(batch)
            if run.is_time_to_look():
                run.look()
        run.look_once_more()
    except KeyboardInterrupt:
        run.outcome.ending = "interrupted"
    return run.finish()


class _Run:
    """The state of a training run."""

    def __init__(
        self,
        network: SequenceVAE,
        training: Batches,
        held_out: Batches | None,
        config: TrainingConfig,
        watch: Watch,
    ) -> None:
        self.network, self.training, self.held_out = network, training, held_out
        self.config, self.watch = config, watch
        self.weights = MasterWeights(network, choose(config.precision, network.device))
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.schedule = Schedule.plan(config, len(training))
        self.noise = torch.Generator().manual_seed(config.seed)
        self.running = _Running(torch.zeros(3, device=network.device))
        precision = "fp32" if self.weights.working is network else "bf16"
        self.outcome = Outcome(precision=precision)
        self.best: dict[str, Tensor] | None = None
        self.patience = config.patience
        self.started = time.monotonic()
        torch.manual_seed(config.seed)  # for dropout
        network.train()

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def is_over(self) -> bool:
        """Whether the plan is done, its time is up or the patience is out."""
        seconds = self.seconds()
        if self.outcome.steps >= self.schedule.steps:
            return True
        if self.outcome.steps and self.schedule.out_of_time(seconds):
            self.outcome.ending = "time"
        elif self.patience == 0:
            self.outcome.ending = "early stop"
        self.schedule.settle(self.outcome.steps, seconds)
        return self.outcome.ending != "complete"

    def step(self, batch: Batch) -> None:
        """Learn from a batch."""
        outcome = self.outcome
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.learning_rate(outcome.steps)
        loss = _loss(self.weights.working, batch, self.noise)
        total = loss.total(self.schedule.beta(outcome.steps), self.config.property_weight)
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.weights.collect_gradients()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.weights.spread_weights()
        self.running.add(loss)
        outcome.steps += 1
        outcome.molecules += len(batch.lengths)
        outcome.epochs = outcome.molecules / self.training.molecules
        self.watch.on_step(self.schedule.steps)

    def is_time_to_look(self) -> bool:
        step, steps = self.outcome.steps, self.schedule.steps
        return step % max(1, steps // LOOKS) == 0 or step == steps

    def look_once_more(self) -> None:
        """Look at the last weights, if no look has seen them."""
        if self.running.steps:
            self.look()

    def look(self) -> None:
        """Measure the held-out loss, tell, and keep the weights if they are the best."""
        outcome, step = self.outcome, self.outcome.steps - 1
        learning_rate, beta = self.schedule.learning_rate(step), self.schedule.beta(step)
        means = self.running.take()
        _require_finite(means, outcome.steps, learning_rate)
        held_out_loss = None
        if self.held_out is not None:
            held_out_loss = mean_loss(self.weights.working, self.held_out, self.config)
            _require_finite([held_out_loss], outcome.steps, learning_rate)
        self._keep_if_best(held_out_loss)
        seconds = self.seconds()
        self.watch.on_look(
            Progress(
                step=outcome.steps,
                steps=self.schedule.steps,
                epoch=outcome.epochs,
                distortion=means[0],
                rate=means[1],
                property_error=means[2],
                beta=beta,
                learning_rate=learning_rate,
                held_out_loss=held_out_loss,
                molecules_per_second=outcome.molecules / seconds,
                seconds=seconds,
            )
        )

    def finish(self) -> Outcome:
        """Leave the network with its best weights."""
        self.outcome.seconds = self.seconds()
        if self.best is not None:
            self.network.load_state_dict(self.best)
        self.network.eval()
        return self.outcome

    def _keep_if_best(self, held_out_loss: float | None) -> None:
        before = self.outcome.held_out_loss
        if held_out_loss is None:
            self.outcome.best_step = self.outcome.steps
        elif before is None or held_out_loss < before:
            self.outcome.held_out_loss = held_out_loss
            self.outcome.best_step = self.outcome.steps
            self.best = copy.deepcopy(self.network.state_dict())
            self.patience = self.config.patience
        elif self.outcome.steps >= self.config.beta_warmup * self.schedule.steps:
            self.patience -= 1


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


def _require_finite(means: list[float], step: int, learning_rate: float) -> None:
    if not all(map(math.isfinite, means)):
        raise TrainingError(
            f"The loss is not finite at step {step:,} (learning rate {learning_rate:.2g}). "
            "Train again with a smaller --learning-rate, or with --precision fp32."
        )
