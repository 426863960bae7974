"""How near to what was asked for molecules are that are generated under a condition.

    python scripts/bench_where.py runs/moses
    python scripts/bench_where.py runs/moses --prior echo --samples 300
    python scripts/bench_where.py runs/moses --where "tpsa=40..60" --where "logp>4"

Each row is a condition on its own and so many molecules, with the settings of `molvae generate`
that are named, at its defaults for the rest: mean and spread (standard deviation) of the property,
computed with RDKit, and the share of the molecules that meet the condition; behind them the same of
as many molecules without conditions. Then the share of the strings that were taken, and the seconds
that it took. What the model has no head for is left out.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import pandas as pd

import molvae
from molvae.cli.output import write_table
from molvae.guidance.conditional import NOISE, fall_of
from molvae.guidance.conditions import parsed

TARGETS = (
    "mol_weight=250+-20", "mol_weight=350+-20", "mol_weight=450+-20",
    "logp=1.5+-0.5", "logp=3.0+-0.5", "logp=4.5+-0.5",
    "qed=0.5+-0.05", "qed=0.7+-0.05", "qed=0.9+-0.05",
)  # fmt: skip


def main() -> None:
    """Print a row for each condition, then all of them."""
    arguments = parse_arguments()
    model = molvae.load(arguments.model, device=arguments.device)
    settings = {"prior": arguments.prior, "noise": arguments.noise, "seed": arguments.seed}
    plain = model.generate(arguments.samples, **settings)
    print(f"without conditions: {plain.tally}")
    rows = []
    for text in arguments.where or TARGETS:
        condition = parsed(text)
        if condition.name not in model.property_names:
            print(f"{text}: the model has no head for it.")
            continue
        start = time.perf_counter()
        found = model.generate(arguments.samples, where=text, **settings)
        seconds = time.perf_counter() - start
        given, without = (fall_of(model.codec, condition, one.table) for one in (found, plain))
        rows.append(
            {
                "condition": text,
                "molecules": given.molecules,
                "mean": given.mean,
                "spread": given.deviation,
                "inside": given.inside,
                "plain_mean": without.mean,
                "plain_spread": without.deviation,
                "plain_inside": without.inside,
                "taken": found.tally.taken / found.tally.drawn,
                "seconds": seconds,
            }
        )
        print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False), flush=True)
    table = pd.DataFrame(rows)
    print(f"\n{arguments.samples:,} molecules a row, noise {arguments.noise:g}")
    print(table.round(3).to_string(index=False))
    if arguments.output:
        write_table(table, arguments.output)


def parse_arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="run folder or model file")
    parser.add_argument("--where", action="append", help="conditions, each on its own")
    parser.add_argument("--samples", type=int, default=1000, help="molecules of a row")
    parser.add_argument("--prior", help="as of molvae generate")
    parser.add_argument("--noise", type=float, default=NOISE, help="of the latents, in all rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", help="table to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
