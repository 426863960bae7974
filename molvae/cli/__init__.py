"""The command line: parse, call, print. One module a verb; `molvae --help` imports no torch."""

from __future__ import annotations

import errno
from typing import Any

import click

from molvae import __version__
from molvae.cli.check import check
from molvae.cli.combine import combine
from molvae.cli.decode import decode
from molvae.cli.encode import encode
from molvae.cli.evaluate import evaluate
from molvae.cli.generate import generate
from molvae.cli.inspect import inspect
from molvae.cli.interpolate import interpolate
from molvae.cli.neighbors import neighbors
from molvae.cli.optimize import optimize
from molvae.cli.reconstruct import reconstruct
from molvae.cli.reference import reference
from molvae.cli.score import score
from molvae.cli.suggest import suggest
from molvae.cli.train import train
from molvae.errors import MolVAEError, UserError


class Verbs(click.Group):
    """A group that turns the library's errors into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; exit with 2 for what the user can mend, 1 otherwise, 130 on Ctrl-C."""
        try:
            return super().invoke(ctx)
        except MolVAEError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2 if isinstance(error, UserError) else 1)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # click knows what to do when the reader has gone
            click.echo(f"Error: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which they are used, not of the alphabet."""
        return list(self.commands)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="molvae")
def main() -> None:
    """Learn a continuous chemical latent space from a CSV of SMILES, and work in it.

    \b
    A first session:
      molvae check data.csv
      molvae train data.csv -o runs/mine --max-minutes 8
      molvae generate -m runs/mine -n 100 -o molecules.csv
      molvae interpolate -m runs/mine "SMILES_A" "SMILES_B" --image path.svg
      molvae combine -m runs/mine --plus "SMILES_A" --minus "SMILES_B" --plus "SMILES_C"
      molvae neighbors -m runs/mine "SMILES" --similarity 0.5:0.7 -o near.csv
      molvae optimize -m runs/mine --objective qed:max --budget 1000 -o best.csv
      molvae suggest -m runs/mine measured.csv --objective pic50:max -n 24 -o next.csv
      molvae evaluate molecules.csv --reference test.csv --train data.csv

    Results go to the file named with -o, or to standard output; everything else goes to
    standard error. `-` stands for standard input or output. Molecules are read from CSV, TSV, .smi,
    SDF and Parquet; tables are written as CSV, TSV or Parquet.
    """


for verb in (
    check,
    train,
    generate,
    interpolate,
    combine,
    neighbors,
    optimize,
    suggest,
    encode,
    decode,
    reconstruct,
    score,
    evaluate,
    reference,
    inspect,
):
    main.add_command(verb)
