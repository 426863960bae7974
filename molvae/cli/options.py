"""Options that several verbs share."""

from __future__ import annotations

import click

model = click.option(
    "-m", "--model", "model_path", required=True, metavar="PATH", help="Run folder or model file."
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
