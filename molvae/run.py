"""Training from a table of molecules to a run folder."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import multiprocessing
import platform
import signal
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import numpy as np
import torch

from molvae import display, errors, files
from molvae import settings as checks
from molvae.checkpoint import FILE_NAME, Checkpoint, PropertyScale
from molvae.chem.identity import KnownMolecules
from molvae.corpus.batches import Batches
from molvae.corpus.corpus import MAX_TOKENS, Corpus, Preparation, prepare
from molvae.corpus.splits import HELD_OUT_SHARE, TEST, TRAIN, VALID
from molvae.corpus.table import as_table
from molvae.errors import (
    CheckpointError,
    MolVAEError,
    SettingsError,
    TableError,
    TrainingError,
    nearest,
)
from molvae.folder import REJECTS, RUN, RunFolder
from molvae.health.measure import TRAINING_MOLECULES, fit_of, measure
from molvae.health.training import Training, spread
from molvae.model import MolVAE, Source, choose_device
from molvae.network.config import NetworkConfig, sized
from molvae.network.vae import SequenceVAE
from molvae.settings import from_mapping
from molvae.training import state as states
from molvae.training.config import TrainingConfig
from molvae.training.loop import Outcome, Progress, Watch, fit
from molvae.training.state import State, prefixed
from molvae.training.team import Team, launch

_DERIVED = ("vocabulary_size", "max_tokens", "properties", "seed")
_SHAPE = [field.name for field in fields(NetworkConfig) if field.name not in _DERIVED]
_TRAINING = [field.name for field in fields(TrainingConfig) if field.name not in _DERIVED]

SETTINGS = (*_SHAPE, *_TRAINING)
"""The numbers that `train` takes beside its own arguments."""


def train(
    source: Source,
    output: str | Path | None = None,
    *,
    smiles_column: str | None = None,
    properties: str | Iterable[str] = (),
    split_column: str | None = None,
    held_out: float = HELD_OUT_SHARE,
    size: str = "base",
    max_tokens: int = MAX_TOKENS,
    flat: bool = False,
    seed: int = 0,
    device: str = "auto",
    workers: int | None = None,
    processes: int = 1,
    report: bool = True,
    overwrite: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> MolVAE:
    """Learn a latent space from molecules.

    A run folder gets a state point every 500 steps and at the end of each epoch, from which
    `resume` goes on after any end, to the same weights.

    Args:
        source: A CSV or TSV file, a DataFrame, or SMILES.
        output: The run folder to write: the model, the log, the reject file, the account.
            Without one the model is only returned.
        smiles_column: The column of SMILES; found when absent.
        properties: Numeric columns to learn to predict from the latent; blanks are allowed.
        split_column: A column that says train, valid or test. Test rows are left alone.
        held_out: Without valid rows, the share of the training molecules, 2,000 at most, that
            is kept apart to choose the best weights by; 0 keeps the last weights.
        size: "small", "base" or "large".
        max_tokens: Molecules of more SELFIES symbols are rejected.
        flat: Take stereo, isotopes and neutralisable charges away from all molecules.
        seed: Of everything random.
        device: ``auto``, ``cpu``, ``cuda``...
        workers: Processes for chemistry; by default one a core.
        processes: Processes that train together, each on its share of the cores, or on a GPU.
        report: Measure the model on the held-out molecules when training has ended.
        overwrite: Replace the model in the run folder.
        quiet: Show nothing on stderr.
        settings: Single numbers over the defaults: any field of
            `molvae.training.config.TrainingConfig` or `molvae.network.config.NetworkConfig`.

    Returns:
        The model with its best weights. ``model.record`` tells how training went; its ``ending``
        is "interrupted" after a Ctrl-C or SIGTERM.

    Raises:
        UserError: For a table, setting or folder that can't be used.
        TrainingError: When the loss isn't finite; the last good state point stays.
        KeyboardInterrupt: After a Ctrl-C before the first look, when there is no model yet.
    """
    call = {name: value for name, value in locals().items() if name not in ("source", "settings")}
    _split_settings(settings, seed)
    folder = None if output is None else RunFolder(output)
    if folder is None:
        return _train(source, None, {**call, **settings})
    if Team.present().rank == 0:
        folder.check(overwrite=overwrite)
    choose_device(device)
    kept = source if isinstance(source, str | Path) else ""
    path = str(kept) if str(kept) in ("", "-") else str(Path(kept).absolute())
    return _train(source, folder, {**call, **settings, "properties": _names(properties)}, path)


def resume(
    output: str | Path, source: Source | None = None, *, quiet: bool = False, **settings: Any
) -> MolVAE:
    """Go on with a run that was interrupted, to the weights that it would have come to.

    Args:
        output: The run folder.
        source: The molecules, when they weren't read from a file.
        quiet: Show nothing on stderr.
        settings: Numbers to change, such as ``learning_rate`` after a loss that wasn't finite;
            then the weights are others.

    Raises:
        CheckpointError: When there is no run, or the molecules have changed.
        OutputError: When another run writes in the folder.
    """
    folder = RunFolder(output)
    call = folder.call()
    path = call.pop("source")
    if source is None and path in ("", "-"):
        raise CheckpointError(f"The molecules of {output} came from no file. Give them again.")
    if not folder.has_state and (folder.path / FILE_NAME).exists():
        raise CheckpointError(f"The run in {output} has ended; there is nothing to go on with.")
    known = {"learning_rate", "precision", "patience", "epochs", "steps", "max_minutes", "workers"}
    for name in settings:
        if name not in known:
            raise SettingsError(f"{name!r} can't change within a run.{nearest(name, known)}")
    given = path if source is None else source
    return _train(given, folder, {**call, **settings, "quiet": quiet}, resumed=True)


def _train(
    source: Source,
    folder: RunFolder | None,
    call: Mapping[str, Any],
    path: str = "",
    *,
    resumed: bool = False,
) -> MolVAE:
    """Train as the arguments of `train` say, in a folder of its own or in none."""
    with contextlib.ExitStack() as owned:
        team = Team.present()
        first = team.rank == 0
        settings = {name: value for name, value in call.items() if name in SETTINGS}
        seed, flat = checks.seed(call["seed"]), bool(call["flat"])
        shape, config = _split_settings(settings, seed)
        sized(call["size"], vocabulary_size=1, max_tokens=1, **shape)  # refused early
        quiet, processes = bool(call["quiet"]), checks.count("processes", call["processes"])
        show = (lambda text: None) if quiet or not first else display.note
        preparation = prepare(
            as_table(source),
            column=call["smiles_column"],
            property_names=_names(call["properties"]),
            split_column=call["split_column"],
            held_out=call["held_out"],
            max_tokens=call["max_tokens"],
            flat=flat,
            seed=seed,
            workers=call["workers"],
        )
        show(str(preparation.account))
        if folder is not None and first:  # made only now, when there is something to train on
            owned.enter_context(folder.owned())
            if not resumed:
                folder.begin({**call, "output": None, "source": path})
        team.meet()
        device = choose_device(call["device"])
        learned = _learn(preparation, call["size"], shape, config, device, folder, processes, quiet)
        ending = learned.outcome.ending
        if ending == "interrupted" and folder is not None:
            show(f"Go on with `molvae train --resume {folder.path}`.")
        if learned.outcome.best_step == 0:
            raise KeyboardInterrupt  # before the first look there is no model worth keeping
        model = MolVAE(learned.checkpoint, workers=call["workers"])
        if folder is not None and first:
            _write(folder.path, model, preparation, learned.outcome)
            show(f"{_ENDINGS[ending]} The model is in {folder.path / FILE_NAME}.")
        if ending != "interrupted":
            if call["report"]:
                _measure(model, preparation.corpus, seed)
            if folder is not None and first:
                _write(folder.path, model, preparation, learned.outcome)
                folder.drop_state()
        return model


@dataclass(frozen=True)
class _Learned:
    checkpoint: Checkpoint
    outcome: Outcome


def _learn(
    preparation: Preparation,
    size: str,
    shape: Mapping[str, Any],
    config: TrainingConfig,
    device: torch.device,
    folder: RunFolder | None,
    processes: int,
    quiet: bool,
) -> _Learned:
    """Train a network on a corpus, and make a checkpoint of it."""
    corpus, scales = _standardised(preparation.corpus)
    torch.manual_seed(config.seed)
    network = SequenceVAE(_network_config(corpus, size, shape)).to(device)
    course = _Course(network, corpus, config, None if folder is None else folder.path, quiet)
    if not quiet:
        display.note(_announcement(network, course.training(), course.held_out(), scales))
    outcome = _run_course(course) if processes == 1 else _run_in_processes(course, processes)
    trained = [corpus.smiles[row] for row in np.flatnonzero(corpus.split != TEST)]
    checkpoint = Checkpoint(
        network=network,
        vocabulary=corpus.vocabulary,
        constraints=preparation.constraints,
        flat=preparation.flat,
        properties=scales,
        known=KnownMolecules.of(trained),
        record=_record(preparation, config, outcome),
    )
    return _Learned(checkpoint, outcome)


@dataclass(frozen=True)
class _Course:
    """All that a process needs to train."""

    network: SequenceVAE
    corpus: Corpus
    config: TrainingConfig
    folder: Path | None
    quiet: bool

    def training(self) -> Batches:
        rows, config = self.corpus.rows(TRAIN), self.config
        size = config.batch_size_for(len(rows))
        return Batches(self.corpus, rows, size, config.seed, config.corruption)

    def held_out(self) -> Batches | None:
        rows, config = self.corpus.rows(VALID), self.config
        size = config.batch_size_for(len(self.corpus.rows(TRAIN)))
        return Batches(self.corpus, rows, size, config.seed) if len(rows) else None


def _run_course(course: _Course) -> Outcome:
    """Train the network of a course, alone or in a team."""
    team = Team.present()
    folder = None if course.folder is None else RunFolder(course.folder)
    fingerprint = course.corpus.fingerprint()
    state = folder.state(fingerprint) if folder is not None and folder.has_state else None
    team.meet()  # before one of them writes the first state point
    first = team.rank == 0
    with _Watcher(folder if first else None, fingerprint, course.quiet or not first) as watcher:
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
            )
        except TrainingError as error:
            raise TrainingError(f"{error}{watcher.remedy()}") from None


def _run_in_processes(course: _Course, processes: int) -> Outcome:
    """Train the network of a course in processes of its own."""
    with tempfile.TemporaryDirectory() as place, _Deaf():
        launch(_send_result, processes, str(Path(place) / "meeting"), course, place)
        result = states.load(Path(place) / states.FILE_NAME)
    if "error" in result.facts:
        kind, text = result.facts["error"]
        raise getattr(errors, kind)(text)
    course.network.load_state_dict(result.tensors)
    course.network.eval()
    return Outcome(**result.facts["outcome"])


def _send_result(course: _Course, place: str) -> None:
    """Train in a team; its first process leaves weights and outcome, or the error, in a file."""
    # Sent to several processes, tensors lie in memory that all share: each needs its own.
    course = replace(course, network=copy.deepcopy(course.network))
    tensors: dict[str, torch.Tensor] = {}
    try:
        outcome = _run_course(course)
        tensors = prefixed("", course.network.state_dict())
        facts: dict[str, Any] = {"outcome": asdict(outcome)}
    except MolVAEError as error:
        facts = {"error": [type(error).__name__, str(error)]}
    if Team.present().rank == 0 or "error" in facts:
        states.save(State(tensors, facts), Path(place) / states.FILE_NAME)


class _Deaf(AbstractContextManager["_Deaf"]):
    """Leaves Ctrl-C to the processes that train, and hands SIGTERM on to them."""

    def __enter__(self) -> Self:
        self._handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            self._handlers[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._handlers[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._hand_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @staticmethod
    def _hand_on(number: int, frame: FrameType | None) -> None:
        for child in multiprocessing.active_children():
            child.terminate()


def _measure(model: MolVAE, corpus: Corpus, seed: int) -> None:
    """Put the report on the held-out molecules, if there are any, into the model's record."""
    rows = corpus.rows(VALID)
    if not len(rows):
        return
    smiles = [corpus.smiles[row] for row in rows]
    learned = corpus.rows(TRAIN)
    seen = [corpus.smiles[row] for row in learned[spread(len(learned), TRAINING_MOLECULES)]]
    measured = measure(
        model.codec,
        smiles,
        corpus.properties[rows],
        model.checkpoint.known,
        training=Training.of(model.checkpoint),
        training_fit=fit_of(model.codec, seen, seed=seed),
        seed=seed,
    )
    model.checkpoint.record["report"] = measured.as_dict()


