"""molvae optimize."""

from __future__ import annotations

from pathlib import Path

import click

from molvae.cli import options
from molvae.cli.output import check_image, check_table, write_table


@click.command(short_help="Molecules that do well on a property, within a budget.")
@options.model
@click.option(
    "--property",
    "property_name",
    required=True,
    metavar="NAME",
    help="logp, qed, tpsa, sa_score ... (RDKit), or a property the model was trained with.",
)
@click.option(
    "--direction", default="max", show_default=True, metavar="NAME", help="max, min or target."
)
@click.option("--target", type=float, help="Value to reach; goes with --direction target.")
@click.option(
    "--budget",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Distinct valid molecules that may be evaluated.",
)
@click.option(
    "--method",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="cma (CMA-ES in the latent space), gradient (of a head of the model) or auto.",
)
@click.option(
    "--start",
    multiple=True,
    metavar="SMILES",
    help="Compound to start from; may be repeated.  [default: the best of some draws]",
)
@options.filters
@options.keep_repaired
@options.seed
@options.output
@options.image
@options.device
def optimize(
    model_path: str,
    property_name: str,
    direction: str,
    target: float | None,
    budget: int,
    method: str,
    start: tuple[str, ...],
    filters: tuple[str, ...],
    keep_repaired: bool,
    seed: int,
    output: str,
    image: str | None,
    device: str,
) -> None:
    """Molecules that do well on a property, the best first.

    Every molecule evaluated is a row. Its value is computed with RDKit from the molecule itself;
    for a property that RDKit doesn't know, the column says `predicted_`. What the filters
    (moses, unless others are named) object to stands in the column `objection`.

    \b
    Example:
      molvae optimize -m runs/mine --property qed --direction max --budget 1000 -o best.csv
    """
    check_table(output)
    check_image(image)
    from molvae import display
    from molvae.chem.drawing import draw_grid
    from molvae.model import load

    model = load(model_path, device=device)
    with display.bar(budget, "evaluations", f"optimize {property_name}") as bar:

        def show(evaluations: int, best: float) -> None:
            bar.set_postfix_str(f"best {best:.4g}", refresh=False)
            bar.update(evaluations - bar.n)

        found = model.optimize(
            property_name,
            direction,
            target=target,
            budget=budget,
            method=method,
            start=start,
            filters=filters or ("moses",),
            strict=not keep_repaired,
            seed=seed,
            on_round=show,
        )
    write_table(found.table, output)
    for note in found.notes:
        display.note(note)
    good = found.table[found.table["novel"] & (found.table["objection"] == "")]
    display.note(
        f"{found.evaluations:,} molecules evaluated ({found.ending}); "
        f"{len(good):,} are novel and pass the filters."
    )
    if image is not None and len(found.table):
        column = found.table.columns[1]
        shown = (good if len(good) else found.table).head(20)
        legends = [f"{column} {value:.3g}" for value in shown[column]]
        draw_grid(shown["smiles"].tolist(), legends, Path(image))
    if found.ending == "interrupted":
        raise KeyboardInterrupt
