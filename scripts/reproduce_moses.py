"""The table of MOSES in the README, from one command: data, model, samples, measures.

    pip download molsets==0.3.1 --no-deps
    python scripts/reproduce_moses.py molsets-0.3.1-py3-none-any.whl
    python scripts/reproduce_moses.py molsets-0.3.1-py3-none-any.whl --train

Takes the model that ships, or with --train makes one as `scripts/train_builtin.py` does (minutes on
a GPU, days on two cores). Draws 30,000 molecules at temperature 1 for each of three seeds as
`molvae generate` does, but keeps known and repeated ones, and measures them as `molvae evaluate`
does, against the statistics of the test sets that molsets ships. Beside the mean over the seeds
stand their standard deviation, what 30,000 training molecules show, what this script printed when
the README was written, and the published values. Reconstruction is of 5,000 test molecules. It ends
with an error when a value is further from the expected one than its tolerance.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import pandas as pd
from make_moses_data import DATA

import molvae
from molvae.health.reconstruction import exact_share
from molvae.metrics.evaluation import published

SCRIPTS = Path(__file__).resolve().parent
FULL = DATA / "full"
REFERENCE = FULL / "moses.safetensors"
RECONSTRUCTED = 5_000

EXPECTED: dict[str, tuple[float, float]] = {}
"""What was printed when the README was written, and how far from it another run may be."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="molsets-0.3.1-py3-none-any.whl")
    parser.add_argument("--train", action="store_true", help="make the model first")
    parser.add_argument("--model", default="moses", help="another model")
    parser.add_argument("--samples", type=int, default=30_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3))
    parser.add_argument("-o", "--output", type=Path, help="a CSV of the table")
    asked = parser.parse_args()
    make_data(asked.wheel)
    model = molvae.load(trained() if asked.train else asked.model)
    reference = molvae.load_reference(REFERENCE)
    found = [measured(model, reference, asked.samples, seed) for seed in asked.seeds]
    values = pd.DataFrame([one for one, _ in found])
    means = {**values.mean().to_dict(), **reconstruction(model)}
    columns: dict[str, dict[str, Any]] = {
        "mean": means,
        "deviation": values.std().to_dict(),
        "floor": found[0][1],
        "expected": {name: value for name, (value, _) in EXPECTED.items()},
    }
    for row in published("moses"):
        columns[row["model"]] = {name: row[name] for name in means if row.get(name)}
    table = pd.DataFrame(columns, index=list(means)).astype(float)
    print(table.round(4).to_string(na_rep="", line_width=250))
    if asked.output:
        table.to_csv(asked.output, index_label="measure")
    off = [
        f"{name} {means[name]:.4f}"
        for name, (value, tolerance) in EXPECTED.items()
        if not abs(means[name] - value) <= tolerance
    ]
    if off:
        sys.exit(f"Not as expected: {', '.join(off)}")


def make_data(wheel: Path) -> None:
    """Write the sets and the reference, unless they are there."""
    if not (FULL / "moses_test.csv.gz").exists():
        run("make_moses_data.py", wheel, "--full")
    if not REFERENCE.exists():
        run("make_moses_reference.py", wheel)


def trained() -> Path:
    """A run folder of both runs that made the model that ships."""
    for steps in (3_233, 6_495):
        run("train_builtin.py", "moses", "--steps", steps)
    runs = Path("runs/builtin").glob("moses-*")
    return max(runs, key=lambda one: int(one.name.split("-")[-1]))


def run(script: str, *arguments: object) -> None:
    """Run another script of this folder."""
    subprocess.run([sys.executable, SCRIPTS / script, *map(str, arguments)], check=True)


def measured(
    model: molvae.MolVAE, reference: molvae.Reference, samples: int, seed: int
) -> tuple[dict[str, float], dict[str, float | None]]:
    """The measures of so many samples, and what training molecules show."""
    drawn = model.generate(samples, unique=False, novel=False, seed=seed)
    print(f"seed {seed}: {drawn.tally}", flush=True)
    evaluation = molvae.evaluate(drawn.table, reference)
    values = {one.name: one.value for one in evaluation.measures if one.value is not None}
    values["strict, of the drawn"] = 1 - drawn.tally.repaired / drawn.tally.drawn
    return values, {one.name: one.expected for one in evaluation.measures}


def reconstruction(model: molvae.MolVAE) -> dict[str, float]:
    """Exact reconstruction of test molecules, and what of a latent its decodes agree in."""
    test = pd.read_csv(FULL / "moses_test.csv.gz")["smiles"]
    encodings = model.encode(test.sample(RECONSTRUCTED, random_state=0))
    drawn = encodings.sample(0)
    return {
        "exact, from the mean": exact_share(model.codec, encodings, encodings.mean),
        "exact, from a draw": exact_share(model.codec, encodings, drawn),
        "rate, nats": float(encodings.rates()[encodings.usable].sum(axis=1).mean()),
    }


if __name__ == "__main__":
    main()
