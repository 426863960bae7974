"""Training from a table of molecules to a run folder."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from molvae import display
from molvae import settings as checks
from molvae.checkpoint import FILE_NAME, PropertyScale, standard_before
from molvae.chem.strings import AUTO
from molvae.corpus.corpus import MAX_TOKENS, Corpus, Preparation, prepare
from molvae.corpus.reading import Source
from molvae.corpus.splits import HELD_OUT_SHARE, TRAIN, VALID
from molvae.corpus.survey import Survey
from molvae.errors import CheckpointError, SettingsError, TableError, nearest
from molvae.model import MolVAE, choose_device
from molvae.parallel import available_cores
from molvae.run.base import Base
from molvae.run.course import Course
from molvae.run.folder import RunFolder
from molvae.run.request import PREPARING, Request
from molvae.run.result import (
    checkpoint_of,
    completed,
    draw,
    put_report,
    with_typical,
    write,
    write_tables,
)
from molvae.training.team import Team


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
    asked = Request.of({**call, **settings})
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
            then the weights are others. With other ``processes`` they are only rounded otherwise.

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
    numbers = {"learning_rate", "precision", "patience", "epochs", "steps", "max_minutes"}
    known = {*numbers, "workers", "processes"}
    for name in settings:
        if name not in known:
            raise SettingsError(f"{name!r} can't change within a run.{nearest(name, known)}")
    given = path if source is None else source
    call = {**call, **settings, "quiet": quiet}
    return _train(given, folder, call, Request.of(call), resumed=True)


def _train(
    source: Source,
    folder: RunFolder | None,
    call: Mapping[str, Any],
    settings: Request,
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
        preparation = _prepared(source, call, settings)
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
            checkpoint_of(preparation, course, outcome, settings.base),
            workers=call["workers"],
            path="" if folder is None else str(folder.path.absolute()),
        )
        if folder is not None and first:
            write(folder.path, model, outcome)
            write_tables(folder.path, preparation)
            draw(folder, show)
            show(f"{_ENDINGS[ending]} The model is in {folder.path / FILE_NAME}.")
        if ending != "interrupted":
            show("Fitting a prior to the latents of the training molecules ...")
            model = completed(model, course)
            if first:
                model = _measured(model, preparation.corpus, course, report=bool(call["report"]))
            if folder is not None and first:
                write(folder.path, model, outcome)
                folder.drop_state()
        return model


def _prepared(source: Source, call: Mapping[str, Any], settings: Request) -> Preparation:
    """The molecules to learn."""
    return prepare(
        source,
        column=call["smiles_column"],
        property_names=_names(call["properties"]),
        **{name: call.get(name, default) for name, default in PREPARING.items()},
        constraints=settings.constraints,
        standard=settings.standard,
        vocabulary=settings.vocabulary,
        seed=settings.training.seed,
        workers=call["workers"],
    )


def _measured(model: MolVAE, corpus: Corpus, course: Course, *, report: bool) -> MolVAE:
    """The model with what is usual of held-out molecules, and with a report on it."""
    model = with_typical(model, corpus)
    if report:
        put_report(model, corpus, course.config.seed)
    return model


def _course(
    preparation: Preparation,
    call: Mapping[str, Any],
    settings: Request,
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


_ENDINGS = {
    "complete": "Training is complete.",
    "early stop": "Training stopped: the held-out loss no longer fell.",
    "time": "Training stopped at its limit in minutes.",
    "interrupted": "Training was interrupted; the best weights so far are kept.",
}


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
