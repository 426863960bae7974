"""Walk between molecules that no model saw: which kind of path changes them step by step?

    python scripts/make_moses_data.py molsets-0.3.1-py3-none-any.whl --full
    python scripts/bench_paths.py --model moses --pairs 1000

Pairs of MOSES test molecules, drawn by the seed among those that the model can encode, are joined
by paths of 11 points, both ends included; those between are decoded greedily, but for smooth paths.
Kinds of path are:

- slerp, lerp, dense: those of `molvae interpolate --spacing latent`, evenly spaced in the latent
  space, from one posterior mean to the other; the ends are the molecules themselves;
- smooth: that of `molvae interpolate` as it is, along a great arc: 11 molecules at most, none
  repaired; its density is that of the points of the curve around which they were drawn;
- random: great arcs between latents of random directions that are as long as those of a pair; the
  ends are what they decode to;
- mutation: no model at all. The SELFIES of the two are aligned token by token with as few edits as
  possible, which are made one after the other in a random order, and 11 of the strings are taken at
  even distances (as Nigam et al., 2021, doi:10.1039/d1sc00231g, walk between molecules).

What is measured is the mean over paths of:

- distinct: distinct molecules of a path, its ends included: 11 at most;
- order: Spearman's rank correlation of place on the path with similarity to the end, and of
  falling place with similarity to the start (Tanimoto, Morgan 2), the mean of both: 1 where each
  point is nearer to the end and further from the start than the one before;
- jump: the largest 1 - Tanimoto between consecutive molecules;
- no path: whether nothing lies between, or a jump is 90% of 1 - Tanimoto between the ends;
- filters: the share of the distinct molecules between, the ends not among them, that pass the
  filters of MOSES;
- drift: heavy atoms of a point between beyond what the line from the start's to the end's gives,
  without their sign;
- strict: the share of the points between whose string needed no repair;
- density: log p(z) of the points between under the prior of the model, in nats.

With --strict, points that needed repair are left out of a path before it is measured, as
`molvae interpolate` does.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import pandas as pd
from experiment import DATA

import molvae
from molvae.chem.filters import objection
from molvae.chem.fingerprints import similarities
from molvae.chem.molecules import parse
from molvae.chem.properties import compute
from molvae.chem.strings import Decoded, decode_many
from molvae.cli.output import write_table
from molvae.codec import Encodings
from molvae.latent.curves import CURVES
from molvae.latent.ways import Way
from molvae.parallel import ordered

POINTS = 11
AT_ONCE = 100
"""Pairs whose paths are found together."""

POSITIONS = np.linspace(0, 1, POINTS)


@dataclass(frozen=True)
class Pairs:
    """Molecules to walk between, B of them each."""

    starts: Encodings
    ends: Encodings


@dataclass(frozen=True)
class Paths:
    """B paths of `POINTS` points, or up to as many.

    Attributes:
        decoded: Of each path, what its points are; the ends as they were given.
        density: Of each, log p(z) of its points in nats; NaN where there is no latent.
    """

    decoded: list[list[Decoded]]
    density: list[np.ndarray]


def main() -> None:
    """Walk between the pairs on each kind of path, and print the table."""
    arguments = parse_arguments()
    model = molvae.load(arguments.model)
    pairs = chosen(model, arguments.data, arguments.pairs, arguments.seed)
    rows = []
    for kind in arguments.paths:
        paths = WALKS[kind](model, pairs, arguments.seed)
        rows.append({"path": kind, **measured(paths, strict=arguments.strict)})
        print(pd.DataFrame(rows).round(3).tail(1).to_string(index=False), flush=True)
    table = pd.DataFrame(rows)
    print(f"\nMeans of {len(pairs.starts.smiles):,} paths of {POINTS} points, {arguments.model}:")
    print(table.round(3).to_string(index=False))
    if arguments.output is not None:
        write_table(table, str(arguments.output))


def parse_arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="run folder, model file or moses")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--data", type=Path, default=DATA / "full" / "moses_test.csv.gz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--paths", nargs="+", choices=WALKS, default=list(WALKS))
    parser.add_argument("--strict", action="store_true", help="leave out what needed repair")
    parser.add_argument("--output", type=Path, help="table to write")
    return parser.parse_args()


def chosen(model: molvae.MolVAE, data: Path, count: int, seed: int) -> Pairs:
    """Pairs of distinct molecules of a table that the model can encode."""
    smiles = pd.read_csv(data)["smiles"].unique()
    order = np.random.default_rng([seed, 0]).permutation(len(smiles))
    drawn = smiles[order[: 2 * count + 100 + count // 5]].tolist()  # more, since some may fail
    found = model.encode(drawn)
    usable = np.flatnonzero(found.usable)
    if len(usable) < 2 * count:
        raise SystemExit(f"Only {len(usable)} molecules of {data} can be encoded. Ask for fewer.")
    return Pairs(found.taken(usable[:count]), found.taken(usable[count : 2 * count]))


def along(model: molvae.MolVAE, pairs: Pairs, seed: int, *, curve: str) -> Paths:
    """Paths between the posterior means of molecules."""
    return between(model, pairs.starts.mean, pairs.ends.mean, curve, pairs)


def at_random(model: molvae.MolVAE, pairs: Pairs, seed: int) -> Paths:
    """Great arcs between random latents as long as those of the molecules."""
    random = np.random.default_rng([seed, 1])
    latents = []
    for encodings in (pairs.starts, pairs.ends):
        drawn = random.standard_normal(encodings.mean.shape)
        lengths = np.linalg.norm(encodings.mean, axis=1) / np.linalg.norm(drawn, axis=1)
        latents.append((drawn * lengths[:, None]).astype(np.float32))
    return between(model, latents[0], latents[1], "slerp", None)


def between(
    model: molvae.MolVAE, starts: np.ndarray, ends: np.ndarray, curve: str, given: Pairs | None
) -> Paths:
    """Paths between latents, (B, D); their ends are decoded unless they are given."""
    codec, decoded, density = model.codec, [], []
    for first in range(0, len(starts), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        points = CURVES[curve](codec, starts[some], ends[some], POINTS)  # (b, S, D)
        latents = points.reshape(-1, points.shape[-1]).astype(np.float32)
        found = codec.decode(latents)
        decoded += [found[place : place + POINTS] for place in range(0, len(found), POINTS)]
        density += list(codec.log_density(latents).reshape(-1, POINTS))
    if given is not None:
        decoded = with_ends(decoded, given)
    return Paths(decoded, density)


def smooth(model: molvae.MolVAE, pairs: Pairs, seed: int) -> Paths:
    """Paths of molecules chosen among those drawn along an arc."""
    tables = [
        model.interpolate(ends, steps=POINTS, seed=seed).table
        for ends in zip(pairs.starts.smiles, pairs.ends.smiles, strict=True)
    ]
    decoded = [list(map(Decoded, table["smiles"], table["strict"])) for table in tables]
    return Paths(decoded, [table["density"].to_numpy() for table in tables])


def by_mutation(model: molvae.MolVAE, pairs: Pairs, seed: int) -> Paths:
    """Paths of edits to the SELFIES of one molecule that lead to the other's."""
    random = np.random.default_rng([seed, 2])
    strings = []
    for start, end in zip(pairs.starts.tokens, pairs.ends.tokens, strict=True):
        strings += edited(start, end, random)
    work = partial(decode_many, constraints=model.checkpoint.constraints)
    found = list(ordered(work, strings))
    decoded = [found[place : place + POINTS] for place in range(0, len(found), POINTS)]
    return Paths(with_ends(decoded, pairs), [np.full(POINTS, np.nan)] * len(decoded))


