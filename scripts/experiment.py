"""Train models that differ in one setting, for as many steps each, and tabulate what they reach.

    python scripts/make_moses_data.py molsets-0.3.1-py3-none-any.whl --full
    python scripts/experiment.py balance
    python scripts/experiment.py balance --only "beta 0.1" "rate 25"

Each run is one process of one thread, so steps are wall-clock time: no setting of `balance` costs
more than another. FCD is that of 10,000 strings from N(0, I), unfiltered, at temperature 1, against
10,000 molecules of the MOSES training set that no model sees. `denoising` tells how many of 2,000
test molecules come back exactly, from the posterior mean, when some of the tokens that the encoder
reads are exchanged, dropped or masked. `precision` trains on short molecules in fp32 and in bf16. A
row that stands in the table isn't made again, so several calls may share the work.
"""

from __future__ import annotations

import argparse
import os
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import pandas as pd
import torch

import molvae
from molvae import files
from molvae.cli.output import write_table
from molvae.codec import Encodings
from molvae.corpus.batches import pad
from molvae.corpus.disguise import corrupted
from molvae.latent.generation import draw
from molvae.metrics.chemnet import activations
from molvae.metrics.distribution import Moments, frechet_distance

DATA = Path(__file__).resolve().parent.parent / "data"
SAMPLE = DATA / "moses_sample.csv.gz"
SHARED: dict[str, Any] = {"size": "small", "steps": 2000, "split_column": "split"}
SAMPLES = 10_000

GROUPS: dict[str, dict[str, dict[str, Any]]] = {
    "balance": {
        "beta 0.1": {"beta": 0.1},
        "beta 0.3": {"beta": 0.3},
        "beta 0.1, linear over half the steps": {"beta": 0.1, "beta_warmup": 0.5},
        "beta 0.1, linear over all steps": {"beta": 0.1, "beta_warmup": 1.0},
        "beta 0.3, linear over all steps": {"beta": 0.3, "beta_warmup": 1.0},
        "beta 0.3, four cycles": {"beta": 0.3, "beta_cycles": 4, "beta_warmup": 0.5},
        "beta 1, half a free nat a dimension": {"beta": 1.0, "free_bits": 0.5},
        "reconstruction 50%": {"target_reconstruction": 0.5},
        "reconstruction 20%": {"target_reconstruction": 0.2},
        "rate 25": {"target_rate": 25.0},
    },
    "denoising": {
        "clean": {},
        "corruption 10%": {"corruption": 0.1},
        "random order": {"random_order": 1.0},
    },
    "precision": {
        name: {"precision": name, "max_tokens": 30, "beta": 0.02, "held_out": 0.15, "steps": 1500}
        for name in ("fp32", "bf16")
    },
}
"""What is compared: the name of a run and its settings beside `SHARED`."""

CORRUPTED = (0.0, 0.05, 0.1, 0.2)
"""Shares of the tokens that are wrong in what the encoder reads."""

TESTED = 2000


def main() -> None:
    """Make the runs that are missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these runs alone")
    parser.add_argument("--output", type=Path, default=Path("runs/experiments"))
    arguments = parser.parse_args()
    folder = arguments.output / arguments.group
    runs = GROUPS[arguments.group]
    for name in arguments.only or runs:
        place = folder / name.replace(" ", "-")
        if not (place / "row.csv").exists():
            row = MEASURES[arguments.group](train(place, runs[name]), arguments.output)
            write_table(pd.DataFrame([{"run": name, **row}]), str(place / "row.csv"))
    rows = [pd.read_csv(one) for one in sorted(folder.glob("*/row.csv"))]
    print(pd.concat(rows).round(3).to_string(index=False))


def train(
    place: Path, settings: dict[str, Any], source: Path | pd.DataFrame = SAMPLE
) -> molvae.MolVAE:
    """The model of a run, which goes on where it was left."""
    if (place / "state.safetensors").exists():
        model = molvae.resume(place, source)
    elif (place / "model.safetensors").exists():
        return molvae.load(place)
    else:
        model = molvae.train(source, place, **(SHARED | settings))
    if model.record["outcome"]["ending"] == "interrupted":
        raise SystemExit(f"{place} isn't done: the same call goes on with it.")
    return model


def unseen(folder: Path) -> np.ndarray:
    """ChemNet's features of 10,000 MOSES training molecules outside of the sample, (N, 512)."""
    path = folder / "unseen.npy"
    if not path.exists():
        sample = pd.read_csv(SAMPLE)
        everything = pd.read_csv(DATA / "full" / "moses_train.csv.gz")["smiles"]
        others = everything[~everything.isin(sample["smiles"])]
        train = sample.loc[sample["split"] == "train", "smiles"]
        chosen = [one.sample(SAMPLES, random_state=0).tolist() for one in (others, train)]
        features, seen = (activations(one) for one in chosen)
        print(f"FCD of {SAMPLES:,} training molecules: {distance(seen, features):.3f}")
        with files.atomic_path(path) as temporary:
            np.save(temporary, features)
    return np.load(path)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """FCD between the molecules of two arrays of features, each (N, 512)."""
    return frechet_distance(Moments.of(one), Moments.of(other))


def measure_balance(model: molvae.MolVAE, folder: Path) -> dict[str, float]:
    """What held-out molecules show, and what N(0, I) generates."""
    report = model.record["report"]
    stream = draw(
        model.codec, model.codec.draw, temperature=1.0, seed=0, strings_at_once=lambda: SAMPLES
    )
    drawn = [decoded.smiles for _, _, decoded in islice(stream, SAMPLES)]
    return {
        "beta at the end": model.record["outcome"]["beta"],
        **measure_precision(model, folder),
        "active units": report["reconstruction"]["active_units"],
        "strict": report["prior"]["strict_share"],
        "FCD": distance(activations([one for one in drawn if one]), unseen(folder)),
    }


def measure_denoising(model: molvae.MolVAE, folder: Path) -> dict[str, float]:
    """Exact reconstruction from corrupted strings."""
    sample = pd.read_csv(SAMPLE)
    encodings = model.encode(sample.loc[sample["split"] == "test", "smiles"].head(TESTED))
    return {f"{share:.0%} wrong": exact_from(model, encodings, share) for share in CORRUPTED}


def exact_from(model: molvae.MolVAE, encodings: Encodings, share: float) -> float:
    """The share of molecules that come back from strings of which a share of tokens is wrong."""
    vocabulary, generator = model.checkpoint.vocabulary, np.random.default_rng(0)
    read = [
        corrupted(vocabulary.ids(tokens), share, len(vocabulary), generator)
        for tokens in encodings.tokens
        if tokens
    ]
    lengths = torch.tensor([len(one) for one in read])
    with torch.no_grad():
        posterior = model.checkpoint.network.inference(torch.from_numpy(pad(read)), lengths)
    back = model.decode(posterior.mean.numpy())["smiles"]
    names = [name for name in encodings.smiles if name]
    return float((back == names).mean())


def measure_precision(model: molvae.MolVAE, folder: Path) -> dict[str, float]:
    """What held-out molecules show."""
    back = model.record["report"]["reconstruction"]
    return {
        "exact, mean": back["exact_mean"],
        "exact, draw": back["exact_sampled"],
        "distortion": back["distortion"],
        "KL": back["rate"],
    }


MEASURES = {
    "balance": measure_balance,
    "denoising": measure_denoising,
    "precision": measure_precision,
}


if __name__ == "__main__":
    main()