_ENDINGS = {
    "complete": "Training is complete.",
    "early stop": "Training stopped: the held-out loss no longer fell.",
    "time": "Training stopped at its limit in minutes.",
    "interrupted": "Training was interrupted; the best weights so far are kept.",
}


def _split_settings(
    settings: Mapping[str, Any], seed: int
) -> tuple[dict[str, Any], TrainingConfig]:
    """Tell the numbers of the network's shape from those of its training."""
    for name in settings:
        if name not in SETTINGS:
            raise SettingsError(f"There is no setting {name!r}.{nearest(name, SETTINGS)}")
    shape = {name: value for name, value in settings.items() if name in _SHAPE}
    training = {name: value for name, value in settings.items() if name in _TRAINING}
    return shape, from_mapping(TrainingConfig, {**training, "seed": seed})


def _names(properties: str | Iterable[str]) -> tuple[str, ...]:
    """Property names; a single one may stand without a list."""
    return (properties,) if isinstance(properties, str) else tuple(properties)


def _standardised(corpus: Corpus) -> tuple[Corpus, tuple[PropertyScale, ...]]:
    """The corpus with its properties in standard units of the training molecules."""
    values = corpus.properties[corpus.rows(TRAIN)]
    scales = tuple(
        _scale(name, values[:, place]) for place, name in enumerate(corpus.property_names)
    )
    means = np.array([scale.mean for scale in scales])
    deviations = np.array([scale.deviation for scale in scales])
    standard = (corpus.properties - means) / deviations
    return replace(corpus, properties=standard), scales