def with_ends(decoded: list[list[Decoded]], pairs: Pairs) -> list[list[Decoded]]:
    """Paths that begin and end with the molecules given."""
    ends = zip(pairs.starts.smiles, pairs.ends.smiles, strict=True)
    return [
        [Decoded(start, True), *path[1:-1], Decoded(end, True)]
        for path, (start, end) in zip(decoded, ends, strict=True)
    ]


def edited(start: list[str], end: list[str], random: np.random.Generator) -> list[list[str]]:
    """`POINTS` strings from one to the other, with the edits spread evenly between them."""
    columns = aligned(start, end)
    edits = random.permutation([place for place, (one, two) in enumerate(columns) if one != two])
    strings = []
    for share in POSITIONS:
        done = set(edits[: round(share * len(edits))].tolist())
        mixed = [pair[place in done] for place, pair in enumerate(columns)]
        strings.append([token for token in mixed if token])
    return strings


def aligned(start: list[str], end: list[str]) -> list[tuple[str, str]]:
    """Tokens of two strings side by side, blanks where one has none, with the fewest edits."""
    costs = np.zeros((len(start) + 1, len(end) + 1), dtype=int)
    costs[:, 0], costs[0] = np.arange(len(start) + 1), np.arange(len(end) + 1)
    for row, one in enumerate(start, 1):
        for column, two in enumerate(end, 1):
            exchanged = costs[row - 1, column - 1] + (one != two)
            costs[row, column] = min(
                exchanged, costs[row - 1, column] + 1, costs[row, column - 1] + 1
            )
    columns, row, column = [], len(start), len(end)
    while row or column:
        here = costs[row, column]
        one, two = start[row - 1] if row else "", end[column - 1] if column else ""
        if row and column and here == costs[row - 1, column - 1] + (one != two):
            columns.append((one, two))
            row, column = row - 1, column - 1
        elif row and here == costs[row - 1, column] + 1:
            columns.append((one, ""))
            row -= 1
        else:
            columns.append(("", two))
            column -= 1
    return columns[::-1]


