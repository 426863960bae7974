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
        f"stereo, charges {'taken away' if about['flat'] else _extras(about['vocabulary'])}",
    ]
    return "\n".join(
        lines
        + (
            _measured(report)
            if report
            else ["not measured on held-out molecules; --data measures on molecules of yours"]
        )
    )


def _measured(report: dict[str, Any]) -> list[str]:
    back, prior = report["reconstruction"], report["prior"]
    lines = [
        f"on {back['molecules']:,} held-out molecules",
        f"  exact reconstruction  {back['exact_mean']:.1%} from the mean, "
        f"{back['exact_sampled']:.1%} from a draw",
        f"  distortion and KL     {back['distortion']:.2f} and {back['rate']:.2f} nats a molecule",
        f"  active units          {back['active_units']} of {back['latent_dim']}",
    ]
    lines += [
        f"  head {head['name']:<16} R2 {_share(head['r2'])}, MAE {head['mae']:.3g}, "
        f"{head['molecules']:,} values"
        for head in report["heads"]
    ]
    return [
        *lines,
        f"on {prior['strings']:,} strings from the prior at temperature 1",
        f"  strict {prior['strict_share']:.1%}, valid {prior['validity']:.1%}, "
        f"unique {prior['uniqueness']:.1%}, novel {prior['novelty']:.1%}",
    ]


def _share(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _extras(symbols: list[str]) -> str:
    marks = {"stereo": "@/\\", "charges": "+-"}
    bodies = [symbol.strip("[]") for symbol in symbols]
    seen = [name for name, signs in marks.items() if any(set(body) & set(signs) for body in bodies)]
    return " and ".join(seen) + " known" if seen else "none known; --flatten takes them away"
