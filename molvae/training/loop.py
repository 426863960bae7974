"""The loop: batches in, a trained network out."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from molvae.corpus.batches import Batch, Batches
from molvae.errors import TrainingError
from molvae.network.objective import Loss, evaluate_loss
from molvae.network.vae import SequenceVAE
from molvae.training.balance import Balance
from molvae.training.config import TrainingConfig
from molvae.training.precision import MasterWeights, choose
from molvae.training.schedule import Schedule
from molvae.training.state import State, optimiser_tensors, prefixed, restore_optimiser
from molvae.training.team import Team

LOOKS = 20
"""Looks at the held-out molecules over a planned run."""


CONSULTATIONS = 10
"""Steps between two questions of a team whether to stop."""


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
        exact: Share of the training molecules that greedy decoding gives back, likewise.
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
    exact: float
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
        on_step: Called after each step with the steps done and the steps planned.
        on_look: Called after each look at the held-out molecules.
        on_state: Called with each state point; without it none is made.
        stop_asked: Asked before each step whether to stop, save and leave.
    """

    on_step: Callable[[int, int], None] = field(default=lambda step, steps: None)
    on_look: Callable[[Progress], None] = field(default=lambda progress: None)
    on_state: Callable[[State], None] | None = None
    stop_asked: Callable[[], bool] = field(default=lambda: False)


def fit(
    network: SequenceVAE,
    training: Batches,
    held_out: Batches | None,
    config: TrainingConfig,
    watch: Watch | None = None,
    state: State | None = None,
    team: Team | None = None,
) -> Outcome:
    """Train a network in place, and leave it with the weights of the best look.

    Whoever goes on from a state point, on the same machine with as many threads, ends with the
    weights, bit for bit, of the run that was never interrupted.

    Args:
        network: The fp32 network, on the device to train on.
        training: Batches whose properties are in standard units.
        held_out: Batches to choose the best weights by; without any, the last are kept.
        config: How.
        watch: Who is told; in a team, state points and looks are told in its first process only.
        state: Where to go on from.
        team: The processes that train together; each calls this with the same arguments.

    Raises:
        TrainingError: When the loss isn't finite. No state point holds such a step.
    """
    run = _Run(network, training, held_out, config, watch or Watch(), state, team or Team())
    if state is None:
        run.save()
    for batch in run.batches():
        if run.is_over():
            break
        run.step(batch)
        if run.is_time_to_look():
            run.look()
        if run.is_time_to_save():
            run.save()
    if run.outcome.ending == "interrupted":
        run.save()
    elif run.running.molecules:  # the last weights, if no look has seen them
        run.look()
    return run.finish()


class _Running:
    """Sums over molecules since the last look, kept on the device so that no step waits for it."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(4, device=device)
        self.molecules = 0

    def add(self, loss: Loss, counts: bool) -> None:
        """Add the molecules of a step, if they are this process's own."""
        if not counts:
            return
        parts = (loss.distortion, loss.rate, loss.property_error, loss.exact.float())
        self.sums += torch.stack([part.detach().sum() for part in parts])
        self.molecules += len(loss.distortion)

    def means(self, team: Team) -> list[float]:
        """The means over the molecules of the whole team."""
        sums = team.sum(torch.cat([self.sums, self.sums.new_tensor([self.molecules])])).tolist()
        return [one / max(1.0, sums[-1]) for one in sums[:-1]]

    def clear(self) -> None:
        self.sums.zero_()
        self.molecules = 0


