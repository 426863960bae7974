"""Training from a table of molecules to a run folder."""

from __future__ import annotations

import contextlib
import json
import math
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from molvae import display, files
from molvae import settings as checks
from molvae.checkpoint import FILE_NAME, Checkpoint, PropertyScale, standard_before
from molvae.chem.standard import Standard
from molvae.chem.strings import AUTO
from molvae.corpus.corpus import MAX_TOKENS, Corpus, Preparation, prepare
from molvae.corpus.reading import CHUNK, Source
from molvae.corpus.splits import HELD_OUT_SHARE, SPLIT_NAMES, TEST, TRAIN, VALID
from molvae.corpus.survey import Survey
from molvae.corpus.vocabulary import Vocabulary
from molvae.errors import CheckpointError, OutputError, SettingsError, TableError, nearest
from molvae.health.measure import TRAINING_MOLECULES, fit_of, measure
from molvae.health.training import Training, spread
from molvae.model import MolVAE, choose_device
from molvae.network.config import NetworkConfig, sized
from molvae.network.vae import SequenceVAE
from molvae.parallel import available_cores
from molvae.run.base import Base
from molvae.run.course import Course
from molvae.run.curves import draw_curves
from molvae.run.folder import CURVES, HELD_OUT, LOG, REJECTS, RUN, RunFolder
from molvae.settings import from_mapping
from molvae.training.config import TrainingConfig
from molvae.training.progress import Outcome
from molvae.training.team import Team

DEFAULT_SIZE = "base"
"""Of a network, unless another is asked for."""

_DERIVED = ("vocabulary_size", "max_tokens", "properties", "seed")
_SHAPE = [field.name for field in fields(NetworkConfig) if field.name not in _DERIVED]
_TRAINING = [field.name for field in fields(TrainingConfig) if field.name not in _DERIVED]
_STANDARD = [field.name for field in fields(Standard)]
_PREPARING: Mapping[str, Any] = {
    "duplicates": "mean",
    "split_column": None,
    "split": "random",
    "held_out": HELD_OUT_SHARE,
    "test": 0.0,
    "max_tokens": MAX_TOKENS,
    "min_token_count": 1,
}
"""What `molvae.corpus.corpus.prepare` is told, and what runs begun before it could be meant."""

NUMBERS = (*_SHAPE, *_TRAINING)
"""The settings that `--set` takes: those of the network and of its training."""

SETTINGS = (*NUMBERS, *_STANDARD)
"""What `train` takes beside its own arguments."""

_ARGUMENTS = (
    *("output", "source", "base", "smiles_column", "properties", "constraints", "size", "seed"),
    *("device", "workers", "processes", "report", "overwrite", "quiet", *_PREPARING),
)
"""The arguments of `train`, by which the settings in a call are known."""


