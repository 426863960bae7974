"""molvae decode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from molvae.cli import options
from molvae.cli.output import check_table, write_table
from molvae.errors import TableError

if TYPE_CHECKING:
    import numpy as np


@click.command(short_help="Latents to molecules, row for row.")
@click.argument("latents", metavar="LATENTS")
@options.model
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="0 takes the likeliest token each time; 1 draws from the model.",
)
@options.seed
@options.output
@options.device
@options.workers
def decode(
    latents: str,
    model_path: str,
    temperature: float,
    seed: int,
    output: str,
    device: str,
    workers: int | None,
) -> None:
    """Latents, a .npy or a table that encode wrote, to molecules, row for row.

    \b
    Example:
      molvae decode -m runs/mine latents.npy -o back.csv
    """
    check_table(output, latents)
    from molvae.model import load

    values = _read(latents)
    model = load(model_path, device=device, workers=workers)
    write_table(model.decode(values, temperature=temperature, seed=seed), output)


def _read(source: str) -> np.ndarray:
    import numpy as np
    import pandas as pd

    from molvae.corpus.table import read_table

    if not source.lower().endswith(".npy"):
        table = read_table(source)
        names = [name for name in table.columns if name[:1] == "z" and name[1:].isdigit()]
        if not names:
            raise TableError(f"{source} has no columns z1, z2 ... as encode writes them.")
        names.sort(key=lambda name: int(name[1:]))
        columns = table[names].apply(pd.to_numeric, errors="coerce")
        return np.asarray(columns, dtype=np.float32)
    try:
        values: np.ndarray = np.load(Path(source), allow_pickle=False)
    except FileNotFoundError:
        raise TableError(f"No file {source}.") from None
    except (OSError, ValueError, EOFError) as error:
        raise TableError(f"{source} is no array of numbers ({error}).") from None
    return values
