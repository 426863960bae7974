"""The table of MOSES in the README, from one command: data, model, samples, measures.

    pip download molsets==0.3.1 --no-deps
    python scripts/reproduce_moses.py molsets-0.3.1-py3-none-any.whl
    python scripts/reproduce_moses.py molsets-0.3.1-py3-none-any.whl --train

Takes the model that ships, or with --train makes one as `scripts/train_builtin.py` does (minutes on
a GPU, days on two cores). Draws 30,000 molecules at temperature 1 for each of three seeds as
`molvae generate` does, but keeps known and repeated ones, and measures them as `molvae evaluate`
does, against the statistics of the test sets that molsets ships: for each of three points of one
model's dial of noise, at which at least 90, 75 and 50% of the test molecules come back exactly from
a draw of their posterior that is made as noisy. Beside the mean over the seeds stand their standard
deviation, what 30,000 training molecules show, and the published values. Reconstruction is of 5,000
test molecules. The picture sets the FCD of the points beside the reconstruction, and beside the
one curve of that kind that was published. It ends with an error when a value is further than its
tolerance from what this script printed when the README was written.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import pandas as pd
from make_moses_data import DATA
from matplotlib import pyplot

import molvae
from molvae.health.reconstruction import exact_share
from molvae.metrics.evaluation import published

SCRIPTS = Path(__file__).resolve().parent
FULL = DATA / "full"
REFERENCE = FULL / "moses.safetensors"
RECONSTRUCTED = 5_000

FLOOR = "training molecules"
"""The column of what they show."""

PUBLISHED = {
    "VAE (published)": ((0.70, 0.205), (0.80, 0.344), (0.90, 0.772), (0.95, 1.21)),
    "DD-VAE (published)": ((0.70, 0.194), (0.80, 0.312), (0.90, 0.691), (0.95, 1.14)),
}
"""Sampled reconstruction and FCD of 30,000 samples from N(0, I), read off a figure to about 0.05:
Polykovskiy and Vetrov, 2020, arXiv:2003.02174. A VAE with as large a network, and theirs."""

NOISES = (0.0, 0.17, 0.28)
"""The three points."""

EXPECTED: dict[str, tuple[dict[float, float], float]] = {
    "exact, from the mean": ({0.0: 0.9816, 0.17: 0.9364, 0.28: 0.7506}, 0.01),
    "exact, from a draw": ({0.0: 0.9072, 0.17: 0.7794, 0.28: 0.5338}, 0.015),
    "FCD/Test": ({0.0: 0.2238, 0.17: 0.2986, 0.28: 0.4817}, 0.03),
    "FCD/TestSF": ({0.0: 0.8183, 0.17: 0.9215, 0.28: 1.1625}, 0.08),
    "unique@10000": ({0.0: 0.9989, 0.17: 0.9992, 0.28: 0.9995}, 0.002),
    "Novelty": ({0.0: 0.8313, 0.17: 0.8404, 0.28: 0.8643}, 0.015),
    "Filters": ({0.0: 0.9842, 0.17: 0.9796, 0.28: 0.9714}, 0.005),
    "hit ratio": ({0.0: 9.9437, 0.17: 9.7273, 0.28: 9.7315}, 1.5),
    "strict, of the drawn": ({0.0: 0.9345, 0.17: 0.8917, 0.28: 0.8325}, 0.01),
}
"""What was printed when the README was written, by noise, and how far off another run may be."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="molsets-0.3.1-py3-none-any.whl")
    parser.add_argument("--train", action="store_true", help="make the model first")
    parser.add_argument("--model", default="moses", help="another model")
    parser.add_argument("--samples", type=int, default=30_000)
    parser.add_argument("--noise", type=float, nargs="+", default=NOISES)
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3))
    parser.add_argument("-o", "--output", type=Path, help="a CSV of the table")
    parser.add_argument("--image", type=Path, help="a picture of the points")
    asked = parser.parse_args()
    make_data(asked.wheel)
    model = molvae.load(trained() if asked.train else asked.model)
    reference = molvae.load_reference(REFERENCE)
    columns: dict[str, dict[str, Any]] = {}
    off = []
    for noise in asked.noise:
        found = [measured(model, reference, asked.samples, noise, seed) for seed in asked.seeds]
        seeds = pd.DataFrame([one for one, _ in found])
        means = {**reconstruction(model, noise), **seeds.mean().to_dict()}
        columns |= {f"noise {noise:g}": means, f"deviation {noise:g}": seeds.std().to_dict()}
        off += [
            f"{name} {means[name]:.4f} at noise {noise:g}"
            for name, (values, tolerance) in EXPECTED.items()
            if noise in values and not abs(means[name] - values[noise]) <= tolerance
        ]
    columns[FLOOR] = found[0][1]
    for row in published("moses"):
        columns[row["model"]] = {name: row[name] for name in means if row.get(name)}
    table = pd.DataFrame(columns, index=list(means)).astype(float)
    print(table.round(4).to_string(na_rep="", line_width=250))
    if asked.output:
        table.to_csv(asked.output, index_label="measure")
    if asked.image:
        draw_frontier(table, asked.image)
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
    model: molvae.MolVAE, reference: molvae.Reference, samples: int, noise: float, seed: int
) -> tuple[dict[str, float], dict[str, float | None]]:
    """The measures of so many samples, and what training molecules show."""
    drawn = model.generate(samples, unique=False, novel=False, noise=noise, seed=seed)
    print(f"noise {noise:g}, seed {seed}: {drawn.tally}", flush=True)
    evaluation = molvae.evaluate(drawn.table, reference)
    values = {one.name: one.value for one in evaluation.measures if one.value is not None}
    values["strict, of the drawn"] = 1 - drawn.tally.repaired / drawn.tally.drawn
    return values, {one.name: one.expected for one in evaluation.measures}


def reconstruction(model: molvae.MolVAE, noise: float) -> dict[str, float]:
    """Exact reconstruction of test molecules at a noise, and the rate of their posteriors."""
    test = pd.read_csv(FULL / "moses_test.csv.gz")["smiles"]
    encodings = model.encode(test.sample(RECONSTRUCTED, random_state=0))
    drawn = encodings.sample(0)
    return {
        "exact, from the mean": exact_share(model.codec, encodings, encodings.mean, noise=noise),
        "exact, from a draw": exact_share(model.codec, encodings, drawn, noise=noise),
        "rate, nats": float(encodings.rates()[encodings.usable].sum(axis=1).mean()),
    }


def draw_frontier(table: pd.DataFrame, path: Path) -> None:
    """FCD to the test set against exact reconstruction from a draw, of ours and as published."""
    figure, axes = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")
    for name, known in PUBLISHED.items():
        shares, distances = np.array(known).T
        axes.plot(100 * shares, distances, marker="s", linestyle="--", label=name)
    points = table.filter(regex="^noise ").loc[["exact, from a draw", "FCD/Test"]]
    shares, distances = points.sort_values("exact, from a draw", axis=1).to_numpy()
    axes.plot(100 * shares, distances, marker="o", color="black", label="molvae, one model")
    for name, column in (("CharRNN, no latent", "CharRNN"), (FLOOR, FLOOR)):
        value, across = table.loc["FCD/Test", column], axes.get_yaxis_transform()
        axes.axhline(value, linestyle=":", color="gray")
        axes.text(0.01, value, name, transform=across, va="bottom")
    axes.set(xlabel="exact reconstruction from a draw, %", ylabel="FCD/Test", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.set_yticks([0.05, 0.1, 0.2, 0.5, 1])
    axes.legend(fontsize="small", loc="upper left")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