def _scale(name: str, values: np.ndarray) -> PropertyScale:
    known = values[~np.isnan(values)]
    if not len(known):
        raise TableError(f"No training molecule has a value of {name!r}.")
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = float(known.std()) if np.ptp(known) > 0 else 1.0
    if not math.isfinite(deviation):
        raise TableError(f"The values of {name!r} are too large. Give them in other units.")
    return PropertyScale(name, float(known.mean()), deviation, len(known))


def _network_config(corpus: Corpus, size: str, shape: Mapping[str, Any]) -> NetworkConfig:
    return sized(
        size,
        vocabulary_size=len(corpus.vocabulary),
        max_tokens=int(corpus.lengths()[corpus.split != TEST].max()),
        properties=len(corpus.property_names),
        **shape,
    )


def _announcement(
    network: SequenceVAE,
    training: Batches,
    watched: Batches | None,
    scales: Sequence[PropertyScale],
) -> str:
    heads = "".join(f", {scale.count:,} values of {scale.name}" for scale in scales)
    held_out = f"{watched.molecules:,}" if watched else "none"
    return (
        f"Training {network.weight_count / 1e6:.1f} million weights on {network.device.type}: "
        f"{training.molecules:,} molecules, {held_out} held out{heads}, "
        f"batches of {training.batch_size}"
    )


