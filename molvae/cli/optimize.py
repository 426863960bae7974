"""molvae optimize."""

from __future__ import annotations

from pathlib import Path

import click

from molvae.cli import options
from molvae.cli.output import check_image, check_table, write_table


@click.command(short_help="Molecules that do well on an objective, within a budget.")
@options.model
@click.option(
    "--objective",
    multiple=True,
    required=True,
    metavar="FILE.toml|TERM",
    help="What to reach: a TOML file, or terms such as qed:max; terms may be repeated.",
)
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
    objective: tuple[str, ...],
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
    """Molecules that do well on an objective, the best first.

    A term is WHAT:AIM,OPTION,... and WHAT ends at the last colon. WHAT is a property (RDKit's, or
    else one the model was trained with), similarity=SMILES, smarts=SMARTS, filters=NAME,NAME,
    predicted=NAME (a head of the model) or python=FILE.py:FUNCTION (yours: a list of SMILES to a
    number for each). AIM gives a desirability, 0 to 1: max, max=LOW..HIGH, min, min=LOW..HIGH,
    target=VALUE,width=WIDTH, range=LOW..HIGH, curve=VALUE/HEIGHT..VALUE/HEIGHT, present or
    absent. OPTION is weight=NUMBER, fingerprint=NAME (of similarity), or constraint for what a
    molecule must have.

    The score is the weighted geometric mean of the goals (mean=arithmetic stands among the terms);
    below 0 a constraint is broken. One max, min or target alone needs no bounds: its value is
    what counts. In a TOML file each term is a table [[term]] with the same keys.

    Every molecule evaluated is a row. A value is found for the molecule itself, never its latent;
    what a head predicts stands in a column `predicted_`. What the filters (moses, unless others
    are named) object to stands in the column `objection`.

    \b
    Example:
      molvae optimize -m runs/mine --objective qed:max --objective logp:target=2.5,width=0.5
    """
    check_table(output)
    check_image(image)
    from molvae import display
    from molvae.chem.drawing import draw_grid
    from molvae.model import load

    model = load(model_path, device=device)
    with display.bar(budget, "evaluations", "optimize") as bar:

        def show(evaluations: int, best: float) -> None:
            bar.set_postfix_str(f"best {best:.4g}", refresh=False)
            bar.update(evaluations - bar.n)

        found = model.optimize(
            objective,
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
    display.note(
        f"{found.evaluations:,} molecules evaluated ({found.ending}); "
        f"{len(found.good):,} are novel and pass the filters and constraints."
    )
    if image is not None and len(found.table):
        shown = (found.good if len(found.good) else found.table).head(20)
        legends = [f"score {score:.3g}" for score in shown["score"]]
        draw_grid(shown["smiles"].tolist(), legends, Path(image))
    if found.ending == "interrupted":
        raise KeyboardInterrupt
