"""The curves of a training run as a picture."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from molvae.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEAD = "_r2"


def draw_curves(log: Path, target: Path) -> None:
    """Draw the log of a run.

    Args:
        log: Its metrics.csv.
        target: A .png or .svg file.

    Raises:
        OutputError: When the picture can't be written.
    """
    from matplotlib.figure import Figure  # no window, and nothing that other figures share

    table = pd.read_csv(log)
    figure = Figure(figsize=(10, 7), dpi=100, layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    for place, (title, columns) in zip(axes.flat, _panels(table), strict=True):
        _panel(place, table, title, columns)
    for place in axes[1]:
        place.set_xlabel("step")
    with atomic_path(target) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name may have letters that the font lacks
        figure.savefig(temporary)


def _panels(table: pd.DataFrame) -> Iterator[tuple[str, dict[str, str]]]:
    """What is drawn where: titles, and columns with their names; 4 of them."""
    yield (
        "training, nats per molecule",
        {
            "distortion": "distortion",
            "blurred": "distortion of noisy latents",
            "rate": "KL",
        },
    )
    yield "held-out loss at the full beta, nats per molecule", {"held_out_loss": "loss"}
    heads = [name for name in table.columns if name.endswith(_HEAD)]
    yield (
        "shares",
        {"exact": "exact reconstruction from a draw, training"}
        | {name: f"R2 of {name.removesuffix(_HEAD)}, held out" for name in heads},
    )
    yield "schedules", {"beta": "beta", "learning_rate": "learning rate"}


def _panel(axes: Axes, table: pd.DataFrame, title: str, columns: dict[str, str]) -> None:
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    if title == "schedules":
        axes.set_yscale("log")
    elif title == "shares":
        lowest = min(table[column].min() for column in columns)
        axes.set_ylim(max(-1.0, min(0.0, lowest)) - 0.02, 1.02)  # R2 has no lower end
    for column, name in columns.items():
        if table[column].notna().any():
            axes.plot(table["step"], table[column], label=name, linewidth=1.5)
    if axes.lines:
        for text in axes.legend(fontsize=8).get_texts():
            text.set_parse_math(False)  # a property may be called as it likes
