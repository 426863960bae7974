"""How many molecules are found at a wanted similarity of a compound, and how odd are they?

    python scripts/bench_neighbors.py --model runs/mine
    python scripts/bench_neighbors.py --model runs/mine --molecules 20 --budget 1000

Held-out molecules of MOSES are the compounds: those of a random sample that the model can encode.
Around each, as many strings are drawn by every method for every range of similarity (Tanimoto,
Morgan 2):

- latent: what `molvae neighbors` does;
- mutation: 1 to 6 tokens of the compound's SELFIES are substituted, inserted or deleted at random,
  over the symbols of the model (as STONED does: Nigam et al., 2021, doi:10.1039/D1SC00231G).

Both share the routine that judges draws and decides where the next ones go; the number of
mutations is to one what noise and temperature are to the other. Each is measured taking strict
strings only, as `molvae neighbors` does, or taking those too that SELFIES had to repair
(`--strings any`), or both ways.

Of each method and range the table shows the distinct molecules in the range per 1,000 strings drawn
and per second (drawing, reading and judging them, in one process); the share of the molecules that
pass the filters of MOSES; the mean synthetic accessibility (1 easy to 10 hard); the share of the
strings that fell in the range, repeated ones included; and the share of the compounds around which
nothing was found.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import pandas as pd
from experiment import DATA

import molvae
from molvae.chem.filters import objection
from molvae.chem.likeness import Likeness
from molvae.chem.molecules import parse
from molvae.chem.properties import compute
from molvae.chem.strings import Decoded, decode_many
from molvae.cli.output import write_table
from molvae.corpus.table import as_table, smiles_column
from molvae.latent.exploration import Draw, Exploration, Sought
from molvae.latent.neighborhoods import LEVELS, around

RANGES = ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9))
STRINGS = ("strict", "any")
MUTATIONS = 6
JUDGED = 200
"""Molecules a compound, at most, that filters and synthetic accessibility are computed of."""


@dataclass(frozen=True)
class Compound:
    """A molecule to start from: its SMILES, its SELFIES symbols and its latent, (D,)."""

    smiles: str
    tokens: list[str]
    latent: np.ndarray


def latent(model: molvae.MolVAE, compound: Compound, seed: int) -> Draw:
    """Decodes of the noisy latent, at the levels of `LEVELS`."""
    return around(model.codec, compound.latent, seed)


def mutation(model: molvae.MolVAE, compound: Compound, seed: int) -> Draw:
    """Mutations of the SELFIES; level 0 makes one of them."""
    symbols, constraints = model.checkpoint.vocabulary.symbols, model.checkpoint.constraints

    def draw(levels: np.ndarray, turn: int) -> list[Decoded]:
        random = np.random.default_rng([seed, turn, 4])
        strings = [mutated(compound.tokens, symbols, 1 + level, random) for level in levels]
        return decode_many(strings, constraints)

    return draw


def mutated(
    tokens: list[str], symbols: tuple[str, ...], count: int, random: np.random.Generator
) -> list[str]:
    """Tokens with so many substitutions, insertions or deletions, each at a random place."""
    tokens = list(tokens)
    for _ in range(count):
        kind, symbol = random.integers(3), symbols[random.integers(len(symbols))]
        if kind == 0 and tokens:
            tokens[random.integers(len(tokens))] = symbol
        elif kind == 1 and len(tokens) > 1:
            del tokens[random.integers(len(tokens))]
        else:
            tokens.insert(random.integers(len(tokens) + 1), symbol)
    return tokens


METHODS: dict[str, tuple[Callable[[molvae.MolVAE, Compound, int], Draw], int]] = {
    "latent": (latent, len(LEVELS)),
    "mutation": (mutation, MUTATIONS),
}
"""Name to what draws around a compound, and at how many levels."""


@dataclass
class Sums:
    """What a method gave around all compounds in one range."""

    compounds: int = 0
    barren: int = 0
    drawn: int = 0
    in_range: int = 0
    distinct: int = 0
    seconds: float = 0.0
    passes: list[bool] = field(default_factory=list)
    sa_scores: list[float] = field(default_factory=list)

    def add(self, explored: Exploration, seconds: float) -> None:
        """Count what was found around a compound."""
        self.compounds += 1
        self.barren += not explored.found
        self.drawn += explored.tally.drawn
        self.in_range += explored.tally.in_range
        self.distinct += explored.tally.taken
        self.seconds += seconds
        for molecule in map(parse, list(explored.found)[:JUDGED]):
            self.passes.append(not objection(molecule, ["moses"]))
            self.sa_scores.append(compute(molecule, ["sa_score"])["sa_score"])

    def row(self) -> dict[str, float]:
        """The numbers of the table."""
        return {
            "per_1000": 1000 * self.distinct / self.drawn,
            "per_second": self.distinct / self.seconds,
            "pass_moses": float(np.mean(self.passes)) if self.passes else float("nan"),
            "sa_score": float(np.mean(self.sa_scores)) if self.sa_scores else float("nan"),
            "in_range": self.in_range / self.drawn,
            "none_found": self.barren / self.compounds,
        }


def main() -> None:
    """Measure, and print the table."""
    arguments = parse_arguments()
    model = molvae.load(arguments.model, device=arguments.device, workers=1)
    compounds = sampled(model, arguments.data, arguments.molecules, arguments.seed)
    rows = []
    for similarity in RANGES:
        for strings in arguments.strings:
            for name, (method, levels) in METHODS.items():
                sums = Sums()
                for compound in compounds:
                    sought = Sought(similarity, strict=strings == "strict")
                    likeness = Likeness(compound.smiles, keep_scaffold=False)
                    explored = Exploration(
                        likeness, sought, model.checkpoint.known, levels, arguments.seed
                    )
                    start = time.perf_counter()
                    draw = method(model, compound, arguments.seed)
                    explored.run(draw, arguments.budget, arguments.budget)
                    sums.add(explored, time.perf_counter() - start)
                told = {"range": sought.range, "strings": strings, "method": name}
                rows.append(told | sums.row())
                print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False), flush=True)
    table = pd.DataFrame(rows)
    print(f"\n{len(compounds)} compounds, {arguments.budget:,} strings around each")
    print(table.round(3).to_string(index=False))
    if arguments.output:
        write_table(table, arguments.output)


def sampled(model: molvae.MolVAE, data: Path, count: int, seed: int) -> list[Compound]:
    """Compounds in a random order, of those of a test set that the model can encode."""
    table = as_table(data)
    if "split" in table:
        table = table[table["split"] == "test"]
    smiles = table[smiles_column(table)].to_numpy()
    chosen = smiles[np.random.default_rng(seed).permutation(len(smiles))[: 2 * count]]
    encodings = model.codec.encode(chosen.tolist(), flat=True)
    usable = np.flatnonzero(encodings.usable)[:count]
    return [
        Compound(encodings.smiles[row], encodings.tokens[row], encodings.mean[row])
        for row in usable
    ]


def parse_arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="run folder or model file")
    parser.add_argument("--data", type=Path, default=DATA / "full" / "moses_test.csv.gz")
    parser.add_argument("--molecules", type=int, default=200, help="compounds to start from")
    parser.add_argument("--budget", type=int, default=2000, help="strings drawn around each")
    parser.add_argument("--strings", nargs="+", choices=STRINGS, default=STRINGS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", help="table to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
