"""How far a search has come, evaluation by evaluation."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

from molvae.chem.fragments import scaffold_of

TOP = 10
"""Molecules whose mean score tells how good a search is, beside that of the best."""


@dataclass(frozen=True)
class Standing:
    """How far a search has come.

    Attributes:
        evaluations: Molecules evaluated.
        best: The best score; NaN before there is one.
        top10: The mean of the ten best scores, or of those there are; NaN before there is one.
        scaffolds: Distinct Murcko scaffolds (doi:10.1021/jm9602928) of the molecules evaluated.
    """

    evaluations: int
    best: float
    top10: float
    scaffolds: int


class Account:
    """Counts molecules as they are evaluated."""

    def __init__(self) -> None:
        self._evaluations, self._top = 0, list[float]()
        self._scaffolds = set[str]()

    def add(self, smiles: str, score: float) -> None:
        """Count a molecule, canonical; a score that isn't finite is none."""
        self._evaluations += 1
        scaffold = scaffold_of(smiles)
        if scaffold:
            self._scaffolds.add(scaffold)
        if math.isfinite(score):
            heapq.heappush(self._top, score)
            if len(self._top) > TOP:
                heapq.heappop(self._top)

    @property
    def standing(self) -> Standing:
        """Of all that were counted."""
        best = max(self._top, default=math.nan)
        top10 = sum(sorted(self._top)) / len(self._top) if self._top else math.nan
        return Standing(self._evaluations, best, top10, len(self._scaffolds))
