"""Training from a table of molecules to a run folder."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import numpy as np
import torch

from molvae import display, files
from molvae import settings as checks
from molvae.checkpoint import FILE_NAME, Checkpoint, PropertyScale
from molvae.chem.identity import KnownMolecules
from molvae.corpus.batches import Batches
from molvae.corpus.corpus import MAX_TOKENS, Corpus, Preparation, prepare
from molvae.corpus.splits import HELD_OUT_SHARE, TEST, TRAIN, VALID
from molvae.corpus.table import as_table
from molvae.errors import OutputError, SettingsError, TableError, nearest
from molvae.health.measure import TRAINING_MOLECULES, fit_of, measure
from molvae.health.training import Training, spread
from molvae.model import MolVAE, Source, choose_device
from molvae.network.config import NetworkConfig, sized
from molvae.network.vae import SequenceVAE
from molvae.settings import from_mapping
from molvae.training.config import TrainingConfig
from molvae.training.loop import Outcome, Progress, Watch, fit

LOG, REJECTS, RUN = "log.csv", "rejects.csv", "run.json"
"""Names in a run folder, beside the model's."""

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
    overwrite: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> MolVAE:
    """Learn a latent space from molecules.

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
        overwrite: Replace the model in the run folder.
        quiet: Show nothing on stderr.
        settings: Single numbers over the defaults: any field of
            `molvae.training.config.TrainingConfig` or `molvae.network.config.NetworkConfig`.

    Returns:
        The model with its best weights. ``model.record`` tells how training went; its ``ending``
        is "interrupted" after a Ctrl-C.

    Raises:
        UserError: For a table, setting or folder that can't be used.
        TrainingError: When the loss isn't finite.
        KeyboardInterrupt: After a Ctrl-C before the first look; nothing is written.
    """
    seed, flat, properties = checks.seed(seed), bool(flat), _names(properties)
    shape, config = _split_settings(settings, seed)
    sized(size, vocabulary_size=1, max_tokens=1, **shape)  # refused now, not after the chemistry
    target_device = choose_device(device)
    folder = None if output is None else _run_folder(Path(output), overwrite)
    show = (lambda text: None) if quiet else display.note
    preparation = prepare(
        as_table(source),
        column=smiles_column,
        property_names=properties,
        split_column=split_column,
        held_out=held_out,
        max_tokens=max_tokens,
        flat=flat,
        seed=seed,
        workers=workers,
    )
    show(str(preparation.account))
    learned = _learn(preparation, size, shape, config, target_device, folder, quiet)
    if learned.outcome.best_step == 0:
        raise KeyboardInterrupt  # before the first look there is nothing worth keeping
    model = MolVAE(learned.checkpoint, workers=workers)
    if folder is not None:
        _write(folder, model, preparation, learned.outcome)
        show(f"{_ENDINGS[learned.outcome.ending]} The model is in {folder / FILE_NAME}.")
    if learned.outcome.ending != "interrupted":
        _measure(model, preparation.corpus, seed)
        if folder is not None:
            _write(folder, model, preparation, learned.outcome)
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
    folder: Path | None,
    quiet: bool,
) -> _Learned:
    """Train a network on a corpus, and make a checkpoint of it."""
    corpus, scales = _standardised(preparation.corpus)
    torch.manual_seed(config.seed)
    network = SequenceVAE(_network_config(corpus, size, shape)).to(device)
    rows, watching = corpus.rows(TRAIN), corpus.rows(VALID)
    batch_size = config.batch_size_for(len(rows))
    training = Batches(corpus, rows, batch_size, config.seed)
    watched = Batches(corpus, watching, batch_size, config.seed) if len(watching) else None
    if not quiet:
        display.note(_announcement(network, training, watched, scales))
    with _Watcher(folder, quiet=quiet) as watcher:
        outcome = fit(network, training, watched, config, watcher.watch())
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


def _run_folder(folder: Path, overwrite: bool) -> Path:
    if (folder / FILE_NAME).exists() and not overwrite:
        raise OutputError(
            f"{folder} holds a model already. Name another folder, or add --overwrite."
        )
    return files.check_folder(folder)


def _standardised(corpus: Corpus) -> tuple[Corpus, tuple[PropertyScale, ...]]:
    """The corpus with its properties in standard units of the training molecules."""
    values = corpus.properties[corpus.rows(TRAIN)]
    scales = tuple(
        _scale(name, values[:, place]) for place, name in enumerate(corpus.property_names)
    )
    means = np.array([scale.mean for scale in scales])
    deviations = np.array([scale.deviation for scale in scales])
    standard = (corpus.properties - means) / deviations
    return dataclasses.replace(corpus, properties=standard), scales


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


@dataclass
class _Watcher(AbstractContextManager["_Watcher"]):
    """Writes the log as training goes, and shows the progress.

    The log has its name from the first look on; before, there is nothing to keep.
    """

    folder: Path | None
    quiet: bool

    def __enter__(self) -> Self:
        self._bar = None if self.quiet else display.bar(None, "steps", "train")
        self._stream: TextIO | None = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._stream is not None:
            self._stream.close()

    def watch(self) -> Watch:
        """What the loop calls."""
        return Watch(on_step=self._step, on_look=self._look)

    def _step(self, steps: int) -> None:
        if self._bar is not None:
            self._bar.total = steps
            self._bar.update(1)

    def _look(self, progress: Progress) -> None:
        if self.folder is not None:
            self._log([_rounded(value) for value in dataclasses.astuple(progress)])
        if self._bar is not None:
            self._bar.set_postfix_str(_line(progress), refresh=False)

    def _log(self, row: list[str]) -> None:
        if self._stream is None and self.folder is not None:
            files.ensure_folder(self.folder)
            self._stream = files.open_text(self.folder / LOG)
            self._stream.write(",".join(field.name for field in fields(Progress)) + "\n")
        if self._stream is not None:
            self._stream.write(",".join(row) + "\n")
            self._stream.flush()


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _line(progress: Progress) -> str:
    held_out = progress.held_out_loss
    watched = "" if held_out is None else f" held-out loss {held_out:.2f},"
    return (
        f"reconstruction {progress.distortion:.2f} + {progress.beta:.3g} x KL {progress.rate:.2f}"
        f" nats,{watched}"
        f" {progress.molecules_per_second:,.0f} molecules/s"
    )