WALKS: dict[str, Callable[[molvae.MolVAE, Pairs, int], Paths]] = {
    **{curve: partial(along, curve=curve) for curve in CURVES},
    "smooth": smooth,
    "random": at_random,
    "mutation": by_mutation,
}
"""The kinds of path that are compared."""


def measured(paths: Paths, *, strict: bool) -> dict[str, float]:
    """The means over paths; see the head of this file."""
    found = [
        measures_of(decoded, density, strict=strict)
        for decoded, density in zip(paths.decoded, paths.density, strict=True)
        if decoded[0].smiles and decoded[-1].smiles
    ]
    return pd.DataFrame(found).mean().to_dict()


def measures_of(decoded: list[Decoded], density: np.ndarray, *, strict: bool) -> dict[str, float]:
    """What is measured of one path."""
    last = len(decoded) - 1
    kept = [place for place, one in enumerate(decoded) if one.suits(strict and 0 < place < last)]
    smiles = [decoded[place].smiles for place in kept]
    positions = np.linspace(0, 1, len(decoded))[kept]
    way = Way(smiles)
    inside = set(smiles) - {smiles[0], smiles[-1]}
    atoms = np.array([heavy_atoms(one) for one in smiles])
    drift = np.abs(atoms - (1 - positions) * atoms[0] - positions * atoms[-1])
    to_start, to_end = (similarities(one, smiles) for one in (smiles[0], smiles[-1]))
    return {
        "distinct": len(set(smiles)),
        "order": (spearman(positions, to_end) - spearman(positions, to_start)) / 2,
        "jump": way.largest_jump,
        "no path": float(bool(way.objection())),
        "filters": float(np.mean([passes(one) for one in inside])) if inside else np.nan,
        "drift": float(drift[1:-1].mean()) if len(kept) > 2 else np.nan,
        "strict": float(np.mean([one.strict for one in decoded[1:-1]])) if last > 1 else np.nan,
        "density": float(density[1:-1].mean()) if last > 1 else np.nan,
    }


def spearman(one: np.ndarray, other: list[float]) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN where nothing changes."""
    if np.ptp(other) == 0:
        return np.nan
    return float(np.corrcoef(pd.Series(one).rank(), pd.Series(other).rank())[0, 1])


@cache
def passes(smiles: str) -> bool:
    """Whether a molecule passes the filters of MOSES."""
    return not objection(parse(smiles), ["moses"])


@cache
def heavy_atoms(smiles: str) -> float:
    """Atoms other than hydrogen."""
    return compute(parse(smiles), ["heavy_atoms"])["heavy_atoms"]


if __name__ == "__main__":
    main()