def _record(preparation: Preparation, config: TrainingConfig, outcome: Outcome) -> dict[str, Any]:
    """What the checkpoint tells of its training: nothing that a clock or a machine decides."""
    how = asdict(outcome)
    del how["seconds"]
    return {
        "data": {
            **asdict(preparation.account),
            "fingerprint": preparation.corpus.fingerprint(),
            "train": len(preparation.corpus.rows(TRAIN)),
            "valid": len(preparation.corpus.rows(VALID)),
            "test": len(preparation.corpus.rows(TEST)),
        },
        "training": asdict(config),
        "outcome": how,
    }


def _write(folder: Path, model: MolVAE, preparation: Preparation, outcome: Outcome) -> None:
    model.save(folder / FILE_NAME)
    files.write_text(folder / REJECTS, preparation.rejects.to_csv(index=False, lineterminator="\n"))
    facts = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "device": str(model.checkpoint.network.device),
        "threads": torch.get_num_threads(),
        "training_seconds": round(outcome.seconds, 1),
        "molecules_per_second": round(outcome.molecules / max(outcome.seconds, 1e-9), 1),
        **model.record,
    }
    files.write_text(folder / RUN, json.dumps(facts, indent=2, allow_nan=False) + "\n")


class _Watcher(AbstractContextManager["_Watcher"]):
    """Writes log and state points as training goes, shows the progress, and hears signals.

    The first Ctrl-C or SIGTERM asks training to save and leave; a second Ctrl-C ends it at once.
    """

    def __init__(self, folder: RunFolder | None, fingerprint: str, quiet: bool) -> None:
        self._folder, self._fingerprint, self._quiet = folder, fingerprint, quiet
        self._asked, self._saved = False, 0
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._bar = None if self._quiet else display.bar(None, "steps", "train")
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._bar is not None:
            self._bar.close()

    def watch(self) -> Watch:
        """What the loop calls."""
        return Watch(
            on_step=self._step,
            on_look=self._look,
            on_state=None if self._folder is None else self._save,
            stop_asked=lambda: self._asked,
        )

    def go_on(self, state: State) -> None:
        """Begin at a state point, and say so."""
        self._saved = state.facts["outcome"]["steps"]
        assert self._folder is not None
        self._folder.cut_log(self._saved)
        if not self._quiet:
            display.note(f"Going on at step {self._saved:,}.")
        if self._bar is not None:
            self._bar.update(self._saved)
        if state.facts["threads"] != torch.get_num_threads():
            display.note(
                f"The run was begun with {state.facts['threads']} threads and goes on with "
                f"{torch.get_num_threads()}: its weights will differ in the last digits."
            )

    def remedy(self) -> str:
        """Where to go on after an error, when there is a state point."""
        if self._folder is None or not self._folder.has_state:
            return ""
        return (
            f" The state at step {self._saved:,} is good: `molvae train --resume "
            f"{self._folder.path} --learning-rate ...` goes on from it."
        )

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = True

    def _save(self, state: State) -> None:
        assert self._folder is not None
        self._folder.save_state(state, self._fingerprint)
        self._saved = state.facts["outcome"]["steps"]

    def _step(self, step: int, steps: int) -> None:
        if self._bar is not None:
            self._bar.total = steps
            self._bar.update(1)

    def _look(self, progress: Progress) -> None:
        if self._folder is not None:
            self._folder.log(progress)
        if self._bar is not None:
            self._bar.set_postfix_str(_line(progress), refresh=False)


def _line(progress: Progress) -> str:
    held_out = progress.held_out_loss
    watched = "" if held_out is None else f" held-out loss {held_out:.2f},"
    return (
        f"reconstruction {progress.distortion:.2f} + {progress.beta:.3g} x KL {progress.rate:.2f}"
        f" nats,{watched}"
        f" {progress.molecules_per_second:,.0f} molecules/s"
    )
