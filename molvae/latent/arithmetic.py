"""Sums and means of molecules in the latent space."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.drawing import draw_grid
from molvae.chem.fingerprints import mean_similarities
from molvae.chem.identity import KnownMolecules
from molvae.chem.molecules import parse
from molvae.chem.properties import USUAL, compute
from molvae.chem.strings import Decoded
from molvae.codec import BLOCK, Codec
from molvae.errors import MoleculeError, SettingsError
from molvae.latent.compounds import encoded

NOISE = 0.2
"""How noisy a point is made by default before more molecules are decoded from it."""

ENOUGH, PATIENCE = 1024, 50
"""Draws after which drawing gives up, and further ones for each molecule asked for."""

Terms = Mapping[str, float] | Iterable[str | tuple[str, float]]
"""SMILES and their weights; of SMILES alone the mean."""


@dataclass(frozen=True)
class Combination:
    """Molecules at a point of the latent space that was reckoned from others.

    Attributes:
        table: ``smiles``: first what the point itself decodes to greedily, then what was drawn
            around it; ``similarity_1``, ``similarity_2`` ... to each term (Tanimoto, Morgan 2)
            and ``similarity_set``, the mean of those to the molecules of a set; the usual
            properties; ``density`` (log p(z) under the model's prior, in nats, at the posterior
            mean of the molecule itself), ``novel``, ``strict``, ``noise``, ``temperature`` and
            ``seed``.
        latent: The point, (D,) float32.
        density: Log p(z) of the point, in nats.
        notes: What a reader should know.
    """

    table: pd.DataFrame
    latent: np.ndarray
    density: float
    notes: list[str]

    def draw(self, target: Path) -> None:
        """Draw the first 20 molecules in a grid, in SVG or PNG by the suffix."""
        shown = self.table.head(20)
        columns = [one for one in self.table.columns if one.startswith("similarity_")][:4]
        legends = [
            "Tanimoto " + " | ".join(f"{one:.2f}" for one in row)
            for row in shown[columns].itertuples(index=False)
        ]
        draw_grid(shown["smiles"].tolist(), legends, target)


def weighted(terms: Terms) -> list[tuple[str, float]]:
    """Terms as pairs of a SMILES and its weight.

    >>> weighted({"CCO": 1, "CCN": -1})
    [('CCO', 1.0), ('CCN', -1.0)]
    >>> weighted(["CCO", "CCN"])
    [('CCO', 0.5), ('CCN', 0.5)]

    Raises:
        SettingsError: For a weight that is no number, or SMILES with and without weights together.
    """
    if isinstance(terms, str):
        return [(terms, 1.0)]
    given: list[Any] = list(terms.items() if isinstance(terms, Mapping) else terms)
    if all(isinstance(one, str) for one in given):
        return [(one, 1 / len(given)) for one in given]
    if any(isinstance(one, str) for one in given):
        raise SettingsError("Some terms have a weight and some have none. Give each one.")
    try:
        pairs = [(str(smiles), float(weight)) for smiles, weight in given]
    except (TypeError, ValueError):
        raise SettingsError("A term is a SMILES, or a SMILES and its weight.") from None
    for smiles, weight in pairs:
        checks.require(math.isfinite(weight), f"The weight of {smiles} is no number: {weight}.")
    return pairs


def combine(
    codec: Codec,
    terms: Terms,
    known: KnownMolecules,
    *,
    members: Sequence[str] = (),
    count: int = 9,
    noise: float = NOISE,
    temperature: float = 1.0,
    flat: bool = False,
    strict: bool = True,
    seed: int = 0,
) -> Combination:
    """Decode a weighted sum of molecules (of their posterior means), and draw more around it.

    Args:
        codec: The model.
        terms: SMILES and their weights, such as a - b + c.
        known: The training molecules.
        members: A set whose mean is added to the sum; what can't be encoded is left out of it.
        count: Further distinct molecules to draw around the point; 0 for none.
        noise: How noisy the point is made for these: 0 not at all, 1 nothing of it is left.
        temperature: Of the decoder for these; 0 takes the likeliest token each time.
        flat: Take stereo, isotopes and neutralisable charges of the molecules away too, whatever
            the model's own standard keeps.
        strict: Leave out what SELFIES had to repair.
        seed: Of the draws.

    Raises:
        MoleculeError: For a term that the model can't encode, or a set of which it can't any.
        SettingsError: Without a term or a set, or for a number out of range.
    """
    checks.require(checks.whole("count", count) >= 0, f"count is 0 or more, not {count}.")
    draws = _Draws(checks.level(noise), checks.temperature(temperature), checks.seed(seed))
    place = _added(codec, weighted(terms), members, flat)
    notes = list(place.notes)
    (own,) = codec.decode(place.latent[None])
    rows = [own] if own.suits(strict) else []
    if not rows:
        why = "a string that needed repair: left out" if own.smiles else "nothing"
        notes.append(f"The point itself decodes to {why}.")
    drawn = draws.around(codec, place.latent, count, {one.smiles for one in rows}, strict=strict)
    if len(drawn) < count:
        notes.append(
            f"Only {len(drawn)} of {count} molecules were found around it. "
            "More noise or a higher temperature finds more."
        )
    table = _table(codec, rows, draws.of_the_point(), place, known)
    others = _table(codec, drawn, draws, place, known)
    whole = pd.concat([one for one in (table, others) if len(one)] or [table], ignore_index=True)
    (density,) = codec.log_density(place.latent[None])
    return Combination(whole, place.latent, float(density), notes)


@dataclass(frozen=True)
class _Place:
    """A point and what it was reckoned from.

    Attributes:
        latent: (D,) float32.
        compared: By the name of a column: the molecules that its similarities are to.
        notes: What was left out or looks odd.
    """

    latent: np.ndarray
    compared: dict[str, list[str]]
    notes: list[str]


@dataclass(frozen=True)
class _Draws:
    """How molecules are drawn around a point."""

    noise: float
    temperature: float
    seed: int

    def of_the_point(self) -> _Draws:
        """How the point itself is decoded."""
        return replace(self, noise=0.0, temperature=0.0)

    def around(
        self, codec: Codec, latent: np.ndarray, count: int, taken: set[str], *, strict: bool
    ) -> list[Decoded]:
        """Draw distinct molecules that aren't among the taken; fewer where there are no more."""
        found: list[Decoded] = []
        random = self.noise > 0 or self.temperature > 0
        for block in range(-(-(ENOUGH + PATIENCE * count) // BLOCK) if random else 0):
            if len(found) == count:
                break
            for one in codec.decode(
                np.tile(latent, (BLOCK, 1)),
                temperature=self.temperature,
                noise=self.noise,
                seed=self.seed,
                first_block=block,
            ):
                if one.suits(strict) and one.smiles not in taken and len(found) < count:
                    taken.add(one.smiles)
                    found.append(one)
        return found


def _added(
    codec: Codec, pairs: Sequence[tuple[str, float]], members: Sequence[str], flat: bool
) -> _Place:
    """The weighted sum of the terms and of the mean of a set."""
    checks.require(bool(pairs or len(members)), "There is nothing to combine. Name a molecule.")
    latent = np.zeros(codec.latent_dim)
    compared: dict[str, list[str]] = {}
    notes = []
    total = sum(weight for _, weight in pairs) + bool(len(members))
    if pairs:
        found = encoded(codec, [smiles for smiles, _ in pairs], flat=flat)
        for place, ((_, weight), mean) in enumerate(zip(pairs, found.mean, strict=True), start=1):
            latent += weight * mean.astype(np.float64)
            compared[f"similarity_{place}"] = [found.smiles[place - 1]]
    if len(members):
        inside = codec.encode(members, flat=flat)
        if not inside.usable.any():
            raise MoleculeError(
                f"None of the {len(members)} molecules of the set can be encoded; "
                f"the first, {members[0]}: {inside.reasons[0]}."
            )
        latent += inside.mean[inside.usable].mean(axis=0, dtype=np.float64)
        compared["similarity_set"] = [one for one in inside.smiles if one]
        if not inside.usable.all():
            refused = len(members) - inside.usable.sum()
            notes.append(f"{refused} of {len(members)} molecules of the set can't be encoded.")
    if abs(total - 1) > 1e-6:
        notes.append(
            f"The weights sum to {total:g}: the point need not lie where molecules do, as that of "
            "weights which sum to 1 does."
        )
    return _Place(latent.astype(np.float32), compared, notes)


def _table(
    codec: Codec, found: Sequence[Decoded], draws: _Draws, place: _Place, known: KnownMolecules
) -> pd.DataFrame:
    """A row for each molecule."""
    smiles = [one.smiles for one in found]
    alike = {name: mean_similarities(smiles, others) for name, others in place.compared.items()}
    properties = pd.DataFrame([compute(parse(one)) for one in smiles], columns=list(USUAL))
    return (
        pd.DataFrame({"smiles": smiles, **alike})
        .join(properties)
        .assign(
            density=codec.log_density(codec.encode(smiles).mean) if smiles else [],
            novel=[one not in known for one in smiles],
            strict=[one.strict for one in found],
            noise=draws.noise,
            temperature=draws.temperature,
            seed=draws.seed,
        )
    )
