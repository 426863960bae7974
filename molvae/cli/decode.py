"""molvae decode."""

from __future__ import annotations

import click

from molvae.cli import options
from molvae.cli.output import check_table, table_writer


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

    Files of any size are read, decoded and written part by part.

    \b
    Example:
      molvae decode -m runs/mine latents.npy -o back.csv
    """
    check_table(output, latents)
    from molvae import display
    from molvae.corpus.latents import open_latents
    from molvae.model import load

    source = open_latents(latents)
    model = load(model_path, device=device, workers=workers)
    parts = model.decode_chunks(source, temperature=temperature, seed=seed)
    with table_writer(output) as write, display.bar(source.count, "rows", "decode") as bar:
        for part in parts:
            write(part)
            bar.update(len(part))
