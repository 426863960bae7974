"""Molecules at a wanted similarity of a compound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.drawing import draw_grid
from molvae.chem.identity import KnownMolecules
from molvae.chem.likeness import Likeness
from molvae.chem.molecules import parse
from molvae.chem.properties import USUAL, compute
from molvae.chem.strings import Decoded
from molvae.codec import Codec
from molvae.errors import SettingsError
from molvae.latent.compounds import encoded
from molvae.latent.exploration import Draw, Exploration, LevelCount, Sought, Tally

NOISES = tuple(round(0.1 * step, 1) for step in range(11))
TEMPERATURES = (0.5, 1.0)

LEVELS = tuple((noise, temperature) for temperature in TEMPERATURES for noise in NOISES)
"""Noise and temperature of each level of the dial, from near copies to free molecules."""

LEAST_BUDGET, PATIENCE = 2_000, 20
"""Strings that may be drawn around a compound: so many, or so many for each molecule asked for."""

SHOWN = 19
"""Neighbours that a picture shows behind each compound."""

_COLUMNS = (
    *("query", "smiles", "similarity", "noise", "temperature"),
    *USUAL,
    *("novel", "strict", "seed"),
)


@dataclass(frozen=True)
class Neighborhood:
    """What lies around compounds.

    Attributes:
        compounds: The compounds as the model sees them, canonical SMILES.
        table: A row for each neighbour, the most similar ones of a compound first: ``query`` (the
            compound as it was given), ``smiles``, ``similarity``, the ``noise`` and ``temperature``
            that it was drawn at first, the usual properties, ``novel``, ``strict``, ``seed``.
        levels: A row for each compound and level of the dial: ``query``, ``noise``,
            ``temperature``, ``decodes``, ``in_range``, ``distinct`` (taken at this level first),
            ``similarity`` (the mean of all its usable molecules).
        tallies: What became of the strings drawn, one a compound.
        notes: What a reader should know, such as a range that can't be reached.
    """

    compounds: list[str]
    table: pd.DataFrame
    levels: pd.DataFrame
    tallies: list[Tally]
    notes: list[str]

    def account(self) -> list[str]:
        """A line for each compound: what became of its strings, and where most was found."""
        lines = []
        for place, (compound, tally) in enumerate(zip(self.compounds, self.tallies, strict=True)):
            here = self.levels.iloc[place * len(LEVELS) : (place + 1) * len(LEVELS)]
            best = here.iloc[int(here["distinct"].to_numpy().argmax())]
            where = (
                f". Most at noise {best['noise']:g}, temperature {best['temperature']:g}: "
                f"{best['decodes']:,} decodes, {best['in_range']:,} in the range, "
                f"{best['distinct']:,} of them new"
            )
            lines.append(f"{compound}: {tally}{where if tally.taken else ''}")
        return lines

    def draw(self, target: Path) -> None:
        """Draw each compound and its most similar neighbours in a grid, in SVG or PNG."""
        smiles, legends, first = [], [], 0
        for compound, tally in zip(self.compounds, self.tallies, strict=True):
            rows = self.table.iloc[first : first + min(tally.taken, SHOWN)]
            smiles += [compound, *rows["smiles"]]
            legends += ["given", *(f"Tanimoto {one:.2f}" for one in rows["similarity"])]
            first += tally.taken
        draw_grid(smiles, legends, target)


def neighbors(
    codec: Codec,
    compounds: Sequence[str],
    known: KnownMolecules,
    sought: Sought,
    *,
    count: int = 50,
    budget: int | None = None,
    flat: bool = False,
    seed: int = 0,
    on_taken: Callable[[], object] = lambda: None,
) -> Neighborhood:
    """Find molecules at a wanted similarity of each compound.

    The posterior mean of the compound is made noisy and decoded. How much noise, and which
    temperature, gives the wanted similarity differs from compound to compound: the first
    strings are drawn at all levels evenly, the others where they yield most that is new. What is
    found for a compound doesn't depend on the others.

    Args:
        codec: The model.
        compounds: SMILES.
        known: The training molecules.
        sought: Which molecules are taken.
        count: Neighbours asked for, of each compound.
        budget: Strings that may be drawn around each compound; by default 20 for each molecule
            asked for, 2,000 at least.
        flat: Take stereo, isotopes and neutralisable charges of the compounds away too, whatever
            the model's own standard keeps.
        seed: Of everything drawn.
        on_taken: Called for each molecule taken.

    Raises:
        MoleculeError: For a compound that the model can't encode, or that hasn't itself what is to
            be kept.
        SettingsError: Without a compound, or for a count, budget or seed out of range.
    """
    count, seed = checks.count("count", count), checks.seed(seed)
    budget = max(LEAST_BUDGET, PATIENCE * count) if budget is None else budget
    budget = checks.count("budget", budget)
    if not compounds:
        raise SettingsError("Neighbours of what? Name a compound or more.")
    encodings = encoded(codec, compounds, flat=flat)
    alike = [
        Likeness(
            smiles,
            fingerprint=sought.fingerprint,
            keep=sought.keep,
            keep_scaffold=sought.keep_scaffold,
        )
        for smiles in encodings.smiles
    ]
    back = [one.smiles for one in codec.decode(encodings.mean)]
    tables, levels, tallies, notes = [], [], [], []
    for query, likeness, mean, copy in zip(compounds, alike, encodings.mean, back, strict=True):
        explored = Exploration(likeness, sought, known, len(LEVELS), seed)
        explored.run(around(codec, mean, seed), count, budget, on_taken)
        tables += _rows(query, explored, seed)
        levels += [_level_row(query, *one) for one in zip(LEVELS, explored.counts, strict=True)]
        tallies.append(explored.tally)
        if explored.tally.taken < count:
            notes.append(_shortage(query, explored, sought, count, copy == likeness.smiles))
    return Neighborhood(
        encodings.smiles,
        pd.DataFrame(tables, columns=list(_COLUMNS)),
        pd.DataFrame(levels),
        tallies,
        notes,
    )


def around(codec: Codec, latent: np.ndarray, seed: int) -> Draw:
    """Draws around a latent, (D,), at levels of `LEVELS`."""
    noises, temperatures = np.array(LEVELS, dtype=np.float32).T

    def draw(levels: np.ndarray, turn: int) -> list[Decoded]:
        drawn: dict[int, Decoded] = {}
        for part, temperature in enumerate(TEMPERATURES):
            (places,) = np.nonzero(temperatures[levels] == np.float32(temperature))
            if not len(places):
                continue
            decoded = codec.decode(
                np.repeat(latent[None], len(places), axis=0),
                temperature=temperature,
                noise=noises[levels[places]],
                seed=seed,
                first_block=turn * len(TEMPERATURES) + part,
            )
            drawn |= zip(places.tolist(), decoded, strict=True)
        return [drawn[place] for place in range(len(levels))]

    return draw


def _rows(query: str, explored: Exploration, seed: int) -> list[dict[str, Any]]:
    """The rows of one compound, the most similar first."""
    found = sorted(explored.found.items(), key=lambda pair: (-pair[1].similarity, pair[0]))
    return [
        {
            "query": query,
            "smiles": smiles,
            "similarity": one.similarity,
            "noise": LEVELS[one.level][0],
            "temperature": LEVELS[one.level][1],
            **compute(parse(smiles)),
            "novel": one.novel,
            "strict": one.strict,
            "seed": seed,
        }
        for smiles, one in found
    ]


def _level_row(query: str, level: tuple[float, float], count: LevelCount) -> dict[str, Any]:
    return {
        "query": query,
        "noise": level[0],
        "temperature": level[1],
        "decodes": count.drawn,
        "in_range": count.in_range,
        "distinct": count.taken,
        "similarity": count.mean_similarity,
    }


def _shortage(
    query: str, explored: Exploration, sought: Sought, count: int, reconstructed: bool
) -> str:
    """Why fewer were found than were asked for."""
    tally = explored.tally
    if tally.in_range:
        refused = tally.lacking + tally.known + tally.filtered
        return (
            f"{query}: only {tally.taken:,} of {count:,} neighbours were found; of {tally.drawn:,} "
            f"decodes {tally.in_range:,} fell in {sought.range}, {refused:,} of which were refused."
            " A larger budget, a wider range or fewer conditions find more."
        )
    nearest = explored.nearest
    reached = "no usable molecule" if nearest is None else f"a similarity of {nearest:.2f}"
    does = "reconstructs" if reconstructed else "doesn't reconstruct"
    return (
        f"{query}: no decode of {tally.drawn:,} fell in {sought.range}; the nearest reached was "
        f"{reached}; the model {does} the compound."
    )
