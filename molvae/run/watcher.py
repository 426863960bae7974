"""What happens while training goes: log, state points, progress, signals."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import fields
from importlib.util import find_spec
from types import FrameType
from typing import TYPE_CHECKING, Self

import torch

from molvae import display
from molvae.checkpoint import PropertyScale
from molvae.interrupts import handled
from molvae.run.folder import BOARD, RunFolder
from molvae.training.progress import Progress, Watch
from molvae.training.state import State

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Watcher(AbstractContextManager["Watcher"]):
    """Writes log and state points as training goes, shows the progress, and hears signals.

    The first Ctrl-C or SIGTERM asks training to save and leave; a second Ctrl-C ends it at once.

    Args:
        folder: Where to write; without one nothing is written.
        fingerprint: Of the molecules.
        scales: What the heads predict.
        quiet: Show nothing.
    """

    def __init__(
        self,
        folder: RunFolder | None,
        fingerprint: str,
        scales: Sequence[PropertyScale],
        quiet: bool,
    ) -> None:
        self._folder, self._fingerprint, self._quiet = folder, fingerprint, quiet
        self._scales = scales
        self._asked, self._saved = False, 0
        self._board: SummaryWriter | None = None
        self._shows = find_spec("tensorboard") is not None
        self._owned = ExitStack()

    def __enter__(self) -> Self:
        self._bar = None if self._quiet else display.bar(None, "steps", "train")
        if self._bar is not None:
            self._owned.callback(self._bar.close)
        self._owned.enter_context(handled({signal.SIGINT: self._hear, signal.SIGTERM: self._hear}))
        return self

    def __exit__(self, *_: object) -> None:
        self._owned.close()

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
        if not self._quiet and state.facts["threads"] != torch.get_num_threads():
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

    def _step(self, steps: int) -> None:
        if self._bar is not None:
            self._bar.total = steps
            self._bar.update(1)

    def _look(self, progress: Progress) -> None:
        row = row_of(progress, self._scales)
        if self._folder is not None:
            self._folder.log(row)
            if self._shows:
                self._show(self._folder, row)
        if self._bar is not None:
            self._bar.set_postfix_str(_line(progress), refresh=False)

    def _show(self, folder: RunFolder, row: dict[str, float | None]) -> None:
        """Write a row of the log for TensorBoard; when that fails, training goes on without it."""
        try:
            if self._board is None:
                from torch.utils.tensorboard import SummaryWriter

                # What an interrupted run wrote behind its last state point is hidden.
                self._board = SummaryWriter(str(folder.path / BOARD), purge_step=self._saved + 1)
                self._owned.callback(self._board.close)
            for name, value in row.items():
                if value is not None and name not in ("step", "steps"):
                    self._board.add_scalar(name, value, int(row["step"] or 0))
            self._board.flush()
        except (ImportError, OSError) as error:
            self._shows = False
            if not self._quiet:
                display.note(f"TensorBoard gets nothing: {error}.")


def row_of(progress: Progress, scales: Sequence[PropertyScale]) -> dict[str, float | None]:
    """A row of the log: what is known at a look, and ``NAME_r2`` and ``NAME_mae`` of each head.

    The error stands in the units of the property.
    """
    names = [field.name for field in fields(progress) if field.name != "heads"]
    row: dict[str, float | None] = {name: getattr(progress, name) for name in names}
    for scale, head in zip(scales, progress.heads, strict=bool(progress.heads)):
        row[f"{scale.name}_r2"] = head.r2
        row[f"{scale.name}_mae"] = None if head.mae is None else head.mae * scale.deviation
    return row


def _line(progress: Progress) -> str:
    held_out = progress.held_out_loss
    watched = "" if held_out is None else f" held-out loss {held_out:.2f},"
    return (
        f"reconstruction {progress.distortion:.2f} + {progress.beta:.3g} x KL {progress.rate:.2f}"
        f" nats,{watched}"
        f" {progress.molecules_per_second:,.0f} molecules/s"
    )
