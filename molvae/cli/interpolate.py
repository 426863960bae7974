"""molvae interpolate."""

from __future__ import annotations

from pathlib import Path

import click

from molvae.cli import options
from molvae.cli.output import check_image, check_table, write_table


@click.command(short_help="The path between two or more compounds.")
@click.argument("compounds", nargs=-1, required=True, metavar="SMILES SMILES...")
@options.model
@click.option(
    "--steps",
    type=click.IntRange(3),
    default=9,
    show_default=True,
    help="Points of each leg, both ends included; the most that a smooth one has.",
)
@click.option(
    "--path",
    "path",
    default="slerp",
    show_default=True,
    metavar="NAME",
    help="slerp (great arc), lerp (straight line) or dense (where the prior is).",
)
@click.option(
    "--spacing",
    default="smooth",
    show_default=True,
    metavar="NAME",
    help="smooth (small steps), latent (even along the path) or similarity (even in it).",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 24),
    default=6,
    show_default=True,
    help="Draws of 128 strings for a smooth leg; more of them make smaller steps.",
)
@options.filters
@options.keep_repaired
@options.flatten
@options.seed
@options.output
@options.image
@options.device
def interpolate(
    compounds: tuple[str, ...],
    model_path: str,
    steps: int,
    path: str,
    spacing: str,
    rounds: int,
    filters: tuple[str, ...],
    keep_repaired: bool,
    flatten: bool,
    seed: int,
    output: str,
    image: str | None,
    device: str,
) -> None:
    """The path between two or more compounds through the latent space.

    Each distinct molecule is a row, with its Tanimoto similarity to the first and the last
    compound, and the log density of its point under the model's prior. The picture shows the
    two similarities below each molecule. The first and the last are the compounds given; a
    molecule is a row only once.

    Between two latents the likeliest molecules change little, then all at once. So for `smooth`
    molecules are drawn along the path, around its points, and those are taken, in their order,
    from each of which it is a small step (1 - Tanimoto) to the next; where the largest step is
    left, others are drawn. `latent` takes what points at even distances decode to, `similarity`
    eight times as many points, of which those are taken that make the molecules change most
    evenly; points whose string SELFIES had to repair are left out, and counted.

    `dense` starts with the great arc and moves it, where it is less dense than its ends, to
    where molecules lie. There is no path, and it is said, where nothing lies between, or one
    jump is 90% of that between the compounds.

    \b
    Example:
      molvae interpolate -m runs/mine "CCOc1ccccc1" "CCNC(=O)c1ccccc1" --image path.svg
    """
    check_table(output)
    check_image(image)
    from molvae import display
    from molvae.model import load

    model = load(model_path, device=device)
    walked = model.interpolate(
        compounds,
        steps=steps,
        path=path,
        spacing=spacing,
        rounds=rounds,
        flat=flatten,
        strict=not keep_repaired,
        filters=filters,
        seed=seed,
    )
    write_table(walked.table, output)
    if image is not None:
        walked.draw(Path(image))
    for note in walked.notes:
        display.note(note)
