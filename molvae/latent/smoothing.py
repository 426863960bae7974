"""Smooth paths: molecules drawn between two, and again wherever the largest step is left."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from molvae.chem.filters import objection
from molvae.chem.molecules import parse
from molvae.codec import Codec, Encodings
from molvae.latent.curves import Curve
from molvae.latent.ways import Way, smoothest

POINTS = 16
"""Points of a curve around which molecules are drawn at a time, its ends among them."""

NOISES = np.linspace(0.2, 0.8, 8)
"""How noisy each of these points is made, once each, before it is decoded."""

ROUNDS, MOST = 6, 24
"""How often molecules are drawn, unless otherwise asked for, and at most: what is paid for choosing
among them grows with the square of their number."""


def drawn(
    codec: Codec,
    points: np.ndarray,
    noises: np.ndarray,
    *,
    low: float = 0.0,
    high: float = 1.0,
    seed: int = 0,
    first_block: int = 0,
) -> pd.DataFrame:
    """What points of a path decode to, a row for each point and noise.

    Args:
        codec: The model.
        points: (S, D).
        noises: How noisy each is made, (K,).
        low: Between this position on the path and the next the rows are, each at one of its own.
        high: The next.
        seed: Of the noise.
        first_block: See `molvae.codec.NetworkCodec.decode`.

    Returns:
        ``position``, ``smiles``, ``strict``, ``noise``, ``density`` (of the point, in nats) and
        ``given``, which is False.
    """
    latents = points.astype(np.float32)
    count = len(noises)
    noise = np.tile(noises, len(latents))
    found = codec.decode(
        np.repeat(latents, count, axis=0), noise=noise, seed=seed, first_block=first_block
    )
    return pd.DataFrame(
        {
            "position": np.linspace(low, high, len(found) + 2)[1:-1],
            "smiles": [one.smiles for one in found],
            "strict": [one.strict for one in found],
            "noise": noise,
            "density": np.repeat(codec.log_density(latents), count),
            "given": False,
        }
    )


def usable(rows: pd.DataFrame, strict: bool, filters: Sequence[str]) -> pd.DataFrame:
    """Those rows of `drawn` that may be on a path.

    Args:
        rows: Some.
        strict: Leave out strings that SELFIES had to repair.
        filters: Leave out what these object to, names in `molvae.chem.filters.FILTERS`.
    """
    rows = rows[(rows["smiles"] != "") & (rows["strict"] | (not strict))]
    if not filters:
        return rows
    passing = {one: not objection(parse(one), filters) for one in set(rows["smiles"])}
    return rows[[passing[one] for one in rows["smiles"]]]


def smoothed(
    codec: Codec,
    ends: Encodings,
    curve: Curve,
    count: int,
    *,
    rounds: int,
    strict: bool,
    filters: Sequence[str],
    others: Collection[str],
    seed: int,
    leg: int,
) -> tuple[pd.DataFrame, int]:
    """Molecules between two, chosen so that the steps from one to the next are small.

    Between two latents the likeliest molecules hardly change, and then all at once. So molecules
    are drawn around points of the curve, made noisy; `molvae.latent.ways.smoothest` chooses among
    them; then others are drawn on the curve between the two that are furthest from each other, and
    so on.

    Args:
        codec: The model.
        ends: The two.
        curve: Between latents.
        count: How many to choose, at most.
        rounds: How often molecules are drawn.
        strict: See `usable`.
        filters: Likewise.
        others: Molecules that stand elsewhere on a longer path.
        seed: Of the noise.
        leg: Of a longer path, which has noise of its own.

    Returns:
        The rows chosen, in order, see `drawn`; and among how many molecules.
    """
    start, end = ends.smiles
    pool, chosen = pd.DataFrame(), pd.DataFrame()
    low, high = 0.0, 1.0
    for number in range(rounds):
        points = curve(codec, ends.mean[:1], ends.mean[1:], POINTS)[0]
        block = leg * rounds + number
        more = drawn(codec, points, NOISES, low=low, high=high, seed=seed, first_block=block)
        more = usable(more[~more["smiles"].isin({start, end, *others})], strict, filters)
        pool = pd.concat([pool, more]).drop_duplicates("smiles")
        pool = pool.sort_values("position", kind="stable", ignore_index=True)
        chosen = pool.iloc[smoothest(pool["smiles"].tolist(), start, end, count)]
        names, positions = [start, *chosen["smiles"], end], [0.0, *chosen["position"], 1.0]
        jumps = Way(names).jumps
        if not any(jumps):  # both ends are the same, but for stereo perhaps
            break
        largest = int(np.argmax(jumps))
        low, high = positions[largest : largest + 2]
        ends = codec.encode(names[largest : largest + 2])
        if not ends.usable.all():  # a repaired string may hold what the model doesn't know
            break
    return chosen, len(pool)
