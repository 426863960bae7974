"""molvae reconstruct."""

from __future__ import annotations

import click

from molvae.cli import options
from molvae.cli.output import check_table, table_writer


@click.command(short_help="Molecules to latents and back, row for row.")
@click.argument("data", metavar="DATA")
@options.model
@click.option("--sample", is_flag=True, help="Decode a draw of the posterior, not its mean.")
@options.smiles_column
@options.flatten
@options.seed
@options.output
@options.device
@options.workers
def reconstruct(
    data: str,
    model_path: str,
    sample: bool,
    smiles_column: str | None,
    flatten: bool,
    seed: int,
    output: str,
    device: str,
    workers: int | None,
) -> None:
    """Molecules to latents and back, row for row, and whether they came back unchanged.

    Files of any size are read, taken there and back and written part by part.

    \b
    Example:
      molvae reconstruct -m runs/mine data.csv -o both.csv
    """
    check_table(output, data)
    from molvae import display
    from molvae.corpus.reading import open_table
    from molvae.model import load

    model = load(model_path, device=device, workers=workers)
    table = open_table(data, workers=workers)
    usable = exact = 0
    with (
        table_writer(output) as write,
        display.bar(table.count, "rows", "reconstruct") as bar,
    ):
        for part in model.reconstruct_chunks(
            table, column=smiles_column, flat=flatten, sample=sample, seed=seed
        ):
            write(part)
            usable += int((part["reason"] == "").sum())
            exact += int(part["exact"].sum())
            bar.update(len(part))
    share = f", {exact / usable:.1%} of them exactly" if usable else ""
    display.note(f"{usable:,} of {table.count:,} rows reconstructed{share}.")
