"""The loop: batches in, a trained network out."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from molvae.corpus.batches import Batch, Batches
from molvae.errors import TrainingError
from molvae.network.objective import Loss
from molvae.network.vae import SequenceVAE
from molvae.training.balance import Balance
from molvae.training.config import TrainingConfig
from molvae.training.feed import feed
from molvae.training.forward import Forward
from molvae.training.held_out import Look, look_at
from molvae.training.precision import MasterWeights, choose
from molvae.training.progress import Outcome, Progress, Watch
from molvae.training.schedule import Schedule
from molvae.training.state import State, optimiser_tensors, prefixed, restore_optimiser
from molvae.training.team import Team

LOOKS = 20
"""Looks at the held-out molecules over a planned run."""

CONSULTATIONS = 10
"""Steps between two questions of a team whether to stop."""

SCARCEST = 0.01
"""Share of the molecules with a value of a property below which each value counts no more."""

_NOISE = 0
"""What tells the noise of training from that of a look under the same seed."""


def fit(
    network: SequenceVAE,
    training: Batches,
    held_out: Batches | None,
    config: TrainingConfig,
    watch: Watch | None = None,
    state: State | None = None,
    team: Team | None = None,
    workers: int = 0,
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
        workers: Processes that make batches ahead when these cost chemistry.

    Raises:
        TrainingError: When the loss isn't finite. No state point holds such a step.
    """
    run = _Run(network, training, held_out, config, watch or Watch(), state, team or Team())
    if state is None:
        run.save()
    for batch in feed(training, run.epoch, run.place, workers):
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
    """Sums over molecules since the last look, kept on the device so that no step waits for it.

    Each process of a team has the sums of its own rows, and counts the molecules of all.
    """

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(5, device=device)
        self.molecules = 0

    def add(self, loss: Loss, share: float, molecules: int) -> None:
        """Add a step: the share of its molecules that this process has, and all of them."""
        parts = (
            *(loss.distortion, loss.rate, loss.property_error(), loss.exact.float()),
            loss.blurred,
        )
        self.sums += share * molecules * torch.stack([part.detach().mean() for part in parts])
        self.molecules += molecules

    def gather(self, team: Team) -> None:
        """Leave the sums of the whole team to its first process."""
        sums = team.sum(self.sums)
        self.sums = sums if team.rank == 0 else torch.zeros_like(sums)

    def means(self, team: Team) -> list[float]:
        """The means over the molecules of the whole team."""
        sums: list[float] = team.sum(self.sums).tolist()
        return [one / max(1, self.molecules) for one in sums]

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
        network.train()  # before it is copied: cuDNN's GRU learns in no other mode
        precision = config.precision
        if state is not None and precision == "auto":  # measured anew it might come out otherwise
            precision = state.facts["outcome"]["precision"]
        self.weights = MasterWeights(network, choose(precision, network.device))
        self.forward = Forward(
            self.weights.working, team, averaging=True, noise_share=config.noise_share
        )
        self.property_weight = self._property_weight(training)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.schedule = Schedule.plan(config, len(training))
        self.balance = Balance(config, network.device)
        self.running = _Running(network.device)
        kind = "fp32" if self.weights.working is network else "bf16"
        self.outcome = Outcome(precision=kind)
        self.best: dict[str, Tensor] | None = None
        self.patience = config.patience
        self.epoch, self.place = 0, 0
        self.seconds_before, self.saved = 0.0, time.monotonic()
        if state is not None:
            self._restore(state)
        self.started = time.monotonic()

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
        outcome, config, molecules = self.outcome, self.config, len(batch.lengths)
        if self.place == len(self.training):
            self.epoch, self.place = self.epoch + 1, 0
        share = self.team.share(molecules)
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.learning_rate(outcome.steps)
        loss = self.forward(batch, config.seed, _NOISE, outcome.steps)
        beta = self.balance.beta(outcome.steps, self.schedule.steps)
        total = loss.total(beta, self.property_weight, config.free_bits)
        # Gradients are averaged over the team: a mean over few rows must count for few.
        (total * share * self.team.size).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.weights.collect_gradients()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.weights.spread_weights()
        if self.balance.controls:
            seen = self.balance.seen(loss).detach().double().mean()
            self.balance.learn(self.team.sum(seen * share))
        self.running.add(loss, share, molecules)
        outcome.steps += 1
        outcome.molecules += molecules
        outcome.epochs = outcome.molecules / self.training.molecules
        self.place += 1
        self.watch.on_step(self.schedule.steps)

    def is_time_to_look(self) -> bool:
        """Whether a twentieth of the plan is done since the last look, or all of it."""
        step, steps = self.outcome.steps, self.schedule.steps
        return step % max(1, steps // LOOKS) == 0 or step == steps

    def is_time_to_save(self) -> bool:
        """Whether a state point is due, and the last one isn't too fresh."""
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
        held_out = None if self.held_out is None else self._look_at(self.held_out)
        held_out_loss = None if held_out is None else held_out.loss
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
                blurred=means[4] / self.config.noise_share if self.config.noise_share else None,
                beta=outcome.beta,
                learning_rate=self.schedule.learning_rate(step),
                held_out_loss=held_out_loss,
                molecules_per_second=outcome.molecules / seconds,
                seconds=seconds,
                heads=() if held_out is None else held_out.heads,
            )
        )

    def save(self) -> None:
        """Make a state point, if somebody wants it."""
        self.running.gather(self.team)
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

    def _look_at(self, held_out: Batches) -> Look:
        working, config = self.weights.working, self.config
        self.network.eval(), working.eval()
        forward = Forward(working, self.team, averaging=False, noise_share=config.noise_share)
        weight = self._property_weight(held_out)
        look = look_at(held_out, forward, self.team, config.beta, weight, config.seed)
        self.network.train(), working.train()
        self._require_finite([look.loss])
        return look

    def _property_weight(self, batches: Batches) -> Tensor:
        """What the error of a molecule with a value counts, (P,): all values together count 1."""
        shares = torch.from_numpy(batches.label_shares()).clamp(min=SCARCEST)
        return (self.config.property_weight / shares).to(self.network.device, torch.float32)

    def _state(self) -> State:
        tensors = {
            **prefixed("network.", self.network.state_dict()),
            **prefixed("best.", self.best or {}),
            **prefixed("optimiser.", optimiser_tensors(self.optimiser)),
            **prefixed("balance.", self.balance.state()),
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

    def _restore(self, state: State) -> None:
        facts: Mapping[str, Any] = state.facts
        self.network.load_state_dict(state.part("network."))
        self.weights.spread_weights()
        best = state.part("best.")
        self.best = {name: one.to(self.network.device) for name, one in best.items()} or None
        restore_optimiser(self.optimiser, state.part("optimiser."))
        self.balance.restore(state.part("balance."))
        if self.team.rank == 0:  # which has gathered those of all
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
