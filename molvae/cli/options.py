"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from molvae import shipped

Command = Callable[..., Any]

model = click.option(
    "-m",
    "--model",
    "model_path",
    default=shipped.DEFAULT,
    show_default=True,
    metavar="PATH",
    help="Run folder, model file, or the name of a model that ships.",
)
output = click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    metavar="FILE",
    help="Table to write: .csv, .tsv or .parquet.",
)
smiles_column = click.option(
    "--smiles-column", metavar="NAME", help="Column of SMILES.  [default: found by itself]"
)
seed = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything random."
)
keep_repaired = click.option(
    "--keep-repaired", is_flag=True, help="Keep strings that SELFIES had to repair."
)
flatten = click.option(
    "--flatten",
    is_flag=True,
    help="Take stereo, isotopes and charges away first; tables mark such rows.",
)
device = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto, cpu, cuda, cuda:1 ...",
)
image = click.option("--image", metavar="FILE", help="Also draw the molecules: .svg or .png.")
filters = click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="NAME",
    help="moses, pains, brenk or lipinski; may be repeated.",
)
workers = click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Processes for chemistry.  [default: one a core]",
)


def preparing(command: Command) -> Command:
    """The options that say how a table is read and its molecules are treated."""
    for option in reversed(_PREPARING):
        command = option(command)
    return command


_PREPARING = (
    smiles_column,
    click.option(
        "--property",
        "properties",
        multiple=True,
        metavar="NAME",
        help="Numeric column to learn to predict; may be repeated, blanks are allowed.",
    ),
    click.option(
        "--duplicates",
        metavar="NAME",
        help="What rows of one molecule are worth: the mean of their numbers, or those of the "
        "first.  [default: mean]",
    ),
    click.option("--split-column", metavar="NAME", help="Column that says train, valid or test."),
    click.option(
        "--salts",
        metavar="NAME",
        help="Of several fragments: largest (the organic one), keep, or reject.  "
        "[default: largest]",
    ),
    click.option("--neutralise", is_flag=True, help="Take charges away where that is possible."),
    click.option("--no-stereo", is_flag=True, help="Take stereo marks away."),
    click.option("--no-isotopes", is_flag=True, help="Take isotope labels away."),
    click.option(
        "--flatten", is_flag=True, help="Short for --neutralise --no-stereo --no-isotopes together."
    ),
    click.option("--max-heavy-atoms", type=int, help="Reject larger molecules.  [default: 100]"),
    click.option("--max-tokens", type=int, help="Reject longer molecules.  [default: 120]"),
    click.option(
        "--min-token-count",
        type=int,
        metavar="N",
        help="Reject SELFIES symbols that fewer molecules have, with these.  [default: 1]",
    ),
    click.option(
        "--constraints",
        metavar="NAME",
        help="What SELFIES may bond: auto (what the molecules need), default, wide (iodine of "
        "higher valence too), hypervalent or octet_rule.  [default: auto]",
    ),
)


def prepared(
    *, neutralise: bool, no_stereo: bool, no_isotopes: bool, flatten: bool, **others: Any
) -> dict[str, Any]:
    """What was asked for, as the library names it; what wasn't is left to its default."""
    asked = {
        "neutralise": (neutralise or flatten, True),
        "stereo": (no_stereo or flatten, False),
        "isotopes": (no_isotopes or flatten, False),
    }
    flags = {name: value for name, (is_asked, value) in asked.items() if is_asked}
    return flags | {name: value for name, value in others.items() if value is not None}
