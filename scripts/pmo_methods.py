"""Methods that search for molecules within the budget of PMO. A new one is a line in `METHODS`."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from make_moses_data import DATA
from pmo_account import Counted

from molvae import checkpoint as checkpoints
from molvae.chem.strings import Decoded
from molvae.codec import NetworkCodec
from molvae.guidance.evolution import evolution
from molvae.guidance.moves import KINDS, OF_MODEL, ask_model
from molvae.guidance.search import STALL
from molvae.guidance.tuning import Tuning

Method = Callable[[Counted, int, str], None]
"""Asks the oracle for scores until `Exhausted` is raised; all that is random depends on the seed.
It knows the molecules of ZINC250k beforehand, and no label: by a model, whose path stands last, or
by themselves."""

STARTING, POPULATION, OFFSPRING = 100, 500, 5


@cache
def zinc() -> np.ndarray:
    """The canonical SMILES of ZINC250k, (N,) str, which `make_zinc_data.py` writes."""
    return pd.read_csv(DATA / "full" / "zinc250k.csv.gz")["smiles"].to_numpy(dtype=str)


def shuffled(seed: int) -> list[str]:
    """ZINC250k in a random order."""
    order = np.random.default_rng(seed).permutation(len(zinc()))
    found: list[str] = zinc()[order].tolist()
    return found


def screening(oracle: Counted, seed: int, model: str) -> None:
    """ZINC250k in a random order."""
    for smiles in shuffled(seed):
        oracle(smiles)


def genetic(oracle: Counted, seed: int, model: str) -> None:
    """`mol_ga.default_ga` (Tripp and Hernández-Lobato, 2023, arXiv:2310.09267).

    Its crossover and mutation of graphs, from random molecules of ZINC250k; the number of those, of
    the population and of the offspring are what the authors of Genetic GFN run it with.
    """
    from mol_ga import default_ga
    from mol_ga.sample_population import uniform_quantile_sampling

    def score(batch: list[str]) -> list[float]:
        # mol-ga keeps molecules in sets: the order of one depends on the process, that of the calls
        # mustn't.
        scores = {smiles: oracle(smiles) for smiles in sorted(batch)}
        return [scores[smiles] for smiles in batch]

    def sample(
        population: list[tuple[float, str]], count: int, generator: random.Random
    ) -> list[str]:
        sampled: list[str] = uniform_quantile_sampling(sorted(population), count, generator)
        return sampled

    start = shuffled(seed)[:STARTING]
    for smiles in start:
        oracle(smiles)
    default_ga(
        start,
        score,
        max_generations=2 * oracle.budget,
        offspring_size=OFFSPRING,
        population_sampling_function=sample,
        population_size=POPULATION,
        rng=random.Random(seed),
    )


class Shuffled:
    """A codec that shuffles latents before decoding: each dimension, across the rows.

    Each dimension stays distributed as it was, and nothing of what belongs together in a latent is
    left. Shuffling whole rows would change nothing: a search doesn't ask which latent a molecule
    came from. What is decoded at temperature 0, to see whether it comes back, isn't shuffled.
    """

    def __init__(self, codec: NetworkCodec, seed: int) -> None:
        self._codec, self._random = codec, np.random.default_rng(seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codec, name)

    def decode(
        self, latents: np.ndarray, *, temperature: float = 0.0, **settings: Any
    ) -> list[Decoded]:
        """Decode latents, (N, D), after shuffling."""
        if temperature:
            latents = self._random.permuted(latents, axis=0)
        return self._codec.decode(latents, temperature=temperature, **settings)


def bred(*kinds: str, screened: bool = True, shuffled_latents: bool = False) -> Method:
    """An evolutionary search of molvae by some kinds of move, from random molecules of ZINC250k.

    The model learns from what is found, where a move is of the model. Stereo and charges are left
    out, which the oracles hardly look at. `all` is what ``molvae optimize --flatten --start-from``
    does with a table of ZINC250k.

    Args:
        kinds: Of move.
        screened: Whether a surrogate chooses among proposals, by what was scored so far, and
            moves go ahead by it.
        shuffled_latents: Whether the moves decode shuffled latents.
    """

    def search(oracle: Counted, seed: int, model: str) -> None:
        checkpoint = checkpoints.load(model)
        learns = ask_model(kinds)
        tuning = Tuning(checkpoint, workers=1, flat=True, seed=seed) if learns else None
        codec = tuning.codec if tuning else NetworkCodec(checkpoint, workers=1, flat=True)
        start = dict.fromkeys(codec.form(shuffled(seed)[:STARTING]))
        found = [(smiles, oracle(smiles)) for smiles in start]
        evolving = evolution(
            Shuffled(codec, seed) if shuffled_latents else codec,
            found,
            takes=lambda one: one.strict,
            kinds=kinds,
            adaptation=tuning,
            screened=screened,
            seed=seed,
        )
        barren = 0
        while barren < STALL:
            asked = evolving.ask()
            evolving.tell([oracle(one.smiles) for one in asked])
            barren = 0 if asked else barren + 1

    return search


METHODS: dict[str, Method] = {
    "random": screening,
    "mol-ga": genetic,
    "latent": bred(*OF_MODEL),
    "latent-shuffled": bred(*OF_MODEL, shuffled_latents=True),
    "samples": bred("samples"),
    "graphs": bred("graphs"),
    "all": bred(*KINDS),
    "all-unscreened": bred(*KINDS, screened=False),
}
"""Name to method; the names are also values of ``--methods``."""
