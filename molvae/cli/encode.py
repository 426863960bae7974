"""molvae encode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from molvae.cli import options
from molvae.cli.output import check_table, check_target, write_table

if TYPE_CHECKING:
    from molvae.codec import Encodings


@click.command(short_help="Molecules to latents, row for row.")
@click.argument("data", metavar="DATA.csv")
@options.model
@click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    metavar="FILE",
    help="File to write: .npy, .csv or .tsv.",
)
@options.smiles_column
@options.flatten
@options.device
@options.workers
def encode(
    data: str,
    model_path: str,
    output: str,
    smiles_column: str | None,
    flatten: bool,
    device: str,
    workers: int | None,
) -> None:
    """Molecules to latents (posterior means), row for row.

    A row that can't be used is NaN in a .npy, and has no numbers but a reason in a CSV.

    \b
    Example:
      molvae encode -m runs/mine data.csv -o latents.npy
    """
    if output.lower().endswith(".npy"):
        check_target(output, ".npy")
    else:
        check_table(output, data)
    from molvae import display
    from molvae.model import load

    encodings = load(model_path, device=device, workers=workers).encode(
        data, column=smiles_column, flat=flatten
    )
    _write(encodings, output)
    usable = int(encodings.usable.sum())
    display.note(f"{usable:,} of {len(encodings.reasons):,} rows encoded.")
    for row, reason in enumerate(encodings.reasons, 1):
        if reason:
            display.note(f"The first that isn't: row {row}: {reason}.")
            break


def _write(encodings: Encodings, output: str) -> None:
    import numpy as np
    import pandas as pd

    from molvae.files import atomic_path

    if output.lower().endswith(".npy"):
        with atomic_path(Path(output)) as temporary:
            np.save(temporary, encodings.mean)
        return
    names = [f"z{place}" for place in range(1, encodings.mean.shape[1] + 1)]
    facts = {
        "smiles": encodings.smiles,
        "reason": encodings.reasons,
        "steps": [", ".join(steps) for steps in encodings.steps],
        "flattened": encodings.flattened,
    }
    latents = pd.DataFrame(encodings.mean, columns=names)
    write_table(pd.DataFrame(facts).join(latents), output, digits=9)
