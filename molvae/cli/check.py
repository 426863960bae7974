"""molvae check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from molvae.cli import options
from molvae.cli.output import check_table, check_target


@click.command(short_help="What is in a table of molecules: kept, changed, merged, rejected.")
@click.argument("data", metavar="DATA")
@click.option(
    "-m", "--model", "model_path", metavar="PATH", help="How much of it this model can encode."
)
@click.option("-o", "--output", metavar="FILE", help="CSV to write: each rejected row, and why.")
@click.option("--json", "json_path", metavar="FILE", help="All numbers; - prints them instead.")
@options.preparing
@options.workers
def check(
    data: str,
    model_path: str | None,
    output: str | None,
    json_path: str | None,
    **given: Any,
) -> None:
    """What is in a table of molecules, and what training would make of it.

    Each row is kept, merged with an earlier row of the same molecule, or rejected with a reason.
    The molecules are encoded once: training on the same table with the same options then starts
    at once. They are kept in the user's cache folder, or where MOLVAE_CACHE says ("off" keeps
    nothing).

    \b
    Example:
      molvae check data.csv -o rejects.csv
    """
    if output is not None:
        check_table(output, data)
        check_target(output, ".csv")
    check_target(json_path, ".json")
    from molvae import files
    from molvae.run.check import check as run

    model = None
    if model_path is not None:
        from molvae.model import load

        model = load(model_path, device="cpu")
    survey = run(data, model, rejects=output, **options.prepared(**given))
    text = json.dumps(survey.as_dict(), indent=2)
    if json_path == "-":
        click.echo(text)
        return
    if json_path is not None:
        files.write_text(Path(json_path), text + "\n")
    click.echo(str(survey))
