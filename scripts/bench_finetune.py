"""What a model that ships is worth to someone with a few hundred molecules.

    python scripts/bench_finetune.py mine.csv --molecules 300 --minutes 3

Takes so many molecules of a table to learn from and 500 others to judge by, and trains for as many
minutes from nothing and from `druglike`; that model as it ships stands beside them. A molecule with
symbols that a model lacks doesn't come back from it. Told are exact reconstruction from the mean
and from a draw, distortion, and how the strings fall that the model writes by itself at temperature
1: strict, and novel among these.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import pandas as pd

import molvae
from molvae import shipped
from molvae.chem.molecules import canonical_many
from molvae.latent.sources import written_alone

JUDGES = 500
STRINGS = 1_000


def main() -> None:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", help="with a column smiles")
    parser.add_argument("--molecules", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=3.0, help="of each training")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    smiles = pd.Series(canonical_many(pd.read_csv(asked.table)["smiles"].tolist()))
    smiles = smiles[smiles != ""].drop_duplicates().sample(frac=1, random_state=asked.seed)
    few = smiles.head(asked.molecules).tolist()
    judges = smiles.iloc[asked.molecules :].head(JUDGES).tolist()
    how = {"max_minutes": asked.minutes, "report": False, "quiet": True, "seed": asked.seed}
    print(f"{'model':12} {'exact':>7} {'a draw':>7} {'distortion':>10} {'strict':>7} {'novel':>7}")
    show("as it ships", molvae.load(device="cpu"), judges)
    show("from nothing", molvae.train(few, size="small", **how), judges)
    show("fine-tuned", molvae.train(few, base=shipped.file_of(shipped.DEFAULT), **how), judges)


def show(name: str, model: molvae.MolVAE, judges: list[str]) -> None:
    """Print how the judges come back from a model, and what it writes."""
    encodings = model.encode(judges)
    drawn = encodings.sample(0)
    shares = [
        np.mean([one.smiles == given for one, given in zip(back, judges, strict=True)])
        for back in (model.codec.decode(encodings.mean), model.codec.decode(drawn))
    ]
    nats = np.nanmean(model.codec.distortion(encodings, drawn))
    strict = [one.smiles for one in written_alone(model.codec, STRINGS) if one.strict]
    novel = np.mean([one not in model.checkpoint.known for one in strict]) if strict else np.nan
    print(
        f"{name:12} {shares[0]:7.1%} {shares[1]:7.1%} {nats:10.2f} "
        f"{len(strict) / STRINGS:7.1%} {novel:7.1%}  ({encodings.usable.mean():.1%} encoded)",
        flush=True,
    )


if __name__ == "__main__":
    main()
