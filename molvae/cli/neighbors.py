"""molvae neighbors."""

from __future__ import annotations

from pathlib import Path

import click

from molvae.cli import options
from molvae.cli.output import check_image, check_table, write_table


def read_range(context: click.Context, parameter: click.Parameter, text: str) -> tuple[float, ...]:
    """Two numbers with a colon between them."""
    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no range. Write two numbers from 0 to 1 and a colon: 0.5:0.7."
        ) from None
    return low, high


@click.command(short_help="Molecules at a wanted similarity of a compound.")
@click.argument("compounds", nargs=-1, required=True, metavar="SMILES [SMILES...]")
@options.model
@click.option(
    "--similarity",
    default="0.5:0.7",
    show_default=True,
    metavar="LOW:HIGH",
    callback=read_range,
    help="Tanimoto similarity to the compound.",
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Molecules, of each compound.",
)
@click.option(
    "--fingerprint",
    default="morgan2",
    show_default=True,
    metavar="NAME",
    help="What is compared: morgan2, morgan3, maccs, atom_pairs or topological.",
)
@click.option("--keep", default="", metavar="SMARTS", help="A substructure that must be there.")
@click.option("--keep-scaffold", is_flag=True, help="Keep the Murcko scaffold of the compound.")
@options.filters
@click.option("--novel", is_flag=True, help="Refuse molecules of the training set.")
@options.keep_repaired
@click.option(
    "--budget",
    type=click.IntRange(1),
    metavar="N",
    help="Strings drawn around each compound, at most.  [default: 20 a molecule, 2,000 at least]",
)
@options.flatten
@options.seed
@options.output
@options.image
@options.device
@options.workers
def neighbors(
    compounds: tuple[str, ...],
    model_path: str,
    similarity: tuple[float, float],
    count: int,
    fingerprint: str,
    keep: str,
    keep_scaffold: bool,
    filters: tuple[str, ...],
    novel: bool,
    keep_repaired: bool,
    budget: int | None,
    flatten: bool,
    seed: int,
    output: str,
    image: str | None,
    device: str,
    workers: int | None,
) -> None:
    """Molecules at a wanted Tanimoto similarity of a compound.

    The compound's latent is made noisy and decoded; how noisy, and at which temperature, is found
    for each compound by what the draws give. The most similar come first. The same seed gives
    the same file.

    \b
    Example:
      molvae neighbors -m runs/mine "CCOc1ccc(C(=O)NCc2ccccc2)cc1" --similarity 0.5:0.7 -o near.csv
    """
    check_table(output)
    check_image(image)
    from molvae import display
    from molvae.model import load

    model = load(model_path, device=device, workers=workers)
    with display.bar(count * len(compounds), "molecules", "neighbors") as bar:
        found = model.neighbors(
            compounds,
            similarity=similarity,
            count=count,
            fingerprint=fingerprint,
            keep=keep,
            keep_scaffold=keep_scaffold,
            filters=filters,
            novel=novel,
            strict=not keep_repaired,
            flat=flatten,
            budget=budget,
            seed=seed,
            on_taken=bar.update,
        )
    write_table(found.table, output)
    if image is not None:
        found.draw(Path(image))
    for line in found.account():
        display.note(line)
    for note in found.notes:
        display.note(note)
