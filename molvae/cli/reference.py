"""molvae reference."""

from __future__ import annotations

from pathlib import Path

import click

from molvae.cli import options
from molvae.cli.output import check_target
from molvae.errors import OutputError


@click.command(short_help="Describe the molecules that others are compared with.")
@click.argument("test", metavar="TEST")
@click.option("--scaffolds", metavar="FILE", help="Held-out molecules with scaffolds of their own.")
@click.option("--train", metavar="FILE", help="The molecules that generators are trained on.")
@click.option(
    "--split-column",
    metavar="NAME",
    help="Column of TEST that says train, valid or test: all in one file.",
)
@click.option(
    "--name",
    default="",
    metavar="TEXT",
    help="Of the benchmark; published values are known for moses.",
)
@click.option("-o", "--output", required=True, metavar="FILE", help="File to write: .safetensors.")
@options.smiles_column
@options.device
@options.workers
def reference(
    test: str,
    scaffolds: str | None,
    train: str | None,
    split_column: str | None,
    name: str,
    output: str,
    smiles_column: str | None,
    device: str,
    workers: int | None,
) -> None:
    """Describe held-out molecules once, for `molvae evaluate`.

    With the training molecules, novelty, GuacaMol's measures, the floor of each FCD and the checks
    against copying can be computed too.

    \b
    Example:
      molvae reference test.csv --train train.csv -o mine.safetensors
      molvae reference all.csv --split-column split -o mine.safetensors
    """
    if output == "-":
        raise OutputError("A reference can't go to standard output. Name a file.")
    check_target(output, ".safetensors")
    from molvae import display
    from molvae.benchmark import reference as build
    from molvae.metrics.reference import load, save

    if Path(output).exists():
        load(Path(output))  # which refuses a file of another kind
    built = build(
        test,
        scaffolds=scaffolds,
        train=train,
        split_column=split_column,
        name=name,
        column=smiles_column,
        device=device,
        workers=workers,
    )
    save(built, Path(output))
    counts = {"test": built.test, "scaffold test": built.scaffolds}
    told = [f"{len(one.smiles or []):,} {name}" for name, one in counts.items() if one is not None]
    if built.train is not None and built.train.known is not None:
        told.append(f"{len(built.train.known):,} training")
    display.note(f"{output}: {', '.join(told)} molecules.")
