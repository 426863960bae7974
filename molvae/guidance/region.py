"""Where a search is: among all that it found, or away from what it left behind."""

from __future__ import annotations

from collections.abc import Iterable

from molvae.chem.fingerprints import similarities
from molvae.guidance.archive import Archive


class Region:
    """What a search has found, and the part of it that it goes on from.

    Args:
        found: Molecules and their scores to begin with.

    Attributes:
        everything: All that was found.
        here: What the search goes on from; scaffolds share the weight of parents.
    """

    LEFT, NEAR = 10, 0.4
    """How many of the best are left behind, and from which similarity on others with them."""

    def __init__(self, found: Iterable[tuple[str, float]]) -> None:
        self.everything = Archive(found)
        self.here = Archive(self.everything.scored(), scaffolds_share=True)
        self._left = list[str]()
        self._best_mean = self.here.mean_of_best()

    def holds(self, smiles: str) -> bool:
        """Whether a molecule is unlike all that were left behind."""
        left = self._left  # mostly none, and then no fingerprint is looked at
        return not left or max(similarities(smiles, left)) < self.NEAR

    def add(self, smiles: str, score: float) -> int:
        """Add a molecule; its rank here, from 0, or -1: known, without a score, or elsewhere."""
        self.everything.add(smiles, score)
        return self.here.add(smiles, score) if self.holds(smiles) else -1

    def gained(self) -> bool:
        """Whether the ten best here are better than the last time that this was asked."""
        mean, before = self.here.mean_of_best(), self._best_mean
        self._best_mean = max(mean, before)
        return mean > before

    def leave(self) -> None:
        """Go on from what is unlike the best so far; from everything when that is exhausted too."""
        self._left = [] if self._left else self.here.best(self.LEFT)
        others = [one for one in self.everything.scored() if self.holds(one[0])]
        if not others:
            self._left, others = [], self.everything.scored()
        self.here = Archive(others, scaffolds_share=True)
        self._best_mean = self.here.mean_of_best()
