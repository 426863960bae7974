"""Train the model that is to ship, in steps that go on from one another.

    pip download molsets==0.3.1 --no-deps
    python scripts/make_moses_data.py molsets-0.3.1-py3-none-any.whl --full
    python scripts/train_builtin.py moses --steps 10000 --processes 2
    python scripts/train_builtin.py moses --ship

The first call of the third line begins a run in runs/builtin, or goes on with one that was
interrupted; when a run has ended, the next call begins one from its weights, or from those that
ship, with a lower learning rate. `--ship` writes the weights, in half precision, into the package,
measured as they ship on training molecules that were held out.

Of MOSES' training set 100,000 molecules are held out and never trained on: 2,000 choose the best
weights of a run, 10,000 others are what the report is of. To the model that ships all of the set is
known, so that novel means what it means in the benchmark. Heads for five properties are fitted to
the latents of the molecules of data/moses_sample.csv.gz when a run ends; they don't shape the
latent.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import pandas as pd

import molvae
from molvae.checkpoint import FILE_NAME
from molvae.chem.identity import KnownMolecules
from molvae.model import MolVAE
from molvae.training.state import FILE_NAME as STATE

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
RUNS = Path("runs/builtin")
HELD_OUT, JUDGES, REPORTED = 100_000, 2_000, 10_000
HEADS = ("logp", "qed", "mol_weight", "tpsa", "sa_score")

BEGIN: dict[str, Any] = {"size": "base", "learning_rate": 2e-3}
GO_ON: dict[str, Any] = {"learning_rate": 1e-3}
ALWAYS: dict[str, Any] = {"noise_share": 1.0, "property_weight": 0.0, "labelled_share": 0.0}
"""Each molecule is decoded once from its latent and once from a noisy one."""


def main() -> None:
    """Train for so many steps, or ship."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["moses"])
    parser.add_argument("--steps", type=int, default=10_000, help="of the run, 128 molecules each")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--ship", action="store_true", help="write the last model into the package")
    arguments = parser.parse_args()
    runs = sorted(RUNS.glob(f"{arguments.name}-*"), key=lambda one: int(one.name.split("-")[-1]))
    unfinished = bool(runs) and (runs[-1] / STATE).exists()
    if arguments.ship:
        if unfinished or not runs:
            parser.error("There is no run that has ended.")
        ship(arguments.name, runs[-1])
    elif unfinished:
        molvae.resume(runs[-1], processes=arguments.processes, steps=arguments.steps)
    else:
        ended = [one / FILE_NAME for one in runs if (one / FILE_NAME).exists()]
        base = ended[-1] if ended else shipped_file(arguments.name)
        molvae.train(
            table(arguments.name),
            RUNS / f"{arguments.name}-{len(runs) + 1}",
            base=base if base.exists() else None,
            properties=HEADS,
            split_column="split",
            steps=arguments.steps,
            processes=arguments.processes,
            **ALWAYS,
            **(GO_ON if base.exists() else BEGIN),
        )


def shipped_file(name: str) -> Path:
    """Where the model lies in the package."""
    return ROOT / "molvae" / "shipped" / f"{name}.safetensors"


def table(name: str) -> Path:
    """The molecules with their split and the properties of some, written once."""
    path = RUNS / f"{name}.csv"
    if not path.exists():
        molecules = pd.read_csv(DATA / "full" / "moses_train.csv.gz")
        random = np.random.default_rng(0)
        chosen = random.permutation(len(molecules))[:HELD_OUT]
        split = np.full(len(molecules), "train", dtype=object)
        split[chosen] = "test"
        split[chosen[:JUDGES]] = "valid"
        known = pd.read_csv(DATA / "moses_sample.csv.gz", usecols=["smiles", *HEADS])
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = molecules.assign(split=split).merge(known, on="smiles", how="left")
        whole.to_csv(path, index=False)
    return path


def ship(name: str, run: Path) -> None:
    """Write a model into the package; its report is that of the weights as they ship."""
    held_out = pd.read_csv(run / "held_out.csv").query("split == 'test'")
    held_out = held_out.sample(REPORTED, random_state=0)  # the file isn't in random order
    everything = pd.read_csv(DATA / "full" / "moses_train.csv.gz")["smiles"]
    trained = molvae.load(run, device="cpu").checkpoint
    whole = replace(trained, known=KnownMolecules.of(everything))
    MolVAE(whole).save(shipped_file(name), compact=True)
    shipped = molvae.load(shipped_file(name), device="cpu")
    shipped.checkpoint.record["report"] = shipped.report(held_out).as_dict()
    shipped.save(shipped_file(name), compact=True)


if __name__ == "__main__":
    main()