def train(
    source: Source,
    output: str | Path | None = None,
    *,
    base: str | Path | None = None,
    smiles_column: str | None = None,
    properties: str | Iterable[str] = (),
    duplicates: str = "mean",
    split_column: str | None = None,
    split: str = "random",
    held_out: float = HELD_OUT_SHARE,
    test: float = 0.0,
    size: str | None = None,
    max_tokens: int = MAX_TOKENS,
    min_token_count: int = 1,
    constraints: str = AUTO,
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
        source: A file (see `molvae.corpus.reading.open_table`), a DataFrame, or SMILES.
        output: The run folder to write: the model, the log, the reject file, the account.
            Without one the model is only returned.
        base: A run folder or model file to start from: its weights are trained on (fine-tuned).
            Symbols that it lacks are added; its standard, constraints and shape are kept.
        smiles_column: The column of SMILES; found when absent.
        properties: Numeric columns to learn to predict from the latent; blanks are allowed.
        duplicates: What rows of one molecule are worth together: the ``mean`` of the numbers that
            they have of each property, or those of the ``first`` row.
        split_column: A column that says train, valid or test. Test rows are left alone.
        split: How molecules are set apart: ``random``, or by Murcko ``scaffold``.
        held_out: Without valid rows, the share of the training molecules, 2,000 at most, that
            is kept apart to choose the best weights by; 0 keeps the last weights.
        test: Without a split column, the share of the molecules that is left alone. They stand
            in the run folder, beside those held out, in ``held_out.csv``.
        size: "small", "base" or "large", by default "base"; a model that is started from has its
            own.
        max_tokens: Molecules of more SELFIES symbols are rejected.
        min_token_count: A SELFIES symbol that fewer molecules have is rejected with them.
        constraints: What SELFIES may bond: the name of one of `molvae.chem.strings.PRESETS`, or
            ``auto`` for the narrowest of them that admits the molecules.
        seed: Of everything random.
        device: ``auto``, ``cpu``, ``cuda``...
        workers: Processes for chemistry; by default one a core.
        processes: Processes that train together, each on its share of the cores, or on a GPU.
        report: Measure the model on the held-out molecules when training has ended.
        overwrite: Replace the model in the run folder.
        quiet: Show nothing on stderr.
        settings: Single values over the defaults: any field of
            `molvae.chem.standard.Standard` (how molecules are standardised, now and whenever the
            model reads some), `molvae.training.config.TrainingConfig` or
            `molvae.network.config.NetworkConfig`.

    Returns:
        The model with its best weights. ``model.record`` tells how training went; its ``ending``
        is "interrupted" after a Ctrl-C or SIGTERM.

    Raises:
        UserError: For a table, setting or folder that can't be used.
        TrainingError: When the loss isn't finite; the last good state point stays.
        KeyboardInterrupt: After a Ctrl-C before the first look, when there is no model yet.
    """
    call = {name: value for name, value in locals().items() if name not in ("source", "settings")}
    call["base"] = None if base is None else str(base)
    asked = _Settings.of({**call, **settings})
    folder = None if output is None else RunFolder(output)
    if folder is None:
        return _train(source, None, {**call, **settings}, asked)
    if Team.present().rank == 0:
        folder.check(overwrite=overwrite)
    choose_device(device)
    kept = source if isinstance(source, str | Path) else ""
    path = str(kept) if str(kept) in ("", "-") else str(Path(kept).absolute())
    call = {**call, **settings, "properties": _names(properties)}
    return _train(source, folder, call, asked, path)


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
    if call.get("base") is not None:
        call["base"] = str(folder.base)  # as it was when the run began
    if "flat" in call:  # begun before molecules had a standard: they stay as they were
        call.update(asdict(standard_before(call.pop("flat"))), constraints="default")
    if source is None and path in ("", "-"):
        raise CheckpointError(f"The molecules of {output} came from no file. Give them again.")
    if not folder.has_state and (folder.path / FILE_NAME).exists():
        raise CheckpointError(f"The run in {output} has ended; there is nothing to go on with.")
    known = {"learning_rate", "precision", "patience", "epochs", "steps", "max_minutes", "workers"}
    for name in settings:
        if name not in known:
            raise SettingsError(f"{name!r} can't change within a run.{nearest(name, known)}")
    given = path if source is None else source
    call = {**call, **settings, "quiet": quiet}
    return _train(given, folder, call, _Settings.of(call), resumed=True)


def _train(
    source: Source,
    folder: RunFolder | None,
    call: Mapping[str, Any],
    settings: _Settings,
    path: str = "",
    *,
    resumed: bool = False,
) -> MolVAE:
    """Train as the arguments of `train` say, in a folder of its own or in none."""
    with contextlib.ExitStack() as owned:
        team = Team.present()
        first = team.rank == 0
        quiet, processes = bool(call["quiet"]), checks.count("processes", call["processes"])
        show = (lambda text: None) if quiet or not first else display.note
        preparation = prepare(
            source,
            column=call["smiles_column"],
            property_names=_names(call["properties"]),
            **{name: call.get(name, default) for name, default in _PREPARING.items()},
            constraints=settings.constraints,
            standard=settings.standard,
            vocabulary=settings.vocabulary,
            seed=settings.training.seed,
            workers=call["workers"],
        )
        if first and not quiet:
            show(Survey.of(preparation).brief())
        if settings.base and (dropped := settings.base.dropped(preparation.corpus.property_names)):
            names = " ".join(f"--property {name}" for name in dropped)
            show(f"The heads for {', '.join(dropped)} are dropped; {names} keeps them.")
        if folder is not None and first:  # made only now, when there is something to train on
            owned.enter_context(folder.owned())
            if not resumed or not folder.has_state:
                folder.begin({**call, "output": None, "source": path}, settings.base)
        team.meet()
        device = choose_device(call["device"])
        course = _course(preparation, call, settings, device, folder)
        show(_announcement(course))
        outcome = course.run(processes)
        ending = outcome.ending
        if ending == "interrupted" and folder is not None:
            show(f"Go on with `molvae train --resume {folder.path}`.")
        if outcome.best_step == 0:
            raise KeyboardInterrupt  # before the first look there is no model worth keeping
        model = MolVAE(
            _checkpoint(preparation, course, outcome, settings.base), workers=call["workers"]
        )
        if folder is not None and first:
            _write(folder.path, model, outcome)
            preparation.rejects.write(folder.path / REJECTS)
            _write_held_out(folder.path / HELD_OUT, preparation.corpus)
            _draw(folder, show)
            show(f"{_ENDINGS[ending]} The model is in {folder.path / FILE_NAME}.")
        if ending != "interrupted":
            fitted = course.refit_heads()
            if fitted is not None:
                model.checkpoint.record["heads"] = asdict(fitted)
            if call["report"] and first:
                _measure(model, preparation.corpus, settings.training.seed)
            if folder is not None and first:
                _write(folder.path, model, outcome)
                folder.drop_state()
        return model


def _draw(folder: RunFolder, show: Callable[[str], None]) -> None:
    """Draw the curves; a model isn't worth less without them."""
    try:
        draw_curves(folder.path / LOG, folder.path / CURVES)
    except (OutputError, OSError, ValueError) as error:
        show(f"There is no picture of the curves: {error}")


def _course(
    preparation: Preparation,
    call: Mapping[str, Any],
    settings: _Settings,
    device: torch.device,
    folder: RunFolder | None,
) -> Course:
    """A network that has learned nothing yet, and all that it takes to train it."""
    corpus, scales = _standardised(preparation.corpus, settings.base)
    torch.manual_seed(settings.training.seed)
    workers = call["workers"]
    return Course(
        network=settings.network(corpus).to(device),
        corpus=corpus,
        scales=scales,
        constraints=preparation.constraints,
        config=settings.training,
        folder=None if folder is None else folder.path,
        workers=available_cores() if workers is None else workers,
        quiet=bool(call["quiet"]),
    )


def _checkpoint(
    preparation: Preparation, course: Course, outcome: Outcome, base: Base | None
) -> Checkpoint:
    """What a course came to."""
    corpus = course.corpus
    known = corpus.known() if base is None else base.checkpoint.known | corpus.known()
    record = _record(preparation, course.config, outcome)
    return Checkpoint(
        network=course.network,
        vocabulary=corpus.vocabulary,
        constraints=preparation.constraints,
        standard=preparation.standard,
        properties=course.scales,
        known=known,
        record=record if base is None else {**record, "base": base.facts()},
    )


def _measure(model: MolVAE, corpus: Corpus, seed: int) -> None:
    """Put the report on the held-out molecules, if there are any, into the model's record."""
    rows = corpus.rows(VALID)
    if not len(rows):
        return
    trained = corpus.rows(TRAIN)
    seen = trained[spread(len(trained), TRAINING_MOLECULES)]
    measured = measure(
        model.codec,
        corpus.smiles(rows),
        corpus.store.numbers[rows],
        model.checkpoint.known,
        training=Training.of(model.checkpoint),
        training_fit=fit_of(model.codec, corpus.smiles(seen), seed=seed),
        seed=seed,
    )
    model.checkpoint.record["report"] = measured.as_dict()


_ENDINGS = {
    "complete": "Training is complete.",
    "early stop": "Training stopped: the held-out loss no longer fell.",
    "time": "Training stopped at its limit in minutes.",
    "interrupted": "Training was interrupted; the best weights so far are kept.",
}


@dataclass(frozen=True)
class _Settings:
    """What a call of `train` comes to.

    Attributes:
        standard: How molecules are standardised.
        constraints: The name of what selfies may bond, or ``auto``.
        size: The dial of the network's shape.
        shape: Single numbers of it that were given.
        training: How the network is trained.
        base: The model to start from, if there is one.
    """

    standard: Standard
    constraints: str
    size: str
    shape: Mapping[str, Any]
    training: TrainingConfig
    base: Base | None

    @classmethod
    def of(cls, call: Mapping[str, Any]) -> _Settings:
        """Tell the settings of the molecules, of the network and of its training apart.

        Raises:
            SettingsError: For an unknown one, or one that the model to start from brings.
        """
        given = {name: value for name, value in call.items() if name not in _ARGUMENTS}
        for name in given:
            if name not in SETTINGS:
                raise SettingsError(f"There is no setting {name!r}.{nearest(name, SETTINGS)}")
        shape = {name: value for name, value in given.items() if name in _SHAPE}
        standard = {name: value for name, value in given.items() if name in _STANDARD}
        training = {name: value for name, value in given.items() if name in _TRAINING}
        constraints, size, base = call.get("constraints", AUTO), call["size"], None
        if call.get("base") is not None:
            base = Base.load(call["base"])
            chosen = {"constraints": constraints != AUTO, "size": size is not None}
            base.refuse(
                [*shape, *standard, *(name for name, is_given in chosen.items() if is_given)]
            )
            training, constraints = base.settings(training), base.constraints
        else:
            sized(size or DEFAULT_SIZE, vocabulary_size=1, max_tokens=1, **shape)  # refused early
        return cls(
            standard=base.checkpoint.standard if base else from_mapping(Standard, standard),
            constraints=constraints,
            size=size or DEFAULT_SIZE,
            shape=shape,
            training=from_mapping(TrainingConfig, {**training, "seed": checks.seed(call["seed"])}),
            base=base,
        )

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The symbols that are known before."""
        return self.base.checkpoint.vocabulary if self.base else None

    def network(self, corpus: Corpus) -> SequenceVAE:
        """The network that training begins with."""
        longest = int(corpus.lengths(corpus.rows(TRAIN, VALID)).max())
        if self.base is not None:
            return self.base.network(corpus.vocabulary, longest, corpus.property_names)
        config = sized(
            self.size,
            vocabulary_size=len(corpus.vocabulary),
            max_tokens=longest,
            properties=len(corpus.property_names),
            **self.shape,
        )
        return SequenceVAE(config)


def _names(properties: str | Iterable[str]) -> tuple[str, ...]:
    """Property names; a single one may stand without a list."""
    return (properties,) if isinstance(properties, str) else tuple(properties)


def _standardised(corpus: Corpus, base: Base | None) -> tuple[Corpus, tuple[PropertyScale, ...]]:
    """The corpus with its properties in standard units of the training molecules."""
    train = corpus.rows(TRAIN)
    scales = tuple(
        _scale(name, corpus.store.numbers[train, place])
        for place, name in enumerate(corpus.property_names)
    )
    scales = base.scales(scales) if base else scales
    centre = np.array([scale.mean for scale in scales])
    deviations = np.array([scale.deviation for scale in scales])
    return replace(corpus, centre=centre, scale=deviations), scales


def _scale(name: str, values: np.ndarray) -> PropertyScale:
    known = values[~np.isnan(values)]
    if not len(known):
        raise TableError(f"No training molecule has a value of {name!r}.")
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = float(known.std()) if np.ptp(known) > 0 else 1.0
    if not math.isfinite(deviation):
        raise TableError(f"The values of {name!r} are too large. Give them in other units.")
    return PropertyScale(name, float(known.mean()), deviation, len(known))


def _announcement(course: Course) -> str:
    network, molecules = course.network, len(course.corpus.rows(TRAIN))
    heads = "".join(f", {scale.count:,} values of {scale.name}" for scale in course.scales)
    held_out = len(course.corpus.rows(VALID))
    return (
        f"Training {network.weight_count / 1e6:.1f} million weights on {network.device.type}: "
        f"{molecules:,} molecules, {f'{held_out:,}' if held_out else 'none'} held out{heads}, "
        f"batches of {course.config.batch_size_for(molecules):,}"
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


def _write_held_out(path: Path, corpus: Corpus) -> None:
    """Write the molecules that the model didn't learn from, part by part."""
    places = corpus.rows(VALID, TEST)
    with (
        files.atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        for start in range(0, max(1, len(places)), CHUNK):
            some = places[start : start + CHUNK]
            numbers = dict(zip(corpus.property_names, corpus.store.numbers[some].T, strict=True))
            table = pd.DataFrame(
                {
                    "row": corpus.store.row[some],
                    "smiles": corpus.smiles(some),
                    "split": [SPLIT_NAMES[one] for one in corpus.split[some].tolist()],
                    **numbers,
                }
            )
            table.to_csv(stream, index=False, header=start == 0, lineterminator="\n")


def _write(folder: Path, model: MolVAE, outcome: Outcome) -> None:
    """Write the model, and the facts of the run."""
    model.save(folder / FILE_NAME)
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
