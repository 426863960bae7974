"""molvae score."""

from __future__ import annotations

import click

from molvae.cli import options
from molvae.cli.output import check_table, table_writer


@click.command(short_help="How typical of the training set molecules are, row for row.")
@click.argument("data", metavar="DATA")
@options.model
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    metavar="N",
    help="Draws of each posterior; more of them tighten log_likelihood.",
)
@options.smiles_column
@options.flatten
@options.seed
@options.output
@options.device
@options.workers
def score(
    data: str,
    model_path: str,
    samples: int,
    smiles_column: str | None,
    flatten: bool,
    seed: int,
    output: str,
    device: str,
    workers: int | None,
) -> None:
    """How typical of the training set molecules are, row for row.

    \b
    distortion        nats, averaged over draws of the posterior
    kl                likewise
    log_likelihood    nats; importance-weighted bound on log p(x)
    density           log density of the posterior mean, nats
    nearest_training  distance of it to the nearest of 4,000 training latents
    outlier           of 100 held-out molecules, how many are less unusual
    exact, known      decodes to itself; is a training molecule

    \b
    Example:
      molvae score -m runs/mine data.csv -o scores.csv
    """
    check_table(output, data)
    from molvae import display
    from molvae.corpus.reading import open_table
    from molvae.latent.typicality import remark
    from molvae.model import load

    model = load(model_path, device=device, workers=workers)
    table = open_table(data, workers=workers)
    usable = known = far = 0
    with table_writer(output) as write, display.bar(table.count, "rows", "score") as bar:
        for part in model.score_chunks(
            table, column=smiles_column, flat=flatten, samples=samples, seed=seed
        ):
            write(part)
            usable += int((part["reason"] == "").sum())
            known += int(part["known"].sum())
            far += int((part["outlier"] >= 99).sum())
            bar.update(len(part))
    display.note(f"{usable:,} of {table.count:,} rows scored, {known:,} of them known.")
    missing = remark(model.checkpoint.typical)
    if missing:
        display.note(missing)
    elif usable:
        display.note(
            f"{far:,} ({far / usable:.1%}) are more unusual than 99% of what was held out."
        )
