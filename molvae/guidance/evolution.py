"""A search that breeds molecules from the best so far, by several kinds of move."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Protocol

import numpy as np

from molvae.chem.fingerprints import similarities
from molvae.chem.strings import Decoded
from molvae.codec import Codec
from molvae.guidance.archive import Archive
from molvae.guidance.moves import KINDS, Anchors, Move, moves_of
from molvae.guidance.screening import Screen

TOP = 100
"""A move earns its share by what it brings into so many of the best."""


class Adaptation(Protocol):
    """What fine-tunes the model on what was found."""

    def learn(self, molecules: Sequence[str]) -> None:
        """Take some steps on these molecules, each as often as it stands there."""

    def reset(self) -> None:
        """Go back to the model as it was."""


class Evolution:
    """An evolutionary search.

    It asks for some molecules at a time, by each kind of move as many as that has earned: what
    comes among the best, for each molecule asked for. With a screen, a move that breeds has two
    ways to propose, which earn apart: as it does without, and ahead, for some generations from what
    the screen hopes most of among its own proposals, before anything is evaluated. From time to
    time the model is tuned on the best. When nothing better comes for long, moves go further; then
    the search leaves the best and what is like them, goes on from the best of the others, and the
    model is reset. When these are exhausted too, it comes back to everything: what is wanted may be
    like what was left.

    Args:
        moves: The kinds of move, one at least.
        found: Molecules and their scores to begin with; from these the first parents are drawn.
        takes: Whether a molecule may be evaluated; others are passed over.
        adaptation: What tunes the model that the moves use; without one it stays as it is.
        screen: What chooses among more proposals than are asked for, and what moves go ahead by;
            without one the first proposals are taken.
        changed: Called when the model has changed.
        seed: Of everything random.
    """

    FEWEST, MOST = 25, 100
    """Molecules asked for at a time: an eighth of those with a score, within these."""

    AHEAD = 4
    """Generations that a move goes ahead."""

    PROPOSED, SCREENED = 2, 6
    """Proposals for each molecule asked for, in each generation, without a screen and with one."""

    TRIES = 4
    """Rounds in which the moves propose until there are so many that are new."""

    LEARN_EVERY, LESSON = 100, 256
    """Evaluations between lessons, and molecules of a lesson."""

    LEAST_SHARE = 0.05
    """Of what is asked for, of each way to propose, whatever it brings."""

    MEMORY = 0.95
    """What remains of what a way earned and cost each time molecules are asked for."""

    WIDEN_AFTER, LEAVE_AFTER = 3, 6
    """Lessons without gain."""

    LEFT, NEAR = 10, 0.4
    """How many of the best are left behind, and from which similarity on others with them."""

    def __init__(
        self,
        moves: Sequence[Move],
        found: Iterable[tuple[str, float]],
        *,
        takes: Callable[[Decoded], bool],
        adaptation: Adaptation | None = None,
        screen: Screen | None = None,
        changed: Callable[[], None] = lambda: None,
        seed: int = 0,
    ) -> None:
        self.moves, self.archive = list(moves), Archive(found)
        self._region = Archive(self.archive.scored(), scaffolds_share=True)
        self._left = list[str]()
        self._takes, self._adaptation, self._changed = takes, adaptation, changed
        self._screen = screen
        self._ways: list[tuple[Move, Screen | None]] = [(move, None) for move in self.moves]
        if screen is not None:
            self._ways += [(move, screen) for move in self.moves if move.breeds]
        self._random = np.random.default_rng([seed, 0])
        self._earned = np.ones(len(self._ways))
        self._cost = np.full(len(self._ways), float(self.FEWEST))
        self._asked: list[tuple[str, int]] = []
        self._since_lesson = self._barren = 0
        self._best_mean = self._region.mean_of_best()
        self._is_taught = False

    @property
    def shares(self) -> np.ndarray:
        """Of what is asked for, the share of each way to propose, (M,): the moves, then ahead."""
        rates = (self._earned + 1e-9) / self._cost
        least = min(self.LEAST_SHARE, 1 / len(rates))
        shares = least + (1 - least * len(rates)) * rates / rates.sum()
        exact: np.ndarray = shares / shares.sum()  # to the last digit, as numpy wants it
        return exact

    def ask(self) -> list[Decoded]:
        """New molecules; fewer than usual, or none, when the moves come to nothing new."""
        if self._screen is not None and not self._is_taught:
            self._screen.learn(self._region, self._random)
            self._is_taught = True
        chosen: dict[str, tuple[Decoded, int]] = {}
        asked = min(max(len(self.archive) // 8, self.FEWEST), self.MOST)
        for _ in range(self.TRIES):
            missing = asked - len(chosen)
            if missing <= 0:
                break
            wanted = self._random.multinomial(missing, self.shares)
            for place, count in enumerate(wanted):
                if count:
                    self._propose(place, int(count), chosen)
        self._asked = [(smiles, place) for smiles, (_, place) in chosen.items()]
        return [one for one, _ in chosen.values()]

    def _propose(self, place: int, count: int, chosen: dict[str, tuple[Decoded, int]]) -> None:
        """Let a move propose more than are wanted, and take the most promising that are new."""
        move, ahead_by = self._ways[place]
        screen = self._screen
        each = self.PROPOSED if screen is None else self.SCREENED
        usable = self._usable(move, self._region, each * count)
        fresh = self._fresh(usable, chosen)
        if ahead_by is None:
            if usable:
                move.told(len(fresh) / len(usable))
        elif ahead_by.knows:
            for _ in range(self.AHEAD if fresh else 0):
                parents = Archive(zip(fresh, ahead_by.hopes(list(fresh)), strict=True))
                usable = self._usable(move, parents, each * count)
                fresh |= self._fresh(usable, {**chosen, **fresh})
        names = list(fresh)
        taken = names[:count] if screen is None else screen.best(names, count)
        chosen |= {smiles: (fresh[smiles], place) for smiles in taken}

    def _usable(self, move: Move, parents: Archive, count: int) -> list[Decoded]:
        if move.breeds and not len(parents):  # before anything has a score
            return []
        return [one for one in move.propose(parents, count, self._random) if self._takes(one)]

    def _fresh(self, usable: Iterable[Decoded], chosen: Container[str]) -> dict[str, Decoded]:
        """What is new of some proposals, by its SMILES."""
        return {
            one.smiles: one
            for one in usable
            if one.smiles not in self.archive
            and one.smiles not in chosen
            and self._is_elsewhere(one.smiles)
        }

    def tell(self, scores: Sequence[float]) -> None:
        """Rank what was found, pay the moves for it, and learn when it is time."""
        self._earned *= self.MEMORY
        self._cost *= self.MEMORY
        for (smiles, place), score in zip(self._asked, scores, strict=True):
            self.archive.add(smiles, score)
            rank = self._region.add(smiles, score)
            self._cost[place] += 1
            self._earned[place] += 0 <= rank < TOP
            self._since_lesson += 1
            self._is_taught = False
        if self._since_lesson >= self.LEARN_EVERY:
            self._since_lesson = 0
            self._learn()

    def _learn(self) -> None:
        """A lesson; after lessons without gain, moves go further or the search elsewhere."""
        mean = self._region.mean_of_best()
        self._barren = 0 if mean > self._best_mean else self._barren + 1
        self._best_mean = max(mean, self._best_mean)
        leaving = self._barren >= self.LEAVE_AFTER
        if leaving:
            self._leave()
        elif self._barren and self._barren % self.WIDEN_AFTER == 0:
            for move in self.moves:
                move.widen()
        if self._adaptation is None:
            return
        if leaving:
            self._adaptation.reset()
        if self._region.mean_of_best() > self._region.worst_parent():
            self._adaptation.learn(self._region.parents(self.LESSON, self._random))
        self._changed()

    def _leave(self) -> None:
        """Go on from what is unlike the best so far; from everything when that is exhausted too."""
        self._left = [] if self._left else self._region.best(self.LEFT)
        others = [one for one in self.archive.scored() if self._is_elsewhere(one[0])]
        if not others:
            self._left, others = [], self.archive.scored()
        self._region = Archive(others, scaffolds_share=True)
        self._barren, self._best_mean = 0, self._region.mean_of_best()

    def _is_elsewhere(self, smiles: str) -> bool:
        """Whether a molecule is unlike all that were left behind."""
        left = self._left  # mostly none, and then no fingerprint is looked at
        return not left or max(similarities(smiles, left)) < self.NEAR


def evolution(
    codec: Codec,
    found: Iterable[tuple[str, float]],
    *,
    takes: Callable[[Decoded], bool],
    kinds: Sequence[str] = KINDS,
    adaptation: Adaptation | None = None,
    screened: bool = True,
    seed: int = 0,
) -> Evolution:
    """An evolutionary search by some kinds of move; see `Evolution`.

    Args:
        codec: The model that the moves use, the one that the adaptation tunes.
        found: Molecules and their scores to begin with.
        takes: Whether a molecule may be evaluated.
        kinds: Of move, some of `molvae.guidance.moves.KINDS`.
        adaptation: What tunes the model.
        screened: Whether a surrogate chooses among proposals, and moves go ahead by it.
        seed: Of everything random.
    """
    anchors = Anchors(codec)
    return Evolution(
        moves_of(codec, anchors, kinds),
        found,
        takes=takes,
        adaptation=adaptation,
        screen=Screen() if screened else None,
        changed=anchors.forget,
        seed=seed,
    )
