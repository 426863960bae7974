"""Training from a table of molecules to a run folder."""

from __future__ import annotations

import csv
import dataclasses
import json
import platform
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch

from molvae import display, files
from molvae.checkpoint import FILE_NAME, Checkpoint, PropertyScale
from molvae.chem.identity import KnownMolecules
from molvae.corpus.batches import Batches
from molvae.corpus.corpus import MAX_TOKENS, Corpus, Preparation, prepare
from molvae.corpus.splits import HELD_OUT_SHARE, TEST, TRAIN, VALID
from molvae.corpus.table import as_table
from molvae.errors import OutputError, SettingsError, nearest
from molvae.health import report
from molvae.model import MolVAE, Source, choose_device
from molvae.network.config import NetworkConfig, sized
from molvae.network.vae import SequenceVAE
from molvae.settings import from_mapping
from molvae.training.config import TrainingConfig
from molvae.training.loop import Outcome, Progress, Watch, fit

LOG, REJECTS, RUN = "log.csv", "rejects.csv", "run.json"
"""Names in a run folder, beside the model's."""


def train(
    source: Source,
    output: str | Path | None = None,
    *,
    smiles_column: str | None = None,
    properties: Sequence[str] = (),
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
    """
    shape, config = _split_settings(settings, seed)
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
    model = MolVAE(learned.checkpoint, workers=workers)
    if learned.outcome.ending != "interrupted":
        _measure(model, preparation.corpus, seed)
    if folder is not None:
        _write(folder, model, preparation, learned.outcome)
        show(f"{_ENDINGS[learned.outcome.ending]} The model is in {folder / FILE_NAME}.")
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
        display.note(_announcement(network, training, watched))
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
    known = model.checkpoint.known
    measured = report(model.codec, smiles, corpus.properties[rows], known, seed=seed)
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
    shape_names = [field.name for field in fields(NetworkConfig)]
    training_names = [field.name for field in fields(TrainingConfig)]
    for name in settings:
        if name not in shape_names + training_names:
            known = nearest(name, [*shape_names, *training_names])
            raise SettingsError(f"train() has no setting {name!r}.{known}")
    shape = {name: value for name, value in settings.items() if name in shape_names}
    training = {name: value for name, value in settings.items() if name in training_names}
    return shape, from_mapping(TrainingConfig, {**training, "seed": seed})


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
        raise SettingsError(f"No training molecule has a value of {name!r}.")
    return PropertyScale(name, float(known.mean()), float(known.std()) or 1.0, len(known))


def _network_config(corpus: Corpus, size: str, shape: Mapping[str, Any]) -> NetworkConfig:
    return sized(
        size,
        vocabulary_size=len(corpus.vocabulary),
        max_tokens=int(corpus.lengths().max()),
        properties=len(corpus.property_names),
        **shape,
    )


def _announcement(network: SequenceVAE, training: Batches, watched: Batches | None) -> str:
    weights = sum(parameter.numel() for parameter in network.parameters())
    held_out = f"{watched.molecules:,}" if watched else "none"
    return (
        f"Training {weights / 1e6:.1f} million weights on {network.device.type}: "
        f"{training.molecules:,} molecules, {held_out} held out, batches of {training.batch_size}"
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
    files.write_text(folder / RUN, json.dumps(facts, indent=2) + "\n")


@dataclass
class _Watcher(AbstractContextManager["_Watcher"]):
    """Writes the log as training goes, and shows the progress."""

    folder: Path | None
    quiet: bool

    def __enter__(self) -> Self:
        self._bar = None if self.quiet else display.bar(None, "steps", "train")
        self._stream = None
        if self.folder is not None:
            files.ensure_folder(self.folder)
            self._stream = (self.folder / LOG).open("w", newline="", encoding="utf-8")
            self._rows = csv.writer(self._stream, lineterminator="\n")
            self._rows.writerow([field.name for field in fields(Progress)])
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
        if self._stream is not None:
            self._rows.writerow([_rounded(value) for value in dataclasses.astuple(progress)])
            self._stream.flush()
        if self._bar is not None:
            self._bar.set_postfix_str(_line(progress), refresh=False)


def _rounded(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _line(progress: Progress) -> str:
    return (
        f"reconstruction {progress.distortion:.2f} + {progress.beta:.3g} x KL {progress.rate:.2f}"
        f" nats, held-out loss {progress.held_out_loss:.2f},"
        f" {progress.molecules_per_second:,.0f} molecules/s"
    )
