"""The run folder: what a training run keeps, and what another run may go on from."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from molvae import files
from molvae.checkpoint import FILE_NAME
from molvae.errors import CheckpointError, OutputError
from molvae.run.base import Base
from molvae.training import state as states
from molvae.training.state import State

LOG, REJECTS, RUN, CALL = "metrics.csv", "rejects.csv", "run.json", "call.json"
HELD_OUT, BASE = "held_out.csv", "base.safetensors"
CURVES, BOARD = "curves.png", "tensorboard"
"""Names in a run folder, beside the model's and the state's."""


class RunFolder:
    """A run folder.

    Args:
        path: Where it is; made when something is written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def check(self, *, overwrite: bool) -> None:
        """Refuse a folder that can't be written in, or that holds a run, finished or not.

        Raises:
            OutputError: With the remedy; also when another run writes in it.
        """
        files.check_unlocked(self.path)
        if not overwrite and self.has_state:
            raise OutputError(
                f"{self.path} holds a run that hasn't ended. Go on with `molvae train --resume "
                f"{self.path}`, or add --overwrite."
            )
        if not overwrite and (self.path / FILE_NAME).exists():
            raise OutputError(
                f"{self.path} holds a model already. Name another folder, or add --overwrite."
            )
        for name in (FILE_NAME, LOG, CURVES, REJECTS, HELD_OUT, BASE, RUN, CALL, states.FILE_NAME):
            if (self.path / name).is_dir():
                raise OutputError(f"{self.path / name} is a folder. Name another run folder.")
        files.check_folder(self.path)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keep other runs out.

        Raises:
            OutputError: When another run writes in the folder.
        """
        with files.locked(self.path):
            yield

    @property
    def base(self) -> Path:
        """The model that the run started from, for as long as it hasn't ended."""
        return self.path / BASE

    def begin(self, call: Mapping[str, Any], base: Base | None = None) -> None:
        """Forget an earlier run's progress, and keep what this one was asked for.

        Args:
            call: The arguments.
            base: The model that it starts from, which may be overwritten or moved meanwhile.
        """
        if base is None:
            self.base.unlink(missing_ok=True)
        else:
            with files.atomic_path(self.base) as temporary:
                shutil.copyfile(base.path, temporary)
        for name in (LOG, CURVES, states.FILE_NAME):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.path / BOARD, ignore_errors=True)
        text = json.dumps(call, indent=2, default=lambda number: number.item())  # numpy's numbers
        files.write_text(self.path / CALL, text + "\n")

    def call(self) -> dict[str, Any]:
        """What the run was asked for.

        Raises:
            CheckpointError: When there is no run.
        """
        try:
            found = json.loads((self.path / CALL).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict) or "source" not in found:
            raise CheckpointError(
                f"{self.path} holds no run to go on from. Train with `molvae train DATA.csv "
                f"-o {self.path}`."
            )
        return found

    @property
    def has_state(self) -> bool:
        """Whether a run hasn't ended here."""
        return (self.path / states.FILE_NAME).exists()

    def save_state(self, state: State, fingerprint: str) -> None:
        """Write a state point in the place of the one before.

        Raises:
            OutputError: When the disk is full; the one before stays.
        """
        facts = {**state.facts, "data": fingerprint, "threads": torch.get_num_threads()}
        states.save(replace(state, facts=facts), self.path / states.FILE_NAME)

    def state(self, fingerprint: str) -> State:
        """The last state point.

        Raises:
            CheckpointError: When it can't be read, or belongs to other molecules.
        """
        found = states.load(self.path / states.FILE_NAME)
        if found.facts["data"] != fingerprint:
            raise CheckpointError(
                f"The molecules have changed since {self.path} was begun. Train anew with "
                "--overwrite."
            )
        return found

    def drop_state(self) -> None:
        """The run has ended."""
        self.base.unlink(missing_ok=True)
        (self.path / states.FILE_NAME).unlink(missing_ok=True)

    def log(self, row: Mapping[str, float | None]) -> None:
        """Add a row to the log; every row has the columns of the first."""
        path = self.path / LOG
        fresh = not path.exists()
        with files.open_text(path) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            if fresh:
                writer.writerow(row)
            writer.writerow(_written(one) for one in row.values())

    def cut_log(self, step: int) -> None:
        """Take what lies behind a step, or was written in part, out of the log."""
        path = self.path / LOG
        if not path.exists():
            return
        text = path.read_text(encoding="utf-8", errors="replace")
        rows = [row for row in csv.DictReader(io.StringIO(text)) if _is_whole(row)]
        kept = [row for row in rows if int(row["step"]) <= step]
        if not kept:
            path.unlink()
            return
        stream = io.StringIO()
        writer = csv.DictWriter(stream, kept[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        files.write_text(path, stream.getvalue())


def _is_whole(row: Mapping[str | Any, Any]) -> bool:
    """Whether a row of the log has a step, and as many fields as there are columns."""
    return None not in row and None not in row.values() and row.get("step", "").isdecimal()


def _written(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"
