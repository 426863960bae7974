"""A course of training: in this process, in a team that it starts, or in one that it is in."""

from __future__ import annotations

import copy
import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from molvae import errors
from molvae.checkpoint import PropertyScale
from molvae.chem.strings import Constraints
from molvae.corpus.batches import Batches
from molvae.corpus.corpus import Corpus
from molvae.corpus.disguise import Disguise
from molvae.corpus.splits import TRAIN, VALID
from molvae.errors import MolVAEError, TrainingError
from molvae.network.vae import SequenceVAE
from molvae.run.folder import RunFolder
from molvae.run.watcher import Watcher
from molvae.training import state as states
from molvae.training.config import TrainingConfig
from molvae.training.heads import ROWS, HeadsFit, refit
from molvae.training.loop import fit
from molvae.training.posteriors import posteriors_of
from molvae.training.priors import BATCH, STEPS, FittedPriors, fit_priors
from molvae.training.progress import Outcome
from molvae.training.state import State, prefixed
from molvae.training.team import Team, launch

_GRACE = 5.0
"""Seconds that other processes leave to the first one to tell of an error that all have."""

_ENCODED = 512
"""Molecules encoded at a time when heads and prior are fitted to them."""


@dataclass(frozen=True)
class Course:
    """All that a process needs to train.

    Attributes:
        network: What is trained.
        corpus: The molecules, properties in standard units.
        scales: What turns these into the user's.
        constraints: What selfies may bond.
        config: How the network is trained.
        folder: The run folder, if there is one.
        workers: Processes that make batches ahead when these cost chemistry.
        quiet: Show nothing.
    """

    network: SequenceVAE
    corpus: Corpus
    scales: tuple[PropertyScale, ...]
    constraints: Constraints
    config: TrainingConfig
    folder: Path | None
    workers: int
    quiet: bool

    def training(self) -> Batches:
        """The batches to learn from."""
        corpus, config = self.corpus, self.config
        disguise = Disguise(
            config.corruption, config.random_order, corpus.vocabulary, self.constraints
        )
        rows = corpus.rows(TRAIN)
        labelled = rows[~np.isnan(corpus.properties(rows)).all(axis=1)]
        # Their gradients would be rare and, since they count for all, too rough to learn from.
        again = config.draws(len(labelled), len(rows)) - 1
        return self._batches(np.concatenate([rows, np.tile(labelled, again)]), disguise)

    def held_out(self) -> Batches | None:
        """The batches to look at, if there are any."""
        batches = self._batches(self.corpus.rows(VALID))
        return batches if batches.molecules else None

    def run(self, processes: int = 1) -> Outcome:
        """Train the network, in as many processes.

        Raises:
            TrainingError: When the loss isn't finite; with a folder, naming the last good state.
        """
        return _run(self) if processes == 1 else _run_in_processes(self, processes)

    def refit_heads(self) -> HeadsFit | None:
        """Fit the heads of the trained network anew, if it has any; see `molvae.training.heads`.

        Any process of a team comes to the same heads, without hearing of the others.
        """
        if self.network.heads is None:
            return None
        training, held_out = (self._labelled(split) for split in (TRAIN, VALID))
        judges = held_out if held_out.molecules else None
        return refit(self.network, training, judges, self.config.seed)

    def fit_prior(self, steps: int = STEPS) -> FittedPriors:
        """Fit a prior to the latents of the trained network; see `molvae.training.priors`.

        Args:
            steps: Of the fit, at most; it is given no more molecules than they see.
        """
        most = min(ROWS, steps * BATCH)
        training, held_out = (self._some(split, most) for split in (TRAIN, VALID))
        judges = posteriors_of(self.network, held_out) if held_out.molecules else None
        known = posteriors_of(self.network, training)
        return fit_priors(known, judges, self.config.seed, steps)

    def _some(self, split: int, most: int) -> Batches:
        """The molecules of a split, so many at most, in batches."""
        rows = self.corpus.rows(split)
        chosen = np.random.default_rng(self.config.seed).permutation(rows)[:most]
        return Batches(self.corpus, np.sort(chosen), _ENCODED, self.config.seed)

    def _labelled(self, split: int) -> Batches:
        """The molecules of a split that have a value, `ROWS` at most, in batches."""
        rows = self.corpus.rows(split)
        order = np.random.default_rng(self.config.seed).permutation(rows)
        known = ~np.isnan(self.corpus.properties(order))  # (M, P)
        # Each property has its part of the rows first, so that one with few values loses none.
        quota = ROWS // known.shape[1]
        first = np.zeros(len(order), dtype=bool)
        for column in known.T:
            first[np.flatnonzero(column)[:quota]] = True
        others = known.any(axis=1) & ~first
        chosen = np.concatenate([order[first], order[others]])[:ROWS]
        return Batches(self.corpus, np.sort(chosen), _ENCODED, self.config.seed)

    def _batches(self, rows: np.ndarray, disguise: Disguise | None = None) -> Batches:
        size = self.config.batch_size_for(len(self.corpus.rows(TRAIN)))
        return Batches(self.corpus, rows, size, self.config.seed, disguise)


