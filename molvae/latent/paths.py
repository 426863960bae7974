"""Paths between molecules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.drawing import draw_grid
from molvae.chem.filters import known_filter
from molvae.chem.fingerprints import similarities
from molvae.chem.molecules import parse
from molvae.chem.properties import compute
from molvae.codec import Codec, Encodings
from molvae.errors import SettingsError, nearest
from molvae.latent.compounds import encoded
from molvae.latent.curves import CURVES
from molvae.latent.smoothing import MOST, ROUNDS, drawn, smoothed, usable
from molvae.latent.ways import Way, placed

SMOOTH, LATENT, SIMILARITY = "smooth", "latent", "similarity"
SPACINGS = (SMOOTH, LATENT, SIMILARITY)
"""How molecules are placed along a path; the names are also values of ``--spacing``."""

FINE = 8
"""Points that are decoded for each one that is placed by similarity."""


@dataclass(frozen=True)
class MoleculePath:
    """What lies between molecules.

    Attributes:
        table: A row for each distinct molecule along the path: ``smiles``, ``position`` (0 at
            the first compound, 1 at the next, and so on; of molecules drawn around a point
            more or less), ``points`` of the path that decode to it, ``given`` for the compounds
            themselves, ``strict``, ``noise`` that its first point was decoded with, ``density``
            (log p(z) under the model's prior, in nats, at its first point; at the posterior mean
            of a compound),
            ``similarity_start`` and ``similarity_end`` (Tanimoto, Morgan 2), the usual properties.
        largest_jumps: Of each leg, the largest 1 - Tanimoto between consecutive molecules.
        notes: What a reader should know, such as an end that the model doesn't reconstruct, or
            that there is no path.
    """

    table: pd.DataFrame
    largest_jumps: list[float]
    notes: list[str]

    def draw(self, target: Path) -> None:
        """Draw the molecules in a grid, in SVG or PNG by the suffix."""
        legends = [
            f"{'given' if given else f'{position:.3g}'}   Tanimoto {start:.2f} | {end:.2f}"
            for given, position, start, end in zip(
                self.table["given"],
                self.table["position"],
                self.table["similarity_start"],
                self.table["similarity_end"],
                strict=True,
            )
        ]
        draw_grid(self.table["smiles"].tolist(), legends, target)


def interpolate(
    codec: Codec,
    compounds: Sequence[str],
    *,
    steps: int = 9,
    curve: str = "slerp",
    spacing: str = SMOOTH,
    rounds: int = ROUNDS,
    flat: bool = False,
    strict: bool = True,
    filters: Sequence[str] = (),
    seed: int = 0,
) -> MoleculePath:
    """Walk from compound to compound through the latent space, decoding greedily.

    Args:
        codec: The model.
        compounds: Two or more SMILES.
        steps: Points of each leg, both ends included; the most that a smooth one has.
        curve: A name in `CURVES`.
        spacing: A name in `SPACINGS`. At even distances of the curve (``latent``), or so that
            similarity to the start of the leg minus similarity to its end falls evenly
            (``similarity``), points are decoded as they are. For a ``smooth`` path molecules are
            drawn around them, and those taken that make the steps from one to the next small; see
            `molvae.latent.smoothing.smoothed`.
        rounds: How often molecules are drawn for a smooth path: first along all of it, then where
            its largest step is.
        flat: Take stereo, isotopes and neutralisable charges of the compounds away too, whatever
            the model's own standard keeps.
        strict: Leave out points whose string SELFIES had to repair; a note counts them, except on
            a smooth path.
        filters: Leave out molecules between that these object to, names in
            `molvae.chem.filters.FILTERS`.
        seed: Of the noise.

    Raises:
        MoleculeError: For a compound that the model can't encode.
        SettingsError: For fewer than two compounds, too few steps, or an unknown curve, spacing or
            filter.
    """
    _check(compounds, steps, curve, spacing)
    for name in filters:
        known_filter(name)
    rounds, seed = checks.count("rounds", rounds), checks.seed(seed)
    checks.require(rounds <= MOST, f"rounds is {MOST} or less, not {rounds}.")
    ends = encoded(codec, compounds, flat=flat)
    back = codec.decode(ends.mean)
    notes = [
        f"The model doesn't reconstruct {smiles}; it decodes to {one.smiles or 'nothing'}."
        for smiles, one in zip(ends.smiles, back, strict=True)
        if smiles != one.smiles
    ]
    walks, jumps = [_stops(codec, ends)], []
    walked_points, left_out = 0, 0
    for leg, (start, end) in enumerate(zip(ends.smiles[:-1], ends.smiles[1:], strict=True)):
        both = ends.taken(np.array([leg, leg + 1]))
        if spacing == SMOOTH:
            between, molecules = smoothed(
                codec,
                both,
                CURVES[curve],
                steps - 2,
                rounds=rounds,
                strict=strict,
                filters=filters,
                others={one for walk in walks for one in walk["smiles"]},
                seed=seed,
                leg=leg,
            )
            if not molecules and start != end:
                notes.append(f"Nothing drawn between {start} and {end} {_passes(strict, filters)}.")
        else:
            count = steps if spacing == LATENT else FINE * (steps - 1) + 1
            points = CURVES[curve](codec, both.mean[:1], both.mean[1:], count)[0, 1:-1]
            walked = drawn(codec, points, np.zeros(1))
            between = usable(walked, strict, filters)
            walked_points += len(walked)
            left_out += len(walked) - len(between)
            if spacing == SIMILARITY:
                between = between.iloc[placed(between["smiles"].tolist(), start, end, steps - 2)]
        way = Way([start, *between["smiles"], end])
        walks.append(between.assign(position=leg + between["position"]))
        jumps.append(way.largest_jump)
        notes += [note for note in [way.objection()] if note]
    if left_out:
        notes.append(
            f"{left_out} of {walked_points} points between hold nothing that "
            f"{_passes(strict, filters)}: left out."
        )
    return MoleculePath(_collapse(pd.concat(walks), ends), jumps, notes)


def _passes(strict: bool, filters: Sequence[str]) -> str:
    """What a molecule does that may be on a path."""
    conditions = ["needs no repair"] * strict + ["passes the filters"] * bool(filters)
    return " and ".join(conditions) or "is a molecule"


def _check(compounds: Sequence[str], steps: int, curve: str, spacing: str) -> None:
    if len(compounds) < 2:
        raise SettingsError("A path needs two compounds or more.")
    if checks.whole("steps", steps) < 3:
        raise SettingsError(f"A path has 3 steps or more, not {steps}.")
    if curve not in CURVES:
        raise SettingsError(f"No path {curve!r}.{nearest(curve, CURVES)}")
    if spacing not in SPACINGS:
        raise SettingsError(f"No spacing {spacing!r}.{nearest(spacing, SPACINGS)}")


def _stops(codec: Codec, ends: Encodings) -> pd.DataFrame:
    """A row for each compound that was given."""
    return pd.DataFrame(
        {
            "position": np.arange(len(ends.smiles), dtype=float),
            "smiles": ends.smiles,
            "given": True,
            "strict": True,
            "noise": 0.0,
            "density": codec.log_density(ends.mean),
        }
    )


def _collapse(walked: pd.DataFrame, ends: Encodings) -> pd.DataFrame:
    """A row for each distinct molecule, where it first occurs or where it was given."""
    table = (
        walked.sort_values(["given", "position"], ascending=[False, True])
        .groupby("smiles", sort=False, as_index=False)
        .agg(
            position=("position", "first"),
            points=("position", "size"),
            given=("given", "first"),
            strict=("strict", "first"),
            noise=("noise", "first"),
            density=("density", "first"),
        )
        .sort_values("position", kind="stable", ignore_index=True)
    )
    names = table["smiles"].tolist()
    table["similarity_start"] = similarities(ends.smiles[0], names)
    table["similarity_end"] = similarities(ends.smiles[-1], names)
    return table.join(pd.DataFrame([compute(parse(one)) for one in names]))
