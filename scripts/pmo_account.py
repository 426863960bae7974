"""The account of PMO (Gao et al., 2022, arXiv:2206.12411): what a call is, and the area."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import pairwise

from molvae.chem.molecules import canonical
from molvae.errors import MoleculeError

BUDGET = 10_000
"""Calls of the oracle that a method has."""

TOP, EVERY = 10, 100
"""The mean of so many best molecules is looked at after every so many calls."""


class Exhausted(Exception):  # noqa: N818  (nothing is wrong)
    """The budget is spent. A method lets it pass."""


class Counted:
    """An oracle that charges each distinct valid molecule once, and ends when the budget is spent.

    What is no molecule scores 0 and costs nothing, as in the benchmark; nor does a molecule that
    was scored before, in whatever spelling.

    Args:
        oracle: From a canonical SMILES to its score.
        budget: Molecules that may be scored.

    Attributes:
        found: Canonical SMILES to score, in the order of the calls.
    """

    def __init__(self, oracle: Callable[[str], float], budget: int = BUDGET) -> None:
        self._oracle = oracle
        self.budget = budget
        self.found: dict[str, float] = {}

    def __call__(self, smiles: str) -> float:
        """The score of a molecule.

        Raises:
            Exhausted: For a new molecule, when the budget is spent.
        """
        if smiles in self.found:
            return self.found[smiles]
        try:
            name = canonical(smiles)
        except MoleculeError:
            return 0.0
        if name not in self.found:
            if self.left <= 0:
                raise Exhausted(f"All {self.budget:,} calls are spent.")
            self.found[name] = self._oracle(name)
        return self.found[name]

    @property
    def left(self) -> int:
        """Calls left."""
        return self.budget - len(self.found)


def mean_of_best(scores: Sequence[float], top: int = TOP) -> float:
    """The mean of the highest scores, of fewer where there are fewer.

    Raises:
        ZeroDivisionError: Without any score.
    """
    best = heapq.nlargest(top, scores)
    return sum(best) / len(best)


def curve(scores: Sequence[float], top: int = TOP, every: int = EVERY) -> list[tuple[int, float]]:
    """How the mean of the best grows: (calls, mean) after every so many calls, and at the end.

    It begins with 0 before the first call. The scores are in the order of the calls.
    """
    ends = [*range(every, len(scores), every), len(scores)] if scores else []
    return [(0, 0.0), *((end, mean_of_best(scores[:end], top)) for end in ends)]


def area(
    scores: Sequence[float], budget: int = BUDGET, top: int = TOP, every: int = EVERY
) -> float:
    """The area under the curve over the budget, 0 to 1, by trapezoids.

    A run that ended early keeps its last value to the end of the budget.

    >>> area([1.0] * 100, budget=200)
    0.75
    """
    points = curve(scores, top, every)
    total = sum(
        (calls - before) * (mean + previous) / 2
        for (before, previous), (calls, mean) in pairwise(points)
    )
    calls, last = points[-1]
    return (total + (budget - calls) * last) / budget
