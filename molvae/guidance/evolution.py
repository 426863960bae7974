"""A search that breeds molecules from the best so far, by several kinds of move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
    comes among the best, for each molecule asked for. From time to time the model is tuned on the
    best. When nothing better comes for long, moves go further; then the search leaves the best and
    what is like them, goes on from the best of the others, and the model is reset. When these are
    exhausted too, it comes back to everything: what is wanted may be like what was left.

    Args:
        moves: The kinds of move, one at least.
        found: Molecules and their scores to begin with; from these the first parents are drawn.
        takes: Whether a molecule may be evaluated; others are passed over.
        adaptation: What tunes the model that the moves use; without one it stays as it is.
        screen: What chooses among more proposals than are asked for; without one the first are
            taken.
        changed: Called when the model has changed.
        seed: Of everything random.
    """

    ASKED = 50
    """Molecules asked for at a time: parents are drawn anew as often."""

    PROPOSED, SCREENED = 2, 6
    """Proposals for each molecule asked for, without a screen and with one."""

    TRIES = 4
    """Rounds in which the moves propose until there are so many that are new."""

    LEARN_EVERY, LESSON = 100, 256
    """Evaluations between lessons, and molecules of a lesson."""

    LEAST_SHARE = 0.1
    """Of what is asked for, of each kind of move, whatever it brings."""

    MEMORY = 0.98
    """What remains of a move's earnings and costs each time molecules are asked for."""

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
        self._region = Archive(self.archive.scored())
        self._left = list[str]()
        self._takes, self._adaptation, self._changed = takes, adaptation, changed
        self._screen = screen
        self._random = np.random.default_rng([seed, 0])
        self._earned = np.ones(len(self.moves))
        self._cost = np.full(len(self.moves), float(self.ASKED))
        self._asked: list[tuple[str, int]] = []
        self._since_lesson = self._barren = 0
        self._best_mean = self._region.mean_of_best()
        if screen is not None:
            screen.learn(self._region, self._random)

    @property
    def shares(self) -> np.ndarray:
        """Of what is asked for, the share of each kind of move, (M,)."""
        rates = (self._earned + 1e-9) / self._cost
        least = min(self.LEAST_SHARE, 1 / len(self.moves))
        shares = least + (1 - least * len(self.moves)) * rates / rates.sum()
        exact: np.ndarray = shares / shares.sum()  # to the last digit, as numpy wants it
        return exact

    def ask(self) -> list[Decoded]:
        """New molecules; fewer than usual, or none, when the moves come to nothing new."""
        chosen: dict[str, tuple[Decoded, int]] = {}
        for _ in range(self.TRIES):
            missing = self.ASKED - len(chosen)
            if missing <= 0 or not len(self._region):
                break
            wanted = self._random.multinomial(missing, self.shares)
            for place, count in enumerate(wanted):
                if count:
                    self._propose(place, int(count), chosen)
        self._asked = [(smiles, place) for smiles, (_, place) in chosen.items()]
        return [one for one, _ in chosen.values()]

    def _propose(self, place: int, count: int, chosen: dict[str, tuple[Decoded, int]]) -> None:
        """Let a move propose more than are wanted, and take the most promising that are new."""
        each = self.PROPOSED if self._screen is None else self.SCREENED
        proposed = self.moves[place].propose(self._region, each * count, self._random)
        usable = [one for one in proposed if self._takes(one)]
        fresh = {
            one.smiles: one
            for one in usable
            if one.smiles not in self.archive
            and one.smiles not in chosen
            and self._is_elsewhere(one.smiles)
        }
        if usable:
            self.moves[place].told(len(fresh) / len(usable))
        names = list(fresh)
        taken = names[:count] if self._screen is None else self._screen.best(names, count)
        chosen |= {smiles: (fresh[smiles], place) for smiles in taken}

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
        if self._screen is not None:
            self._screen.learn(self._region, self._random)
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
        self._region = Archive(others)
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
        screened: Whether a surrogate chooses among proposals.
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
