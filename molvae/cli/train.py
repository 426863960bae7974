"""molvae train."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from molvae.cli import options
from molvae.errors import SettingsError, nearest


@click.command(short_help="Learn a latent space from a CSV of SMILES.")
@click.argument("data", metavar="DATA", required=False)
@click.option("-o", "--output", metavar="FOLDER", help="Run folder to write.")
@click.option("--resume", "resumed", metavar="FOLDER", help="Go on with an interrupted run.")
@click.option("--from", "base", metavar="PATH", help="Start from this model: fine-tune it.")
@options.preparing
@click.option(
    "--split",
    metavar="NAME",
    help="How molecules are set apart: random, or by Murcko scaffold.  [default: random]",
)
@click.option(
    "--held-out",
    type=float,
    metavar="SHARE",
    help="Kept apart to choose the best weights by, 2,000 at most.  [default: 0.05]",
)
@click.option(
    "--test",
    type=float,
    metavar="SHARE",
    help="Left alone, and written to held_out.csv for the end.  [default: 0]",
)
@click.option("--size", metavar="NAME", help="small, base or large.  [default: base]")
@click.option(
    "--epochs", type=float, help="Passes over the data.  [default: 20, at least 3,000 steps]"
)
@click.option("--steps", type=int, help="Steps, in place of epochs.")
@click.option("--max-minutes", type=float, help="Lay training out to end by then, if sooner.")
@click.option("--beta", type=float, help="Weight of the KL in the objective.  [default: 0.1]")
@click.option(
    "--target-reconstruction",
    type=float,
    metavar="SHARE",
    help="Hold this share of exact reconstructions, by moving beta.",
)
@click.option(
    "--target-rate", type=float, metavar="NATS", help="Hold this KL a molecule, by moving beta."
)
@click.option(
    "--corruption", type=float, metavar="SHARE", help="Of the encoder's input: learn to repair."
)
@click.option(
    "--random-order",
    type=float,
    metavar="SHARE",
    help="Of the molecules the encoder reads with their atoms in a random order.",
)
@click.option(
    "--batch-size", type=int, help="Molecules a step.  [default: 128, less for small data]"
)
@click.option("--learning-rate", type=float, help="Highest of the schedule.  [default: 0.002]")
@click.option("--patience", type=int, help="Looks without gain before it stops.  [default: 5]")
@click.option("--latent-dim", type=int, help="Numbers in a latent.  [default: by size]")
@click.option("--precision", metavar="NAME", help="auto, fp32 or bf16.  [default: auto]")
@click.option(
    "--set",
    "others",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other number of the network or its training, such as decoder_hidden=768.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that train together: one a GPU, or a share of the cores each.",
)
@options.seed
@options.device
@options.workers
@click.option("--report/--no-report", default=True, help="Measure the model at the end.")
@click.option("--overwrite", is_flag=True, help="Replace the model in the run folder.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors.")
def train(
    data: str | None,
    output: str | None,
    resumed: str | None,
    properties: tuple[str, ...],
    others: tuple[str, ...],
    **given: Any,
) -> None:
    """Learn a latent space from a CSV of SMILES.

    The run folder gets the model (model.safetensors), the log (metrics.csv, its curves as
    curves.png, and tensorboard/ where TensorBoard is installed), the rows that could not be used
    with their reasons (rejects.csv), the molecules set apart (held_out.csv) and the facts of the
    run (run.json). Ctrl-C and SIGTERM save
    and leave; after any end, --resume goes on to the same weights.

    How molecules are standardised is stored in the model, which later treats what it reads alike.

    \b
    Example:
      molvae train data.csv -o runs/mine --property logp --max-minutes 8
      molvae train few.csv -o runs/few --from runs/mine
    """
    if (resumed is None) == (data is None) or (resumed is None) == (output is None):
        raise click.UsageError("Name DATA and -o FOLDER, or --resume FOLDER alone.")
    from molvae.run.request import NUMBERS
    from molvae.run.train import resume
    from molvae.run.train import train as run

    settings = options.prepared(**given)
    settings.update(_assignment(text, NUMBERS) for text in others)
    if resumed is not None:
        asked = click.get_current_context().get_parameter_source
        defaults = {name for name in given if asked(name) is not ParameterSource.COMMANDLINE}
        changed = {name: value for name, value in settings.items() if name not in defaults}
        model = resume(resumed, **changed)
    else:
        assert data is not None
        model = run(data, output, properties=properties, **settings)
    if model.record["outcome"]["ending"] == "interrupted":
        raise KeyboardInterrupt
    if not given["quiet"]:
        from molvae.cli.inspect import summary

        click.echo(summary(model), err=True)


def _assignment(text: str, known: Sequence[str]) -> tuple[str, int | float]:
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if name not in known:
        raise SettingsError(f"There is no setting {name!r}.{nearest(name, known)}")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not equals or not math.isfinite(number):
        raise SettingsError(f"--set takes NAME=NUMBER, not {text!r}.")
    return name, int(number) if number.is_integer() else number