class _Run:
    """The state of a training run."""

    def __init__(
        self,
        network: SequenceVAE,
        training: Batches,
        held_out: Batches | None,
        config: TrainingConfig,
        watch: Watch,
        state: State | None,
        team: Team,
    ) -> None:
        self.network, self.training, self.held_out = network, training, held_out
        self.config, self.watch, self.team = config, watch, team
        precision = config.precision if state is None else state.facts["outcome"]["precision"]
        self.weights = MasterWeights(network, choose(precision, network.device))
        self.objective = team.wrap(_Objective(self.weights.working))
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.schedule = Schedule.plan(config, len(training))
        self.balance = Balance(config, network.device)
        self.noise = torch.Generator().manual_seed(config.seed)
        self.running = _Running(network.device)
        kind = "fp32" if self.weights.working is network else "bf16"
        self.outcome = Outcome(precision=kind)
        self.best: dict[str, Tensor] | None = None
        self.patience = config.patience
        self.epoch, self.place = 0, 0
        self.seconds_before, self.saved = 0.0, time.monotonic()
        torch.manual_seed(config.seed)  # for dropout
        if state is not None:
            self._restore(state)
        self.started = time.monotonic()
        network.train()

    def batches(self) -> Iterator[Batch]:
        """The batches from the present place on, without end."""
        while True:
            yield from self.training.epoch(self.epoch, start=self.place)
            self.epoch, self.place = self.epoch + 1, 0

    def seconds(self) -> float:
        """Time spent in the loop, that before a resumption included."""
        return self.seconds_before + time.monotonic() - self.started

    def is_over(self) -> bool:
        """Whether the plan is done, its time is up, the patience is out, or somebody asked."""
        if self.outcome.steps >= self.schedule.steps:
            return True
        if self.patience == 0:
            self.outcome.ending = "early stop"
        elif self.team.size == 1 or self.outcome.steps % CONSULTATIONS == 0:
            # Clocks and signals differ between processes, so all go by the latest and the loudest.
            asked, seconds = self.team.largest(self.watch.stop_asked(), self.seconds())
            if asked:
                self.outcome.ending = "interrupted"
            elif self.outcome.steps and self.schedule.out_of_time(seconds):
                self.outcome.ending = "time"
            self.schedule.settle(self.outcome.steps, seconds)
        return self.outcome.ending != "complete"

    def step(self, batch: Batch) -> None:
        """Learn from a batch."""
        outcome, config = self.outcome, self.config
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.learning_rate(outcome.steps)
        loss = self._loss(self.objective, batch, self.noise)
        beta = self.balance.beta(outcome.steps, self.schedule.steps)
        total = loss.total(beta, config.property_weight, config.free_bits)
        (total * self.team.weight(len(batch.lengths))).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.weights.collect_gradients()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.weights.spread_weights()
        if self.balance.controls:
            self.balance.learn(self._mean(self.balance.seen(loss), batch))
        self.running.add(loss, self.team.weight(len(batch.lengths)) > 0)
        outcome.steps += 1
        outcome.molecules += len(batch.lengths)
        outcome.epochs = outcome.molecules / self.training.molecules
        self.place += 1
        self.watch.on_step(outcome.steps, self.schedule.steps)

    def is_time_to_look(self) -> bool:
        step, steps = self.outcome.steps, self.schedule.steps
        return step % max(1, steps // LOOKS) == 0 or step == steps

    def is_time_to_save(self) -> bool:
        due = self.outcome.steps % self.config.state_every == 0 or self.place == len(self.training)
        if not due:
            return False
        (since,) = self.team.largest(time.monotonic() - self.saved)
        return since >= self.config.state_seconds

    def look(self) -> None:
        """Measure the held-out loss, tell, and keep the weights if they are the best."""
        outcome, step = self.outcome, self.outcome.steps - 1
        means = self.running.means(self.team)
        self._require_finite(means)
        self.running.clear()
        held_out_loss = None
        if self.held_out is not None:
            held_out_loss = self._held_out_loss(self.held_out)
            self._require_finite([held_out_loss])
        outcome.beta = float(self.balance.beta(step, self.schedule.steps))
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
                exact=means[3],
                beta=outcome.beta,
                learning_rate=self.schedule.learning_rate(step),
                held_out_loss=held_out_loss,
                molecules_per_second=outcome.molecules / seconds,
                seconds=seconds,
            )
        )

    def save(self) -> None:
        """Make a state point, if somebody wants it."""
        self._require_finite(self.running.means(self.team))
        if self.watch.on_state is not None:
            self.watch.on_state(self._state())
        self.saved = time.monotonic()

    def finish(self) -> Outcome:
        """Leave the network with its best weights."""
        self.outcome.seconds = self.seconds()
        if self.best is not None:
            self.network.load_state_dict(self.best)
        self.network.eval()
        return self.outcome

    def _keep_if_best(self, held_out_loss: float | None) -> None:
        before = self.outcome.held_out_loss
        # A controller moves beta, so losses of two looks don't compare: the last weights are kept.
        if held_out_loss is None or self.balance.controls:
            self.outcome.held_out_loss = held_out_loss
            self.outcome.best_step = self.outcome.steps
        elif before is None or held_out_loss < before:
            self.outcome.held_out_loss = held_out_loss
            self.outcome.best_step = self.outcome.steps
            self.best = copy.deepcopy(self.network.state_dict())
            self.patience = self.config.patience
        elif self.outcome.steps >= self.config.beta_warmup * self.schedule.steps:
            self.patience -= 1

    def _loss(self, objective: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """The loss on this process's rows of a batch."""
        device = self.network.device
        noise = torch.randn(len(batch.lengths), self.network.config.latent_dim, generator=generator)
        part = self.team.part(batch)
        rows = self.team.rows(len(batch.lengths)) if self.team.size > 1 else slice(None)
        loss: Loss = objective(
            *_moved((part.token_ids, part.lengths), device),
            torch.from_numpy(part.properties).to(device, non_blocking=True),
            noise[rows].to(device, non_blocking=True),
            part.inputs and _moved(part.inputs, device),
        )
        return loss

    @torch.no_grad()
    def _held_out_loss(self, batches: Batches) -> float:
        """The objective at the full beta over all batches, nats per molecule.

        The latents are drawn with the same noise each time, so that two looks compare.
        """
        noise = torch.Generator().manual_seed(self.config.seed)
        self.network.eval(), self.weights.working.eval()
        objective, total = _Objective(self.weights.working), torch.zeros((), dtype=torch.float64)
        for batch in batches.epoch(0):
            loss = self._loss(objective, batch, noise)
            mean = loss.total(self.config.beta, self.config.property_weight).double().cpu()
            share = self.team.weight(len(batch.lengths)) / self.team.size
            total += mean * share * len(batch.lengths)
        self.network.train(), self.weights.working.train()
        return float(self.team.sum(total)) / batches.molecules

    def _mean(self, values: Tensor, batch: Batch) -> Tensor:
        """The mean over a batch, of which this process has its rows."""
        share = self.team.weight(len(batch.lengths)) / self.team.size
        return self.team.sum(values.detach().double().mean() * share)

    def _state(self) -> State:
        tensors = {
            **prefixed("network.", self.network.state_dict()),
            **prefixed("best.", self.best or {}),
            **prefixed("optimiser.", optimiser_tensors(self.optimiser)),
            **prefixed("balance.", self.balance.state()),
            **prefixed("random.", self._random_states()),
            **prefixed("running.", {"sums": self.running.sums}),
        }
        facts = {
            "outcome": asdict(self.outcome),
            "plan": {"steps": self.schedule.steps, "plans": self.schedule.plans},
            "patience": self.patience,
            "place": [self.epoch, self.place],
            "running": self.running.molecules,
            "seconds": self.seconds(),
        }
        return State(tensors, facts)

    def _random_states(self) -> dict[str, Tensor]:
        states = {"noise": self.noise.get_state(), "torch": torch.get_rng_state()}
        if self.network.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.network.device)
        return states

    def _restore(self, state: State) -> None:
        facts: Mapping[str, Any] = state.facts
        self.network.load_state_dict(state.part("network."))
        self.weights.spread_weights()
        best = state.part("best.")
        self.best = {name: one.to(self.network.device) for name, one in best.items()} or None
        restore_optimiser(self.optimiser, state.part("optimiser."))
        self.balance.restore(state.part("balance."))
        self.noise.set_state(state.tensors["random.noise"])
        torch.set_rng_state(state.tensors["random.torch"])
        if "random.cuda" in state.tensors and self.network.device.type == "cuda":
            torch.cuda.set_rng_state(state.tensors["random.cuda"], self.network.device)
        self.running.sums += state.tensors["running.sums"].to(self.network.device)
        self.running.molecules = facts["running"]
        self.outcome = Outcome(**{**facts["outcome"], "ending": "complete"})
        if self.config.max_minutes is not None:
            self.schedule.steps, self.schedule.plans = (
                facts["plan"]["steps"],
                facts["plan"]["plans"],
            )
        self.patience = facts["patience"]
        self.epoch, self.place = facts["place"]
        self.seconds_before = facts["seconds"]

    def _require_finite(self, values: list[float]) -> None:
        if all(map(math.isfinite, values)):
            return
        rate = self.schedule.learning_rate(self.outcome.steps - 1)
        raise TrainingError(
            f"The loss is not finite at step {self.outcome.steps:,} (learning rate {rate:.2g}). "
            "Train again with a smaller --learning-rate, or with --precision fp32."
        )


class _Objective(nn.Module):
    """The loss as a module, so that a team's gradients are averaged while they are computed."""

    def __init__(self, network: SequenceVAE) -> None:
        super().__init__()
        self.network = network

    def forward(self, *arguments: Any) -> Loss:
        return evaluate_loss(self.network, *arguments)


def _moved(inputs: tuple[np.ndarray, np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
    token_ids, lengths = (torch.from_numpy(one).to(device, non_blocking=True) for one in inputs)
    return token_ids, lengths
