"""molvae reconstruct."""

from __future__ import annotations

import click

from molvae.cli import options
from molvae.cli.output import check_table, write_table


@click.command(short_help="Molecules to latents and back, row for row.")
@click.argument("data", metavar="DATA.csv")
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

    \b
    Example:
      molvae reconstruct -m runs/mine data.csv -o both.csv
    """
    check_table(output, data)
    from molvae import display
    from molvae.model import load

    table = load(model_path, device=device, workers=workers).reconstruct(
        data, column=smiles_column, flat=flatten, sample=sample, seed=seed
    )
    write_table(table, output)
    usable = table[table["reason"] == ""]
    share = f", {usable['exact'].mean():.1%} of them exactly" if len(usable) else ""
    display.note(f"{len(usable):,} of {len(table):,} rows reconstructed{share}.")
