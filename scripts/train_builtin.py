"""Train the models that ship, in steps that go on from one another.

    pip download molsets==0.3.1 --no-deps
    python scripts/make_moses_data.py molsets-0.3.1-py3-none-any.whl --full
    python scripts/train_builtin.py moses --minutes 60 --processes 2
    python scripts/train_builtin.py moses --ship

(`druglike` in place of `moses`, with scripts/make_zinc_data.py.) The first call of the third line
begins a run in runs/builtin, or goes on with one that was interrupted; when a run has ended, the
next call begins one from its weights, or from those that ship, with a lower learning rate. `--ship`
writes the weights, in half precision, into the package, measured as they ship on molecules that
were held out.

Of MOSES' training set 100,000 molecules are held out and never trained on: 2,000 choose the best
weights of a run, 10,000 others are what the report is of. Of ZINC250k 5,000 are, and 2,000 choose.
To the model that ships all of its set is known, so that novel means what it means in a benchmark.
Heads for five properties are fitted to the latents of some when a run ends; they don't shape the
latent.

On a GPU the same commands take minutes; 100 epochs of MOSES are `--steps 145000`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import pandas as pd

import molvae
from molvae import shipped
from molvae.checkpoint import FILE_NAME
from molvae.chem.identity import KnownMolecules
from molvae.chem.properties import compute_many
from molvae.model import MolVAE
from molvae.parallel import ordered
from molvae.training.state import FILE_NAME as STATE

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
RUNS = Path("runs/builtin")
HELD_OUT, JUDGES, REPORTED, MEASURED = 100_000, 2_000, 10_000, 100_000
HEADS = ("logp", "qed", "mol_weight", "tpsa", "sa_score")

ALWAYS: dict[str, Any] = {
    "noise_share": 1.0,
    "precision": "bf16",
    "property_weight": 0.0,
    "labelled_share": 0.0,
}
"""Each molecule is decoded once from its latent and once from a noisy one."""


@dataclass(frozen=True)
class Recipe:
    """How a model that ships is made.

    Attributes:
        molecules: Of its training set with their split, a file in data/full.
        split: What stands in the column ``split`` of each molecule.
        begin: Settings of the first run.
        go_on: Settings of the runs that go on from the weights of another.
    """

    molecules: str
    split: Callable[[pd.DataFrame], np.ndarray]
    begin: dict[str, Any]
    go_on: dict[str, Any]


def of_moses(molecules: pd.DataFrame) -> np.ndarray:
    """A random part of the training set is held out."""
    chosen = np.random.default_rng(0).permutation(len(molecules))[:HELD_OUT]
    split = np.full(len(molecules), "train", dtype=object)
    split[chosen] = "test"
    split[chosen[:JUDGES]] = "valid"
    return split


def of_zinc(molecules: pd.DataFrame) -> np.ndarray:
    """The test molecules of the file are held out, and some others choose the weights."""
    split = molecules["split"].to_numpy(dtype=object)
    train = np.flatnonzero(split == "train")
    split[np.random.default_rng(0).permutation(train)[:JUDGES]] = "valid"
    return split


RECIPES = {
    "moses": Recipe(
        "moses_train.csv.gz",
        of_moses,
        {
            "encoder_hidden": 320,
            "decoder_hidden": 704,
            "decoder_layers": 2,
            "batch_size": 2048,
            "learning_rate": 1.5e-3,
        },
        {"batch_size": 2048, "learning_rate": 1e-3, "target_reconstruction": 0.92},
    ),
    "druglike": Recipe(
        "zinc250k.csv.gz",
        of_zinc,
        {
            "decoder_layers": 2,
            "dropout": 0.1,
            "batch_size": 1024,
            "learning_rate": 1.5e-3,
            "beta": 0.05,
        },
        {"batch_size": 1024, "learning_rate": 1e-3, "target_reconstruction": 0.8},
    ),
}


def main() -> None:
    """Train for so many steps, or ship."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=shipped.NAMES)
    parser.add_argument("--steps", type=int, default=20_000, help="of the run")
    parser.add_argument("--minutes", type=float, help="of the run, if that is sooner")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--ship", action="store_true", help="write the last model into the package")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.name]
    length = {"steps": arguments.steps, "max_minutes": arguments.minutes}
    runs = sorted(RUNS.glob(f"{arguments.name}-*"), key=lambda one: int(one.name.split("-")[-1]))
    unfinished = bool(runs) and (runs[-1] / STATE).exists()
    if arguments.ship:
        if unfinished or not runs:
            parser.error("There is no run that has ended.")
        ship(arguments.name, runs[-1])
    elif unfinished:
        molvae.resume(runs[-1], processes=arguments.processes, **length)
    else:
        ended = [one / FILE_NAME for one in runs if (one / FILE_NAME).exists()]
        base = ended[-1] if ended else shipped.file_of(arguments.name)
        molvae.train(
            table(arguments.name),
            RUNS / f"{arguments.name}-{len(runs) + 1}",
            base=base if base.exists() else None,
            properties=HEADS,
            split_column="split",
            processes=arguments.processes,
            **length,
            **ALWAYS,
            **(recipe.go_on if base.exists() else recipe.begin),
        )


def table(name: str) -> Path:
    """The molecules with their split and the properties of some, written once."""
    path = RUNS / f"{name}.csv"
    if not path.exists():
        molecules = pd.read_csv(DATA / "full" / RECIPES[name].molecules)
        molecules = molecules.assign(split=RECIPES[name].split(molecules))[["smiles", "split"]]
        some = molecules.sample(min(MEASURED, len(molecules)), random_state=0)
        computed = partial(compute_many, names=HEADS)
        values = pd.DataFrame(ordered(computed, some["smiles"].tolist()), index=some.index)
        path.parent.mkdir(parents=True, exist_ok=True)
        molecules.join(values).to_csv(path, index=False)
    return path


def ship(name: str, run: Path) -> None:
    """Write a model into the package; its report is that of the weights as they ship."""
    held_out = pd.read_csv(run / "held_out.csv").query("split == 'test'")
    held_out = held_out.sample(
        min(REPORTED, len(held_out)), random_state=0
    )  # the file isn't in random order
    everything = pd.read_csv(DATA / "full" / RECIPES[name].molecules)["smiles"]
    trained = molvae.load(run, device="cpu").checkpoint
    whole = replace(trained, known=KnownMolecules.of(everything))
    file = shipped.file_of(name)
    MolVAE(whole).save(file, compact=True)
    model = molvae.load(file, device="cpu")
    model.checkpoint.record["report"] = model.report(held_out).as_dict()
    model.save(file, compact=True)


if __name__ == "__main__":
    main()
