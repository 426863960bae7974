"""molvae reconstruct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from molvae.cli import options
from molvae.cli.output import check_table, table_writer

if TYPE_CHECKING:
    from molvae.corpus.reading import TableSource
    from molvae.model import MolVAE


@click.command(short_help="Molecules to latents and back, row for row.")
@click.argument("data", metavar="DATA")
@options.model
@click.option("--sample", is_flag=True, help="Decode a draw of the posterior, not its mean.")
@click.option(
    "--proposals",
    type=click.IntRange(1),
    metavar="N",
    help="In place of that, propose N clean molecules at most for each row, the best first.",
)
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
    proposals: int | None,
    smiles_column: str | None,
    flatten: bool,
    seed: int,
    output: str,
    device: str,
    workers: int | None,
) -> None:
    """Molecules to latents and back, row for row, and whether they came back unchanged.

    Files of any size are read, taken there and back and written part by part.

    With --proposals, rows may be broken: what RDKit can't read is read as far as it goes. Proposals
    are ranked by their likelihood and by the edits that they need. An ordinary molecule is as a
    rule its own best proposal, with no edit. A row without any has a line with the reason.

    \b
    Example:
      molvae reconstruct -m runs/mine data.csv -o both.csv
      molvae reconstruct -m runs/mine broken.csv --proposals 5 -o repaired.csv
    """
    if sample and proposals is not None:
        raise click.UsageError("--proposals looks at many draws already; leave --sample away.")
    check_table(output, data)
    from molvae import display
    from molvae.corpus.reading import open_table
    from molvae.model import load

    model = load(model_path, device=device, workers=workers)
    table = open_table(data, workers=workers)
    if proposals is not None:
        _propose(
            model, table, output, count=proposals, column=smiles_column, flat=flatten, seed=seed
        )
        return
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


def _propose(model: MolVAE, table: TableSource, output: str, **asked: Any) -> None:
    """Write the proposals for each row, and tell how many rows have any."""
    from molvae import display
    from molvae.latent.repair import remark

    repaired = 0
    with table_writer(output) as write, display.bar(table.count, "rows", "proposals") as bar:
        for part in model.repair_chunks(table, **asked):
            write(part)
            repaired += int((part["rank"] == 1).sum())
            bar.update(part["row"].nunique())
    display.note(f"{repaired:,} of {table.count:,} rows got proposals.")
    missing = remark(model.corruption)
    if missing:
        display.note(missing)
