"""Paths between molecules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from molvae.chem.drawing import draw_grid
from molvae.chem.fingerprints import tanimoto
from molvae.chem.molecules import parse
from molvae.chem.properties import compute
from molvae.codec import Codec
from molvae.errors import SettingsError, nearest
from molvae.latent.compounds import encoded

Curve = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def lerp(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """The point on the straight line: (D,) and (D,) to (D,)."""
    return (1 - share) * start + share * end


def slerp(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """The point on the great arc (Shoemake, 1985, doi:10.1145/325165.325242), (D,).

    The direction turns evenly and the length changes evenly, so the path keeps to the
    shell on which a Gaussian prior has its mass.

    >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5).round(3)
    array([0.707, 0.707])
    """
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if min(lengths) < 1e-8:
        return lerp(start, end, share)
    one, other = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(one @ other, -1, 1))
    if np.sin(angle) < 1e-6:
        return lerp(start, end, share)
    direction = (np.sin((1 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle)
    point: np.ndarray = direction * ((1 - share) * lengths[0] + share * lengths[1])
    return point


CURVES: dict[str, Curve] = {"slerp": slerp, "lerp": lerp}
"""Name to curve; the names are also values of ``--path``."""


@dataclass(frozen=True)
class MoleculePath:
    """What lies between molecules.

    Attributes:
        table: A row for each distinct molecule along the path: ``smiles``, ``position`` (0 at
            the first compound, 1 at the next, and so on), ``points`` of the path that decode
            to it, ``given`` for the compounds themselves, ``strict``, ``similarity_start`` and
            ``similarity_end`` (Tanimoto, Morgan 2), the usual properties.
        notes: What a reader should know, such as an end that the model doesn't reconstruct.
    """

    table: pd.DataFrame
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
    flat: bool = False,
    strict: bool = True,
) -> MoleculePath:
    """Walk from compound to compound through the latent space, decoding greedily.

    Args:
        codec: The model.
        compounds: Two or more SMILES.
        steps: Points of each leg, both ends included.
        curve: A name in `CURVES`.
        flat: Take stereo, isotopes and neutralisable charges of the compounds away too, whatever
            the model's own standard keeps.
        strict: Leave out points whose string SELFIES had to repair; a note counts them.

    Raises:
        MoleculeError: For a compound that the model can't encode.
        SettingsError: For fewer than two compounds, too few steps or an unknown curve.
    """
    if len(compounds) < 2:
        raise SettingsError("A path needs two compounds or more.")
    if steps < 3:
        raise SettingsError(f"A path has 3 steps or more, not {steps}.")
    if curve not in CURVES:
        raise SettingsError(f"No path {curve!r}.{nearest(curve, CURVES)}")
    ends = encoded(codec, compounds, flat=flat)
    positions, points = [], []
    for leg in range(len(compounds) - 1):
        for step in range(1, steps - 1):
            share = step / (steps - 1)
            positions.append(leg + share)
            points.append(CURVES[curve](ends.mean[leg], ends.mean[leg + 1], share))
    decoded = codec.decode(np.concatenate([ends.mean, np.array(points)]))
    notes = [
        f"The model doesn't reconstruct {smiles}; it decodes to {back.smiles or 'nothing'}."
        for smiles, back in zip(ends.smiles, decoded, strict=False)
        if smiles != back.smiles
    ]
    between = [
        (position, one.smiles, False, one.strict)
        for position, one in zip(positions, decoded[len(compounds) :], strict=True)
        if one.smiles and (one.strict or not strict)
    ]
    if len(between) < len(positions):
        left_out = len(positions) - len(between)
        notes.append(f"{left_out} of {len(positions)} points between needed repair: left out.")
    stops = [(float(place), smiles, True, True) for place, smiles in enumerate(ends.smiles)]
    walked = stops + between
    table = _collapse(walked, ends.smiles)
    if table["given"].all():
        notes.append("There is nothing between these compounds but themselves.")
    return MoleculePath(table, notes)


def _collapse(walked: Sequence[tuple[float, str, bool, bool]], ends: Sequence[str]) -> pd.DataFrame:
    """A row for each distinct molecule, where it first occurs or where it was given."""
    points = pd.DataFrame(walked, columns=["position", "smiles", "given", "strict"])
    table = (
        points.sort_values(["given", "position"], ascending=[False, True])
        .groupby("smiles", sort=False, as_index=False)
        .agg(
            position=("position", "first"),
            points=("position", "size"),
            given=("given", "first"),
            strict=("strict", "first"),
        )
        .sort_values("position", ignore_index=True)
    )
    table["similarity_start"] = [tanimoto(one, ends[0]) for one in table["smiles"]]
    table["similarity_end"] = [tanimoto(one, ends[-1]) for one in table["smiles"]]
    return table.join(pd.DataFrame([compute(parse(one)) for one in table["smiles"]]))
