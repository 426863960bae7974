"""molvae suggest."""

from __future__ import annotations

from pathlib import Path

import click

from molvae.cli import options
from molvae.cli.output import check_image, check_table, write_table


@click.command(short_help="The next molecules to make, by what was measured of others.")
@click.argument("data", metavar="DATA")
@options.model
@click.option(
    "--objective",
    multiple=True,
    required=True,
    metavar="FILE.toml|TERM",
    help="What to reach, as for optimize; one term or more is of a column of DATA: pic50:max.",
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    default=24,
    show_default=True,
    help="Molecules in the batch.",
)
@options.smiles_column
@options.filters
@click.option("--keep-known", is_flag=True, help="Allow molecules of the training set.")
@click.option(
    "--max-similarity",
    type=float,
    default=0.7,
    show_default=True,
    metavar="TANIMOTO",
    help="Two molecules of the batch are less similar than that.",
)
@click.option(
    "--budget",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    help="Candidates that are looked at.",
)
@click.option(
    "--flatten",
    is_flag=True,
    help="Take stereo, isotopes and neutralisable charges from the molecules of DATA, and propose "
    "some without.",
)
@options.seed
@options.output
@click.option("--rows", metavar="FILE", help="Also write what was read of each row of DATA.")
@options.image
@options.device
@options.workers
def suggest(
    data: str,
    model_path: str,
    objective: tuple[str, ...],
    count: int,
    smiles_column: str | None,
    filters: tuple[str, ...],
    keep_known: bool,
    max_similarity: float,
    budget: int,
    flatten: bool,
    seed: int,
    output: str,
    rows: str | None,
    image: str | None,
    device: str,
    workers: int | None,
) -> None:
    """The next molecules to make, by the measured values in a table.

    DATA has a column of SMILES and columns of measured values; blanks are allowed, and rows of one
    molecule are replicates. Terms are written as for optimize: a NAME that is a column of DATA and
    no property of RDKit's, or measured=COLUMN, is what was measured; all others are computed. What
    a molecule that wasn't measured would give is predicted by a Gaussian process, with its standard
    deviation, from its latent and its fingerprint. How well that does is told.

    The batch has molecules that are likely good and some that are worth knowing; none is in DATA
    (nor a stereoisomer, salt or state of charge of one that is), known from training, like another
    in the batch, or objected to by the filters (moses, unless others are named). Measure them, add
    them to DATA, and ask again.

    \b
    Example:
      molvae suggest -m runs/mine measured.csv --objective pic50:max -n 24 -o next.csv
      molvae suggest -m runs/mine measured.csv --objective "measured=IC50 (nM):min=10..10000" \\
        --objective logp:range=1..3,width=0.5
    """
    check_table(output, data)
    if rows is not None:
        check_table(rows, data)
        if Path(rows).resolve() == Path(output).resolve():
            raise click.UsageError("--rows and --output are two tables: name two files.")
    check_image(image)
    from molvae import display
    from molvae.chem.drawing import draw_grid
    from molvae.model import load

    model = load(model_path, device=device, workers=workers)
    with display.bar(budget, "candidates", "suggest") as bar:
        found = model.suggest(
            data,
            objective,
            count=count,
            column=smiles_column,
            flat=flatten,
            filters=filters or ("moses",),
            novel=not keep_known,
            max_similarity=max_similarity,
            budget=budget,
            seed=seed,
            on_round=lambda candidates: bar.update(candidates - bar.n),
        )
    write_table(found.table, output)
    if rows is not None:
        write_table(found.rows, rows)
    for note in found.notes:
        display.note(note)
    display.note(f"{len(found.table):,} molecules to make, of {found.candidates:,} candidates.")
    shown = found.table.head(20)
    if image is not None and len(shown):
        legends = [f"score {score:.3g}" for score in shown["score"]]
        draw_grid(shown["smiles"].tolist(), legends, Path(image))
