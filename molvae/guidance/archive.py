"""What a search has found so far, ranked, and parents drawn from the best of it."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable

import numpy as np

from molvae.chem.fragments import scaffold_of


class Archive:
    """Molecules with their scores, the best first.

    Parents are drawn by rank and not by score, since many scores are products that lie near zero
    for long: with a weight of 1 / (k N + rank), N being the number of those that may be parents,
    `PARENTS` at most, and rank counted from 0 (Tripp et al., 2020, arXiv:2006.09191). Molecules of
    the same score have the same rank and share its weight: a search that has come to a plateau
    isn't held there by the many ways to stand on it. Where scaffolds share, the weight of a
    molecule is divided by the root of how many of the possible parents have its Murcko scaffold, so
    that one family of molecules doesn't become all there is.

    Args:
        found: Molecules and their scores to begin with; those without one (-inf) are known, and
            never parents.
        scaffolds_share: Whether they do.
    """

    PARENTS, PRESSURE = 1024, 0.01
    """How many of the ranks may be parents, and k: the smaller, the more the very best are."""

    def __init__(
        self, found: Iterable[tuple[str, float]] = (), *, scaffolds_share: bool = False
    ) -> None:
        self._scaffolds_share = scaffolds_share
        self._known: set[str] = set()
        self._ranked: list[tuple[float, int, str]] = []
        for smiles, score in found:
            self.add(smiles, score)

    def __len__(self) -> int:
        """Molecules with a score."""
        return len(self._ranked)

    def __contains__(self, smiles: str) -> bool:
        return smiles in self._known

    def add(self, smiles: str, score: float) -> int:
        """Add a molecule that isn't there yet; its rank, counted from 0, or -1 without a score."""
        if smiles in self._known:
            return -1
        self._known.add(smiles)
        if not np.isfinite(score):
            return -1
        entry = (-score, len(self._known), smiles)  # of equals, the older is the better
        rank = bisect(self._ranked, entry)
        self._ranked.insert(rank, entry)
        return rank

    def best(self, count: int) -> list[str]:
        """The best molecules, at most so many."""
        return [smiles for _, _, smiles in self._ranked[:count]]

    def scored(self) -> list[tuple[str, float]]:
        """All molecules with a score, and that, the best first."""
        return [(smiles, -loss) for loss, _, smiles in self._ranked]

    def mean_of_best(self, count: int = 10) -> float:
        """The mean score of the best, -inf when there are none."""
        top = self._ranked[:count]
        return -sum(score for score, _, _ in top) / len(top) if top else -np.inf

    def worst_parent(self) -> float:
        """The lowest score of those that may be parents, inf when there are none."""
        losses, _ = self._ranks()
        return float(-losses[-1]) if len(losses) else np.inf

    def parents(self, count: int, random: np.random.Generator) -> list[str]:
        """Molecules drawn by rank, one as often as it comes up."""
        losses, ranks = self._ranks()
        pressed = self.PRESSURE * min(len(losses), self.PARENTS)
        weights = 1 / (pressed + ranks + 1e-9) / np.bincount(ranks)[ranks]
        if self._scaffolds_share:
            scaffolds = [scaffold_of(smiles) for _, _, smiles in self._ranked[: len(losses)]]
            _, places, counts = np.unique(scaffolds, return_inverse=True, return_counts=True)
            weights /= np.sqrt(counts[places])
        drawn = random.choice(len(losses), size=count, p=weights / weights.sum())
        return [self._ranked[place][2] for place in drawn]

    def _ranks(self) -> tuple[np.ndarray, np.ndarray]:
        """The negative scores of those that may be parents, and their ranks, from 0: (N,) each."""
        losses = np.array([loss for loss, _, _ in self._ranked])
        _, ranks = np.unique(losses, return_inverse=True)
        parents = ranks < self.PARENTS
        return losses[parents], ranks[parents]
