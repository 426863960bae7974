"""How smooth a latent space is: whether molecules that lie near each other are alike.

    python scripts/bench_latent.py runs/moses

Prints, for pairs of held-out molecules of MOSES, the rank correlation (Spearman) of the distance of
their latents with their Tanimoto distance (Morgan, radius 2), and how alike the pairs are by the
tenth of the distances that they are in. Pairs drawn at random are nearly all unlike, so the nearest
ones, as many again, stand beside them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

import molvae
from molvae.metrics.description import fingerprints_of
from molvae.metrics.similarity import paired

TEST = Path(__file__).resolve().parent.parent / "data" / "full" / "moses_test.csv.gz"
AT_A_TIME = 10_000


def main() -> None:
    """Print the correlations and the tenths."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=TEST, help="A table of molecules.")
    parser.add_argument("--molecules", type=int, default=5_000)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    generator = np.random.default_rng(asked.seed)
    smiles = generator.permutation(pd.read_csv(asked.data)["smiles"].to_numpy())[: asked.molecules]
    model = molvae.load(asked.model)
    encodings = model.encode(smiles.tolist(), flat=True)
    encodings = encodings.taken(np.flatnonzero(encodings.usable))
    fingerprints = fingerprints_of(encodings.smiles)
    count = len(encodings.smiles)
    random = different(generator.integers(count, size=(asked.pairs, 2)))
    near = nearest_pairs(encodings.mean, -(-asked.pairs // count))[: asked.pairs]
    for name, pairs in (("random pairs", random), ("nearest pairs", near)):
        show(name, encodings.mean, fingerprints, pairs)


def different(pairs: np.ndarray) -> np.ndarray:
    """Those pairs, (N, 2), that are of two molecules."""
    return pairs[pairs[:, 0] != pairs[:, 1]]


def nearest_pairs(latents: np.ndarray, count: int) -> np.ndarray:
    """Each molecule with the nearest others, so many of them: (N * count, 2)."""
    count = min(count, len(latents) - 1)
    halves = 0.5 * (latents**2).sum(axis=1)
    others = []
    for start in range(0, len(latents), 1_000):
        closeness = latents[start : start + 1_000] @ latents.T - halves
        rows = np.arange(len(closeness))
        closeness[rows, start + rows] = -np.inf
        others.append(np.argpartition(-closeness, count - 1, axis=1)[:, :count])
    joined = np.concatenate(others)
    return np.stack([np.repeat(np.arange(len(latents)), count), joined.ravel()], axis=1)


def show(name: str, latents: np.ndarray, fingerprints: np.ndarray, pairs: np.ndarray) -> None:
    """Print the correlation of some pairs, (N, 2), and their similarity by tenths."""
    parts = [pairs[start : start + AT_A_TIME].T for start in range(0, len(pairs), AT_A_TIME)]
    distance = np.concatenate(
        [np.linalg.norm(latents[one] - latents[other], axis=1) for one, other in parts]
    )
    similarity = np.concatenate(
        [paired(fingerprints[one], fingerprints[other]) for one, other in parts]
    )
    correlation = spearmanr(distance, 1 - similarity).statistic
    print(f"{name}: {len(pairs):,}, Spearman of latent and Tanimoto distance {correlation:.3f}")
    tenths = pd.qcut(distance, 10, duplicates="drop")
    table = pd.DataFrame({"distance": distance, "similarity": similarity})
    means = table.groupby(tenths, observed=True).mean()
    print(means.to_string(index=False, float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
