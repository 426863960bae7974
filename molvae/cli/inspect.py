"""molvae inspect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import options

if TYPE_CHECKING:
    from molvae.model import MolVAE


@click.command(short_help="What a model is, was trained on, and how well it does.")
@click.argument("model_path", metavar="PATH")
@click.option("--data", metavar="FILE", help="Measure anew on these molecules.")
@options.smiles_column
@options.seed
@click.option("--json", "as_json", is_flag=True, help="Everything, for machines.")
@options.device
def inspect(
    model_path: str,
    data: str | None,
    smiles_column: str | None,
    seed: int,
    as_json: bool,
    device: str,
) -> None:
    """What a model is, what it was trained on, and how well it does on held-out molecules.

    The verdict says in a word whether the latent is healthy, collapsed, memorising,
    over-regularised or undertrained, from which numbers, and what to change; behind it stands
    whether the prior misses the molecules.

    \b
    Example:
      molvae inspect runs/mine
    """
    from molvae.model import load

    model = load(model_path, device=device)
    report = model.record.get("report")
    if data is not None:
        report = model.report(data, column=smiles_column, seed=seed).as_dict()
    if as_json:
        click.echo(json.dumps({**model.describe(), "report": report}, indent=2))
    else:
        click.echo(summary(model, report))


def summary(model: MolVAE, report: dict[str, Any] | None = None) -> str:
    """A model in some lines, for people."""
    from molvae.health.text import lines_of

    about = model.describe()
    report = report or about["report"]
    data, outcome = about["data"], about["outcome"]
    network = about["network"]
    lines = [
        f"model           {about['weights'] / 1e6:.2f} million weights, latent of "
        f"{network['latent_dim']}, {len(about['vocabulary'])} symbols, "
        f"at most {network['max_tokens']} tokens",
        f"trained on      {data['train']:,} molecules, {outcome['steps']:,} steps, "
        f"{outcome['epochs']:.1f} epochs ({outcome['ending']})",
        f"heads           {', '.join(model.property_names) or 'none'}",
        f"standard        {_standard(about['standard'])}",
        f"stereo, charges {_extras(about['vocabulary'], about['standard'])}",
        f"constraints     {about['preset']}",
    ]
    return "\n".join(
        lines
        + (
            lines_of(report)
            if report
            else ["not measured on held-out molecules; --data measures on molecules of yours"]
        )
    )


_SALTS = {
    "largest": "largest organic fragment",
    "keep": "all fragments kept",
    "reject": "several fragments refused",
}


def _standard(standard: dict[str, Any]) -> str:
    """How molecules are treated, in a line."""
    taken = {
        "charges": standard["neutralise"],
        "stereo": not standard["stereo"],
        "isotopes": not standard["isotopes"],
    }
    gone = [name for name, away in taken.items() if away]
    removed = f"{', '.join(gone)} taken away" if gone else "nothing taken away"
    return (
        f"{_SALTS[standard['salts']]}, {removed}, "
        f"at most {standard['max_heavy_atoms']:,} heavy atoms"
    )


def _extras(symbols: list[str], standard: dict[str, Any]) -> str:
    if standard["neutralise"] and not standard["stereo"]:
        return "taken away"
    from molvae.corpus.vocabulary import Vocabulary

    seen = Vocabulary(symbols).marks
    return " and ".join(seen) + " known" if seen else "none known; --flatten takes them away"