def _run(course: Course) -> Outcome:
    """Train alone, or as one of a team."""
    team = Team.present()
    folder = None if course.folder is None else RunFolder(course.folder)
    fingerprint = course.corpus.fingerprint()
    state = folder.state(fingerprint) if folder is not None and folder.has_state else None
    team.meet()  # before one of them writes the first state point
    first = team.rank == 0
    told = folder if first else None
    with Watcher(told, fingerprint, course.scales, course.quiet or not first) as watcher:
        if state is not None and first:
            watcher.go_on(state)
        try:
            return fit(
                course.network,
                course.training(),
                course.held_out(),
                course.config,
                watcher.watch(),
                state,
                team,
                course.workers // team.size,
            )
        except TrainingError as error:
            raise TrainingError(f"{error}{watcher.remedy()}") from None
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise TrainingError(
                "A process that makes batches was ended from outside, perhaps for want of memory."
                f"{watcher.remedy()}"
            ) from None


def _run_in_processes(course: Course, processes: int) -> Outcome:
    """Train the network of a course in processes of its own."""
    sent = replace(course, network=copy.deepcopy(course.network).cpu())
    with tempfile.TemporaryDirectory() as place:
        try:
            meeting = str(Path(place) / "meeting")
            launch(_send_result, processes, meeting, sent, course.network.device.type, place)
        except TrainingError:
            _raise_what_was_left(Path(place))
            raise
        result = states.load(Path(place) / states.FILE_NAME)
    course.network.load_state_dict(result.tensors)
    course.network.eval()
    return Outcome(**result.facts["outcome"])


def _send_result(course: Course, device: str, place: str) -> None:
    """Train in a team; its first process leaves weights and outcome in a file, or any its error."""
    # Sent to several processes, tensors lie in memory that all share: each needs its own. On GPUs
    # the device is this process's own.
    network = copy.deepcopy(course.network).to(device)
    rank = Team.present().rank
    try:
        outcome = _run(replace(course, network=network))
    except MolVAEError as error:
        told = State({}, {"error": [type(error).__name__, str(error)]})
        states.save(told, Path(place) / _error_of(rank))
        if rank:  # the first one knows the last good state, and is ended when another one ends
            time.sleep(_GRACE)
        os._exit(1)  # not to wait for the others, which may wait for this one
    if rank == 0:
        result = State(prefixed("", network.state_dict()), {"outcome": asdict(outcome)})
        states.save(result, Path(place) / states.FILE_NAME)


def _raise_what_was_left(place: Path) -> None:
    """Raise the error of the first process that left one, if any did."""
    for left in sorted(place.glob(_error_of("*"))):
        kind, text = states.load(left).facts["error"]
        raise getattr(errors, kind)(text)


def _error_of(rank: int | str) -> str:
    return f"error.{rank}.safetensors"
