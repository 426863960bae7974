"""A search that breeds molecules from the best so far, by several kinds of move."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from molvae.chem.strings import Decoded
from molvae.codec import Codec
from molvae.guidance.archive import Archive
from molvae.guidance.earnings import Earnings
from molvae.guidance.moves import KINDS, Anchors, Move, moves_of
from molvae.guidance.region import Region
from molvae.guidance.screening import Screen
from molvae.guidance.strategies import Strategy

TOP = 100
"""A move earns its share by what it brings into so many of the best."""


class Adaptation(Protocol):
    """What fine-tunes the model on what was found."""

    def learn(self, molecules: Sequence[str]) -> None:
        """Take some steps on these molecules, each as often as it stands there."""

    def reset(self) -> None:
        """Go back to the model as it was."""


class Evolution(Strategy):
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

    Attributes:
        moves: The kinds of move.
        region: What was found, and from what of it the search goes on.
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

    WIDEN_AFTER, LEAVE_AFTER = 3, 6
    """Lessons without gain."""

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
        self.moves, self.region = list(moves), Region(found)
        self._takes, self._adaptation, self._changed = takes, adaptation, changed
        self._screen = screen
        self._ways = [(move, False) for move in self.moves]
        if screen is not None:
            self._ways += [(move, True) for move in self.moves if move.breeds]
        self._random = np.random.default_rng([seed, 0])
        self._earnings = Earnings(len(self._ways), self.FEWEST)
        self._asked: list[tuple[str, int]] = []
        self._since_lesson = self._barren = 0
        self._is_taught = False

    @property
    def shares(self) -> np.ndarray:
        """Of what is asked for, the share of each way to propose, (M,): the moves, then ahead."""
        return self._earnings.shares

    def ask(self) -> list[Decoded]:
        """New molecules; fewer than usual, or none, when the moves come to nothing new."""
        if self._screen is not None and not self._is_taught:
            self._screen.learn(self.region.here, self._random)
            self._is_taught = True
        chosen: dict[str, tuple[Decoded, int]] = {}
        asked = min(max(len(self.region.everything) // 8, self.FEWEST), self.MOST)
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
        move, goes_ahead = self._ways[place]
        each = self.PROPOSED if self._screen is None else self.SCREENED
        usable = self._usable(move, self.region.here, each * count)
        fresh = self._fresh(usable, chosen)
        if goes_ahead:
            fresh |= self._ahead(move, fresh, each * count, chosen)
        elif usable:
            move.told(len(fresh) / len(usable))
        names = list(fresh)
        taken = names[:count] if self._screen is None else self._screen.best(names, count)
        chosen |= {smiles: (fresh[smiles], place) for smiles in taken}

    def _ahead(
        self, move: Move, fresh: Mapping[str, Decoded], count: int, chosen: Container[str]
    ) -> dict[str, Decoded]:
        """What a move comes to from its own proposals, generation by generation."""
        found = dict(fresh)
        if self._screen is not None and self._screen.knows and found:
            for _ in range(self.AHEAD):
                parents = Archive(zip(found, self._screen.hopes(list(found)), strict=True))
                usable = self._usable(move, parents, count)
                found |= self._fresh((one for one in usable if one.smiles not in found), chosen)
        return found

    def _usable(self, move: Move, parents: Archive, count: int) -> list[Decoded]:
        if move.breeds and not len(parents):  # before anything has a score
            return []
        return [one for one in move.propose(parents, count, self._random) if self._takes(one)]

    def _fresh(self, usable: Iterable[Decoded], chosen: Container[str]) -> dict[str, Decoded]:
        """What is new of some proposals, by its SMILES."""
        return {
            one.smiles: one
            for one in usable
            if one.smiles not in self.region.everything
            and one.smiles not in chosen
            and self.region.holds(one.smiles)
        }

    def tell(self, scores: Sequence[float]) -> None:
        """Rank what was found, pay the moves for it, and learn when it is time."""
        self._earnings.fade()
        for (smiles, place), score in zip(self._asked, scores, strict=True):
            rank = self.region.add(smiles, score)
            self._earnings.pay(place, success=0 <= rank < TOP)
        self._has_heard(len(self._asked))

    def hear(self, found: Sequence[tuple[str, float]]) -> None:
        """Rank what wasn't asked for, and learn from it."""
        for smiles, score in found:
            self.region.add(smiles, score)
        self._has_heard(len(found))

    def _has_heard(self, scores: int) -> None:
        """Scores came: the screen learns when it is needed, the model when it is time."""
        self._is_taught &= not scores
        self._since_lesson += scores
        if self._since_lesson >= self.LEARN_EVERY:
            self._since_lesson = 0
            self._learn()

    def _learn(self) -> None:
        """A lesson; after lessons without gain, moves go further or the search elsewhere."""
        self._barren = 0 if self.region.gained() else self._barren + 1
        leaving = self._barren >= self.LEAVE_AFTER
        if leaving:
            self.region.leave()
            self._barren = 0
        elif self._barren and self._barren % self.WIDEN_AFTER == 0:
            for move in self.moves:
                move.widen()
        if self._adaptation is None:
            return
        if leaving:
            self._adaptation.reset()
        parents = self.region.here
        if parents.mean_of_best() > parents.worst_parent():
            self._adaptation.learn(parents.parents(self.LESSON, self._random))
        self._changed()


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
