"""molvae encode."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from molvae.cli import options
from molvae.cli.output import check_table, table_writer

if TYPE_CHECKING:
    import pandas as pd

    from molvae.codec import Encodings


@click.command(short_help="Molecules to latents, row for row.")
@click.argument("data", metavar="DATA")
@options.model
@click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    metavar="FILE",
    help="File to write: .npy, .csv, .tsv or .parquet.",
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

    A row that can't be used is NaN in a .npy, and has no numbers but a reason in a table.
    Files of any size are read, encoded and written part by part.

    \b
    Example:
      molvae encode -m runs/mine data.csv -o latents.npy
    """
    check_table(output, data, ".npy")
    import numpy as np

    from molvae import display
    from molvae.corpus.reading import open_table
    from molvae.model import load

    model = load(model_path, device=device, workers=workers)
    table = open_table(data, workers=workers)
    read = unused = 0
    first = ""
    with (
        _writer(output, (table.count, model.latent_dim)) as write,
        display.bar(table.count, "rows", "encode") as bar,
    ):
        for part in model.encode_chunks(table, column=smiles_column, flat=flatten):
            write(part)
            empty = np.flatnonzero(~part.usable)
            if not unused and len(empty):
                first = f"row {read + empty[0] + 1}: {part.reasons[empty[0]]}"
            read += len(part.reasons)
            unused += len(empty)
            bar.update(len(part.reasons))
    display.note(f"{read - unused:,} of {read:,} rows encoded.")
    if unused:
        display.note(f"The first that isn't: {first}.")


@contextlib.contextmanager
def _writer(output: str, shape: tuple[int, int]) -> Iterator[Callable[[Encodings], object]]:
    """Writes encodings part by part, as an array of that shape or as a table."""
    import numpy as np

    from molvae.files import atomic_path

    if not output.lower().endswith(".npy"):
        with table_writer(output, digits=9) as write:
            yield lambda part: write(_table(part))
        return
    layout = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with atomic_path(Path(output)) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, layout)
        yield lambda part: stream.write(part.mean.astype("<f4").tobytes())


def _table(encodings: Encodings) -> pd.DataFrame:
    import pandas as pd

    names = [f"z{place}" for place in range(1, encodings.mean.shape[1] + 1)]
    facts = {
        "smiles": encodings.smiles,
        "reason": encodings.reasons,
        "steps": [", ".join(steps) for steps in encodings.steps],
        "flattened": encodings.flattened,
    }
    return pd.DataFrame(facts).join(pd.DataFrame(encodings.mean, columns=names))
