"""Paths between molecules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.drawing import draw_grid
from molvae.chem.fingerprints import similarities
from molvae.chem.molecules import parse
from molvae.chem.properties import compute
from molvae.codec import Codec, Encodings
from molvae.errors import SettingsError, nearest
from molvae.latent.compounds import encoded
from molvae.latent.curves import CURVES
from molvae.latent.ways import Way, placed, smoothest

SMOOTH, LATENT, SIMILARITY = "smooth", "latent", "similarity"
SPACINGS = (SMOOTH, LATENT, SIMILARITY)
"""How molecules are placed along a path; the names are also values of ``--spacing``."""

FINE = 8
"""Points that are decoded for each one that is placed by similarity."""

POINTS = 32
"""Points of a curve around which molecules are drawn for a smooth path."""

NOISES = np.linspace(0.2, 0.8, 16)
"""How noisy each of these points is made, once each, before it is decoded."""


@dataclass(frozen=True)
class MoleculePath:
    """What lies between molecules.

    Attributes:
        table: A row for each distinct molecule along the path: ``smiles``, ``position`` (0 at
            the first compound, 1 at the next, and so on), ``points`` of the path that decode
            to it, ``given`` for the compounds themselves, ``strict``,
            ``noise`` that its first point was decoded with, ``density`` (log p(z) under the
            model's prior, in nats, at its first point; at the posterior mean of a compound),
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
            f"{'given' if given else f'{position:.2f}'}   Tanimoto {start:.2f} | {end:.2f}"
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
    flat: bool = False,
    strict: bool = True,
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
            drawn around `POINTS` of them, made as noisy as each of `NOISES`, and those are taken,
            in the order of the curve, that make the jumps from one to the next small.
        flat: Take stereo, isotopes and neutralisable charges of the compounds away too, whatever
            the model's own standard keeps.
        strict: Leave out points whose string SELFIES had to repair; a note counts them, except on
            a smooth path.
        seed: Of the noise.

    Raises:
        MoleculeError: For a compound that the model can't encode.
        SettingsError: For fewer than two compounds, too few steps, an unknown curve or spacing.
    """
    _check(compounds, steps, curve, spacing)
    ends = encoded(codec, compounds, flat=flat)
    back = codec.decode(ends.mean)
    notes = [
        f"The model doesn't reconstruct {smiles}; it decodes to {one.smiles or 'nothing'}."
        for smiles, one in zip(ends.smiles, back, strict=True)
        if smiles != one.smiles
    ]
    count = {LATENT: steps, SIMILARITY: FINE * (steps - 1) + 1, SMOOTH: POINTS + 2}[spacing]
    points = CURVES[curve](codec, ends.mean[:-1], ends.mean[1:], count)[:, 1:-1]
    walked = _decoded(codec, points, NOISES if spacing == SMOOTH else np.zeros(1), seed)
    usable = walked[(walked["smiles"] != "") & (walked["strict"] | (not strict))]
    if len(usable) < len(walked) and spacing != SMOOTH:
        left_out = len(walked) - len(usable)
        notes.append(
            f"{left_out} of {len(walked)} points between needed repair or hold nothing: left out."
        )
    legs, jumps = [], []
    for leg, (start, end) in enumerate(zip(ends.smiles[:-1], ends.smiles[1:], strict=True)):
        between = usable[usable["leg"] == leg]
        names = between["smiles"].tolist()
        if spacing == SIMILARITY:
            between = between.iloc[placed(names, start, end, steps - 2)]
        elif spacing == SMOOTH:
            between = between.iloc[smoothest(names, start, end, steps - 2)]
        way = Way([start, *between["smiles"], end])
        legs.append(between)
        jumps.append(way.largest_jump)
        notes += [note for note in [way.objection()] if note]
    return MoleculePath(_collapse(pd.concat([_stops(codec, ends), *legs]), ends), jumps, notes)


def _check(compounds: Sequence[str], steps: int, curve: str, spacing: str) -> None:
    if len(compounds) < 2:
        raise SettingsError("A path needs two compounds or more.")
    if checks.whole("steps", steps) < 3:
        raise SettingsError(f"A path has 3 steps or more, not {steps}.")
    if curve not in CURVES:
        raise SettingsError(f"No path {curve!r}.{nearest(curve, CURVES)}")
    if spacing not in SPACINGS:
        raise SettingsError(f"No spacing {spacing!r}.{nearest(spacing, SPACINGS)}")


def _decoded(codec: Codec, points: np.ndarray, noises: np.ndarray, seed: int) -> pd.DataFrame:
    """A row for each point between, (L, S, D), and noise, (K,)."""
    legs, count, width = points.shape
    latents = points.reshape(-1, width).astype(np.float32)
    density = codec.log_density(latents)
    noise = np.tile(noises, legs * count)
    found = codec.decode(np.repeat(latents, len(noises), axis=0), noise=noise, seed=seed)
    leg = np.repeat(np.arange(legs), count)
    share = np.tile(np.linspace(0, 1, count + 2)[1:-1], legs)
    return pd.DataFrame(
        {
            "leg": np.repeat(leg, len(noises)),
            "position": np.repeat(leg + share, len(noises)),
            "smiles": [one.smiles for one in found],
            "given": False,
            "strict": [one.strict for one in found],
            "noise": noise,
            "density": np.repeat(density, len(noises)),
        }
    )


def _stops(codec: Codec, ends: Encodings) -> pd.DataFrame:
    """A row for each compound that was given."""
    return pd.DataFrame(
        {
            "leg": np.arange(len(ends.smiles)),
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
        .sort_values("position", ignore_index=True)
    )
    names = table["smiles"].tolist()
    table["similarity_start"] = similarities(ends.smiles[0], names)
    table["similarity_end"] = similarities(ends.smiles[-1], names)
    return table.join(pd.DataFrame([compute(parse(one)) for one in names]))
