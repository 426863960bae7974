"""molvae combine."""

from __future__ import annotations

from pathlib import Path

import click

from molvae.cli import options
from molvae.cli.output import check_image, check_table, write_table


@click.command(short_help="Molecules at a sum or a mean of others.")
@click.option("--plus", metavar="SMILES", multiple=True, help="Add a molecule; may be repeated.")
@click.option(
    "--minus", metavar="SMILES", multiple=True, help="Take a molecule away; may be repeated."
)
@click.option(
    "--times",
    type=(float, str),
    metavar="WEIGHT SMILES",
    multiple=True,
    help="Add a molecule with a weight; may be repeated.",
)
@click.option("--mean", metavar="FILE", help="Add the mean of the molecules in a table.")
@options.smiles_column
@options.model
@click.option(
    "-n",
    "--count",
    type=click.IntRange(0),
    default=9,
    show_default=True,
    help="Further molecules, drawn around the point.",
)
@click.option(
    "--noise",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="In the point, for these: 0 none, 1 nothing of the point is left.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Of the decoder, for these: 0 takes the likeliest token each time.",
)
@options.keep_repaired
@options.flatten
@options.seed
@options.output
@options.image
@options.device
def combine(
    plus: tuple[str, ...],
    minus: tuple[str, ...],
    times: tuple[tuple[float, str], ...],
    mean: str | None,
    smiles_column: str | None,
    model_path: str,
    count: int,
    noise: float,
    temperature: float,
    keep_repaired: bool,
    flatten: bool,
    seed: int,
    output: str,
    image: str | None,
    device: str,
) -> None:
    """Molecules at a sum of others in the latent space, such as A - B + C, or at a mean.

    The first row is what the point itself decodes to, the others are drawn around it. Each tells
    its Tanimoto similarity to the molecules: similarity_1, similarity_2 ... are those of --plus,
    then of --minus, then of --times, and similarity_set is the mean of those to the molecules
    of --mean. `density` is the log density of the molecule under the model's prior.

    \b
    Example:
      molvae combine -m runs/mine --plus "CCOc1ccccc1" --minus "c1ccccc1" --plus "c1ccncc1"
    """
    check_table(output, mean)
    check_image(image)
    from molvae import display
    from molvae.model import load

    model = load(model_path, device=device)
    terms = [(one, 1.0) for one in plus] + [(one, -1.0) for one in minus]
    found = model.combine(
        [*terms, *((smiles, weight) for weight, smiles in times)],
        mean=mean,
        column=smiles_column,
        count=count,
        noise=noise,
        temperature=temperature,
        flat=flatten,
        strict=not keep_repaired,
        seed=seed,
    )
    write_table(found.table, output)
    if image is not None and len(found.table):
        found.draw(Path(image))
    for note in found.notes:
        display.note(note)
    display.note(f"The point has a log density of {found.density:.1f} nats under the prior.")
