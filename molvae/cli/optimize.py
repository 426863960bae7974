"""molvae optimize."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from molvae import shipped
from molvae.cli import options
from molvae.cli.output import check_image, check_table, write_table

if TYPE_CHECKING:
    from tqdm import tqdm

    from molvae.guidance.search import Search
    from molvae.guidance.standing import Standing


@click.command(short_help="Molecules that do well on an objective, within a budget.")
@click.option(
    "-m",
    "--model",
    "model_path",
    metavar="PATH",
    help="Run folder, model file, or the name of a model that ships.  "
    f"[default: {shipped.DEFAULT}; with --resume, the model it was begun with]",
)
@click.option(
    "--objective",
    multiple=True,
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
    help="evolution (of latents and graphs, by a model that learns from what it finds), cma "
    "(CMA-ES in the latent space: faster, where an evaluation costs nothing), gradient (of a head "
    "of the model), or auto: gradient for a lone term predicted=NAME, else evolution.",
)
@click.option(
    "--move",
    "moves",
    multiple=True,
    metavar="NAME",
    help="Of an evolution: nearby, between, samples or graphs; may be repeated.  [default: all]",
)
@click.option("--no-adapt", is_flag=True, help="Of an evolution: the model doesn't learn.")
@click.option(
    "--no-screen",
    is_flag=True,
    help="Of an evolution: no surrogate of the scores, by which proposals are chosen and bred on.",
)
@click.option(
    "--start",
    multiple=True,
    metavar="SMILES",
    help="Compound to start from; may be repeated.  [default: draws of the model, a fifth of the "
    "budget, a hundred at most]",
)
@click.option(
    "--start-from",
    metavar="FILE",
    help="Table of molecules to start from, such as the training data: a fifth of the budget, a "
    "hundred at most, is spent on random ones of them.",
)
@options.smiles_column
@options.filters
@options.keep_repaired
@click.option(
    "--flatten",
    is_flag=True,
    help="Look for molecules without stereo, isotopes and neutralisable charges: where the "
    "objective is blind to these, no evaluation is spent on them. Compounds that it names lose "
    "theirs, too. The flat form of a training molecule that had some counts as novel.",
)
@options.seed
@click.option("--run", metavar="FOLDER", help="Keep all in this folder, so that it can go on.")
@click.option("--resume", "resumed", metavar="FOLDER", help="Go on with an interrupted search.")
@click.option("--overwrite", is_flag=True, help="Replace the search in the folder.")
@options.output
@options.image
@options.device
@options.workers
def optimize(
    model_path: str | None,
    objective: tuple[str, ...],
    budget: int,
    method: str,
    moves: tuple[str, ...],
    no_adapt: bool,
    no_screen: bool,
    start: tuple[str, ...],
    start_from: str | None,
    smiles_column: str | None,
    filters: tuple[str, ...],
    keep_repaired: bool,
    flatten: bool,
    seed: int,
    run: str | None,
    resumed: str | None,
    overwrite: bool,
    output: str,
    image: str | None,
    device: str,
    workers: int | None,
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
    what counts, or its desirability where its ends are known (qed). In a TOML file each term is a
    table [[term]] with the same keys.

    Every molecule evaluated is a row. A value is found for the molecule itself, never its latent;
    what a head predicts stands in a column `predicted_`. What the filters (moses, unless others
    are named) object to stands in the column `objection`.

    With --run, what was evaluated is written to a folder, 24 molecules at most at a time. After a
    kill or Ctrl-C, --resume goes on to the same table; what was written isn't evaluated again. At
    the end the folder holds the table (molecules.csv), the best 100 of those that are novel and
    pass the filters (best.csv, best.svg), the curve (curve.csv, curve.png) and a summary with the
    diversity of these (summary.json).

    \b
    Example:
      molvae optimize -m runs/mine --objective qed:max --objective logp:target=2.5,width=0.5
      molvae optimize -m runs/mine --objective python=dock.py:affinity:min --run runs/dock
      molvae optimize --resume runs/dock
    """
    given = _given()
    _check(given, objective, resumed, run, overwrite=overwrite)
    check_table(output, start_from)
    check_image(image)
    from molvae import display
    from molvae.guidance.folder import SearchFolder
    from molvae.guidance.results import draw_best
    from molvae.model import load

    if resumed is not None:
        plan = SearchFolder(resumed).plan()
        model_path, budget = model_path or plan.model, plan.call.budget
        if not model_path:
            raise click.UsageError("The search was begun with a model in memory: name it with -m.")
    model = load(model_path or shipped.DEFAULT, device=device, workers=workers)
    with display.bar(budget, "evaluations", "optimize") as bar:
        show = _live_line(bar)
        if resumed is not None:
            found = model.resume_search(resumed, on_round=show)
        else:
            found = model.optimize(
                objective,
                budget=budget,
                method=method,
                start=start,
                start_from=start_from,
                column=smiles_column,
                filters=filters or ("moses",),
                strict=not keep_repaired,
                seed=seed,
                moves=moves,
                adapt=not no_adapt,
                screen=not no_screen,
                flat=flatten,
                run=run,
                overwrite=overwrite,
                on_round=show,
            )
    folder = resumed or run
    if folder is None or "output" in given:
        write_table(found.table, output)
    if image is not None:
        draw_best(found, Path(image))
    _tell(found, folder)
    if found.ending == "interrupted":
        raise KeyboardInterrupt


def _check(
    given: Mapping[str, str],
    objective: tuple[str, ...],
    resumed: str | None,
    run: str | None,
    *,
    overwrite: bool,
) -> None:
    """Refuse options that don't go together."""
    if resumed is None and not objective:
        raise click.UsageError("Name --objective, or --resume FOLDER alone.")
    if resumed is not None and (fixed := given.keys() - _WITH_RESUME):
        names = ", ".join(sorted(given[one] for one in fixed))
        raise click.UsageError(f"{names} can't change within a search.")
    if overwrite and run is None:
        raise click.UsageError("--overwrite replaces the search in a folder: name it with --run.")


def _live_line(bar: tqdm[Any]) -> Callable[[Standing], None]:
    """What shows in a bar how far a search has come."""

    def show(standing: Standing) -> None:
        bar.set_postfix_str(
            f"best {standing.best:.4g}, top 10 {standing.top10:.4g}, "
            f"{standing.scaffolds:,} scaffolds",
            refresh=False,
        )
        bar.update(standing.evaluations - bar.n)

    return show


def _tell(found: Search, folder: str | None) -> None:
    """What came of a search, in notes."""
    from molvae import display
    from molvae.guidance.results import Diversity, best_of

    for note in found.notes:
        display.note(note)
    display.note(
        f"{found.evaluations:,} molecules evaluated ({found.ending}); "
        f"{len(found.good):,} are novel and pass the filters and constraints."
    )
    if folder is not None:
        display.note(f"All is in {folder}; {Diversity.of(best_of(found)['smiles'].tolist())}.")
        if found.ending == "interrupted":
            display.note(f"Go on with `molvae optimize --resume {folder}`.")


def _given() -> dict[str, str]:
    """The parameters that stand on the command line, and how their options are called."""
    context = click.get_current_context()
    return {
        one.name: one.opts[-1]
        for one in context.command.params
        if one.name and context.get_parameter_source(one.name) is ParameterSource.COMMANDLINE
    }


_WITH_RESUME = {"resumed", "model_path", "output", "image", "device", "workers"}
"""What may be said beside --resume."""
