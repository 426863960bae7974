"""What latents of several sources decode to, and how much of that is the latent's.

    python scripts/make_moses_data.py molsets-0.3.1-py3-none-any.whl --full
    python scripts/bench_prior.py runs/moses
    python scripts/bench_prior.py runs/moses --test runs/moses/held_out.csv
    python scripts/bench_prior.py runs/moses --samples 30000 --sources flow ceiling
    python scripts/bench_prior.py moses --noise 0 0.2 0.4 -o points.csv

For a model trained on MOSES. Each row is so many strings at temperature 1 from latents of a source,
made noisy to a level: N(0, I), the priors fitted anew to 50,000 training molecules (a full
Gaussian, a mixture, a flow), the echo (posteriors of strings that the decoder writes by itself),
or the ceiling, draws of the posteriors of one half of the test set. At a noise of 1 nothing of the
latent is left, whatever the source. Told are

- FCD to the other half of the test set, of all strings' molecules and of the strict ones alone
  (redrawn until there are as many), less that of as many training molecules (the floor);
- exact: the share of test molecules that come back, as the same canonical SMILES, from one draw of
  their posterior that is made as noisy, decoded greedily;
- strict share, uniqueness and novelty of the molecules of the strict strings;
- hits: distinct molecules that are in the training set and in the whole test set, which stand 9 to
  1 when nothing is copied;
- agreement: the share of pairs among ten decodes of one latent, each with noise of its own, that
  are the same molecule;
- way back: encode(decode(z)) - z, in units of the posterior's deviation, the root mean square.

The files of MOSES aren't in random order: molecules are drawn from all of a file. With --test, the
molecules of a file that the model hasn't seen stand in for the test set: to choose by.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import pandas as pd
import torch

import molvae
from molvae.chem.identity import KnownMolecules
from molvae.chem.strings import Decoded
from molvae.codec import NetworkCodec
from molvae.health.neighborhood import same_pairs
from molvae.health.reconstruction import exact_share
from molvae.latent.generation import draw
from molvae.latent.sources import ECHO, Latents, around, prior_of
from molvae.metrics.basic import novelty, uniqueness
from molvae.metrics.chemnet import activations
from molvae.metrics.distribution import Moments, frechet_distance
from molvae.network.priors import Prior
from molvae.training.posteriors import Posteriors
from molvae.training.priors import candidates, fitted

DATA = Path(__file__).resolve().parent.parent / "data" / "full"
FITTED, JUDGES = 50_000, 2_000
"""Training molecules that priors are fitted to, and others that choose their weights."""

CEILING, NOTHING = "ceiling", "nothing"
LATENTS, DECODES = 200, 10
RECONSTRUCTED = 2_000


@dataclass(frozen=True)
class Row:
    """What latents of a source, at a noise, decode to; see the head of the file."""

    source: str
    noise: float
    exact: float
    fcd_all: float
    fcd_strict: float
    strict: float
    unique: float
    novel: float
    hits_train: int
    hits_test: int
    agreement: float
    way_back: float

    def __str__(self) -> str:
        return (
            f"{self.source:>9} noise {self.noise:.2f}: exact {self.exact:.1%}; FCD over the floor "
            f"{self.fcd_all:6.3f} all, {self.fcd_strict:6.3f} strict; strict {self.strict:.1%}, "
            f"unique {self.unique:.4f}, novel {self.novel:.4f}, hits {self.hits_train}:"
            f"{self.hits_test}; agreement {self.agreement:.3f}, way back {self.way_back:.2f}"
        )


def main() -> None:
    """Print a row for each source and level."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--test", type=Path, default=DATA / "moses_test.csv.gz")
    parser.add_argument("--sources", nargs="+", help="by default all")
    parser.add_argument("--noise", type=float, nargs="+", default=(0.0, 0.5, 0.8))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="a CSV of the rows")
    arguments = parser.parse_args()
    model = molvae.load(arguments.model)
    test = smiles_of(arguments.test)
    halves = test[: len(test) // 2], test[len(test) // 2 :]
    reference = Moments.of(activations(halves[1][: 2 * arguments.samples]))
    training = smiles_of(DATA / "moses_train.csv.gz", FITTED + JUDGES + arguments.samples)
    floor = distance(training[-arguments.samples :], reference)
    print(f"floor: FCD of {arguments.samples:,} training molecules {floor:.3f}")
    bench = Bench(model, halves[0], KnownMolecules.of(test), reference, floor, arguments.samples)
    rows = []
    for name, latents in sources(model, training, halves[0], arguments.sources):
        for noise in arguments.noise:
            rows.append(bench.row(name, latents, noise, arguments.seed))
            print(rows[-1], flush=True)
    if not arguments.sources:
        rows.append(bench.row(NOTHING, model.codec.draw, 1.0, arguments.seed))
        print(rows[-1])
    table = pd.DataFrame([asdict(row) for row in rows]).assign(floor=floor)
    if arguments.output:
        table.to_csv(arguments.output, index=False)


def smiles_of(path: Path, count: int | None = None) -> list[str]:
    """So many molecules of a file, or all, in random order."""
    table = pd.read_csv(path)["smiles"]
    return table.sample(n=count, frac=None if count else 1, random_state=0).tolist()


def sources(
    model: molvae.MolVAE, training: list[str], half: list[str], wanted: list[str] | None
) -> list[tuple[str, Latents]]:
    """Where latents come from, by name."""
    found: list[tuple[str, Latents]] = []
    encodings = model.encode(training[: FITTED + JUDGES])
    mean, deviation = (torch.from_numpy(one) for one in (encodings.mean, encodings.deviation))
    parts = [
        Posteriors(mean[rows], deviation[rows], mean[rows, :0])
        for rows in (slice(FITTED), slice(FITTED, None))
    ]
    for name, prior in candidates(parts[0], judged=True, seed=0).items():
        if wanted is None or name in wanted:
            fit = fitted(name, prior, parts[0], parts[1], seed=0)
            print(f"{name}: rate {fit.rate:.2f} nats on training molecules not fitted to")
            found.append((name, codec_with(model, prior).draw))
    if wanted is None or ECHO in wanted:
        found.append((ECHO, prior_of(ECHO, model.codec)))
    if wanted is None or CEILING in wanted:
        ceiling = model.encode(half[:FITTED])
        usable = ceiling.usable
        found.append((CEILING, around(ceiling.mean[usable], ceiling.deviation[usable])))
    return found


def codec_with(model: molvae.MolVAE, prior: Prior) -> NetworkCodec:
    """The codec of the model with another prior."""
    return NetworkCodec(replace(model.checkpoint, prior=prior.eval()), workers=model.workers)


def distance(smiles: list[str], reference: Moments) -> float:
    """FCD of molecules to the reference."""
    return frechet_distance(Moments.of(activations(smiles)), reference)


class Bench:
    """Measures what latents decode to.

    Args:
        model: The model.
        molecules: Of the test set, to reconstruct.
        test: The molecules of the whole test set.
        reference: What FCD is measured to.
        floor: FCD of as many training molecules.
        samples: Strings of a row.
    """

    def __init__(
        self,
        model: molvae.MolVAE,
        molecules: list[str],
        test: KnownMolecules,
        reference: Moments,
        floor: float,
        samples: int,
    ) -> None:
        self._model, self._test, self._reference = model, test, reference
        self._floor, self._samples = floor, samples
        self._given = model.encode(molecules[:RECONSTRUCTED])

    def row(self, name: str, latents: Latents, noise: float, seed: int) -> Row:
        """A row of the table."""
        drawn: list[Decoded] = []
        strict: list[str] = []
        stream = draw(
            self._model.codec,
            latents,
            temperature=1.0,
            noise=noise,
            seed=seed,
            strings_at_once=lambda: 4096,
        )
        for _, _, one in islice(stream, 20 * self._samples):
            drawn.append(one)
            strict += [one.smiles] if one.strict else []
            if len(drawn) >= self._samples and len(strict) >= self._samples:
                break
        share = sum(one.strict for one in drawn) / len(drawn)
        all_of_them = [one.smiles for one in drawn[: self._samples] if one.smiles]
        chosen, distinct = strict[: self._samples], set(strict[: self._samples])
        codec, known = self._model.codec, self._model.checkpoint.known
        agreement, way_back = self._of_the_latent(latents, noise)
        return Row(
            source=name,
            noise=noise,
            exact=exact_share(codec, self._given, self._given.sample(seed), noise=noise, seed=seed),
            fcd_all=distance(all_of_them, self._reference) - self._floor,
            fcd_strict=distance(chosen, self._reference) - self._floor,
            strict=share,
            unique=uniqueness(chosen),
            novel=novelty(chosen, known),
            hits_train=sum(one in known for one in distinct),
            hits_test=sum(one in self._test for one in distinct),
            agreement=agreement,
            way_back=way_back,
        )

    def _of_the_latent(self, latents: Latents, noise: float) -> tuple[float, float]:
        """How much of what is decoded is the latent's."""
        codec = self._model.codec
        repeated = np.repeat(latents(LATENTS, 1, 0), DECODES, axis=0)
        decoded = codec.decode(repeated, temperature=1.0, noise=noise, seed=3)
        names = [one.smiles for one in decoded]
        groups = [names[start : start + DECODES] for start in range(0, len(names), DECODES)]
        back = codec.encode(names)
        usable = back.usable
        away = (back.mean - repeated)[usable] / back.deviation[usable]
        agreement = float(np.mean([same_pairs(group) for group in groups]))
        return agreement, float(np.sqrt((away**2).mean()))


if __name__ == "__main__":
    main()
