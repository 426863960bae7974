"""Molecules in a row: how far each is from the next, and where to put them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from molvae.chem.fingerprints import all_similarities, similarities, tanimoto

NEARLY = 0.9
"""The share of the way between two compounds that makes one step too long to call it a path."""

SHARPNESS = 12
"""The power of a jump that a smooth way pays for: so high that the largest jumps count most."""


class Way:
    """Molecules one after the other, from a start to an end.

    Args:
        smiles: Both ends included.

    Attributes:
        smiles: The same without repetitions of the one before.
        jumps: 1 - Tanimoto between consecutive ones, 0 to 1.

    >>> Way(["CCO", "CCO", "CCN"]).objection()
    'There is no path from CCO to CCN: nothing lies between but themselves.'
    """

    def __init__(self, smiles: Sequence[str]) -> None:
        before = ["", *smiles]
        self.smiles = [one for one, last in zip(smiles, before, strict=False) if one != last]
        pairs = zip(self.smiles[:-1], self.smiles[1:], strict=True)
        self.jumps = [1 - tanimoto(one, other) for one, other in pairs]

    @property
    def largest_jump(self) -> float:
        """The largest 1 - Tanimoto between consecutive molecules; 0 where there is only one."""
        return max(self.jumps, default=0.0)

    def objection(self) -> str:
        """Why this is no path: nothing between, or one jump covers nearly all; else empty."""
        start, end = self.smiles[0], self.smiles[-1]
        whole = 1 - tanimoto(start, end)
        if set(self.smiles) <= {start, end}:
            return f"There is no path from {start} to {end}: nothing lies between but themselves."
        if not whole or self.largest_jump < NEARLY * whole:
            return ""
        place = self.jumps.index(self.largest_jump)
        return (
            f"There is no path from {start} to {end}: one jump, from {self.smiles[place]} to "
            f"{self.smiles[place + 1]}, covers {self.largest_jump:.2f} (1 - Tanimoto), and "
            f"all of the way is {whole:.2f}."
        )


def placed(smiles: Sequence[str], start: str, end: str, count: int) -> list[int]:
    """Choose molecules of a fine path so that similarity changes evenly along it.

    Similarity to the start minus similarity to the end is to fall in equal steps. The choice with
    the least squared error that keeps the order is found by dynamic programming.

    Args:
        smiles: The molecules between, in order.
        start: Where the path begins.
        end: Where it ends.
        count: How many places to fill; a molecule may fill several.

    Returns:
        Their places, never falling.

    >>> placed(["CCCCCO", "CCCCCO", "CCCCO", "CCCO", "CCO"], "CCCCCO", "CO", 1)
    [4]
    """
    if not smiles:
        return []
    nearer = np.array(similarities(start, smiles)) - np.array(similarities(end, smiles))
    whole = 1 - tanimoto(start, end)
    wanted = np.linspace(whole, -whole, count + 2)[1:-1]
    errors = np.square(nearer - wanted[:, None])  # (count, N)
    least = errors[:1]  # of all choices that end at a molecule, a row for each place filled
    for row in errors[1:]:
        least = np.vstack([least, row + np.minimum.accumulate(least[-1])])
    places = [int(least[-1].argmin())]
    for row in least[-2::-1]:
        places.append(int(row[: places[-1] + 1].argmin()))
    return places[::-1]


def smoothest(smiles: Sequence[str], start: str, end: str, count: int) -> list[int]:
    """Choose molecules of many along a path so that the jumps of the way are small.

    The sum of the jumps (1 - Tanimoto), each to the power of `SHARPNESS`, is the least of all
    choices that keep the order, found by dynamic programming.

    Args:
        smiles: The molecules between, in order.
        start: Where the path begins.
        end: Where it ends.
        count: How many to choose, at most.

    Returns:
        Their places, rising.

    >>> smoothest(["CCCCCN", "CCCCO", "c1ccccc1", "CCCO"], "CCCCCO", "CCO", 2)
    [1, 3]
    """
    names = [start, *smiles, end]
    costs = (1 - all_similarities(names)) ** SHARPNESS
    costs[np.tri(len(names), dtype=bool)] = np.inf  # no way back
    least, before = costs[0], []
    totals = [least[-1]]
    for _ in range(min(count, len(smiles))):
        through = least[:, None] + costs
        before.append(through.argmin(axis=0))
        least = np.take_along_axis(through, before[-1][None], axis=0)[0]
        totals.append(least[-1])
    place, places = len(names) - 1, []
    for row in before[: int(np.argmin(totals))][::-1]:
        place = int(row[place])
        places.append(place - 1)
    return places[::-1]
