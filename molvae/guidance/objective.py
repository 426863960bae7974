"""What a search is to reach: terms (a quantity, and how desirable its values are) and a mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from molvae import settings as checks
from molvae.codec import Codec
from molvae.errors import SettingsError
from molvae.guidance.columns import distinct
from molvae.guidance.desirability import Desirability, Ramp
from molvae.guidance.quantity import Quantity

THRESHOLD = 0.5
"""The desirability that satisfies a constraint, where no other is named."""


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Tell what is wrong in this block with its place."""
    try:
        yield
    except SettingsError as error:
        raise SettingsError(f"{place}: {error}") from None


def _arithmetic(desirabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean: np.ndarray = desirabilities @ weights
    return mean


def _geometric(desirabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean: np.ndarray = np.prod(desirabilities**weights, axis=1)
    return mean


MEANS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "geometric": _geometric,
    "arithmetic": _arithmetic,
}
"""Name to weighted mean: from desirabilities, (N, G), and weights that sum to 1, (G,), to (N,)."""


@dataclass(frozen=True)
class Term:
    """A quantity, and how desirable its values are.

    Attributes:
        quantity: What is computed.
        aim: How desirable a value is. A ramp without bounds takes the span of the quantity.
        weight: In the mean, where it is a goal.
        threshold: The desirability that a molecule must have, where it is a constraint; None for
            a goal.
        place: Where it is written, or as it is; by default the name of the quantity.
        keys: Those it was made from, paths being absolute; none when it was made in Python.

    Raises:
        SettingsError: For a weight or threshold out of range.
    """

    quantity: Quantity
    aim: Desirability
    weight: float = 1.0
    threshold: float | None = None
    place: str = field(default="", compare=False)
    keys: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.aim, Ramp) and self.aim.bounds is None:
            spanned = replace(self.aim, bounds=self.quantity.span)
            object.__setattr__(self, "aim", spanned)
        if not self.place:
            object.__setattr__(self, "place", self.quantity.name)
        checks.require(self.weight > 0, f"weight is a number above 0, not {self.weight:g}.")
        if self.threshold is not None:
            checks.require(
                0 < self.threshold <= 1,
                f"A constraint is a desirability above 0, 1 at most, not {self.threshold:g}.",
            )

    def check_scale(self) -> None:
        """Refuse a constraint, or a term that stands with others, without a scale."""
        remedy = "max=LOW..HIGH or min=LOW..HIGH" if isinstance(self.aim, Ramp) else "width=WIDTH"
        checks.require(
            self.aim.has_scale,
            f"Only a lone goal can do without a scale. Add one: {remedy}.",
        )


@dataclass(frozen=True)
class Judgement:
    """What an objective says of molecules.

    Attributes:
        numbers: The values of each term, (N, T).
        desirabilities: Of each term, (N, T).
        scores: Higher for the better, (N,); see `Objective`.
        reasons: Why there is no value, N rows of T texts, empty where there is one.
    """

    numbers: np.ndarray
    desirabilities: np.ndarray
    scores: np.ndarray
    reasons: list[tuple[str, ...]]


@dataclass(frozen=True)
class Objective:
    """Goals and constraints.

    The score of a molecule that satisfies all constraints is the weighted mean of the
    desirabilities of the goals, 0 to 1; 1 where there is no goal. One that breaks a constraint has
    a score below 0: the mean, over the constraints, of what is lacking (0 where nothing is, -1 for
    a desirability of 0). So it ranks under all that satisfy them, and a search can still tell
    which way is better. One without a value for a term has no score (NaN).

    A lone goal without a scale (no bounds, no width) is ranked by its value: that of ``max``, the
    negative of ``min``, the negative distance of ``target``.

    Attributes:
        terms: One or more.
        mean: "geometric" (a 0 of one goal makes it 0) or "arithmetic".

    Raises:
        SettingsError: For no term or an unknown mean.
    """

    terms: tuple[Term, ...]
    mean: str = "geometric"

    def __post_init__(self) -> None:
        checks.choice("mean", self.mean, MEANS)
        checks.require(bool(self.terms), "An objective has one term or more.")

    @property
    def goals(self) -> list[Term]:
        """The terms that are no constraints."""
        return [term for term in self.terms if term.threshold is None]

    @property
    def has_scale(self) -> bool:
        """Whether scores are 0 to 1 for what satisfies all constraints."""
        return all(term.aim.has_scale for term in self.terms)

    @property
    def lowest(self) -> float:
        """The lowest score that breaks no constraint."""
        return 0.0 if len(self.goals) < len(self.terms) else -np.inf

    @property
    def columns(self) -> list[str]:
        """A name for each term, unlike all other columns of the table of a search."""
        return distinct([term.quantity for term in self.terms])

    def fitted(self, codec: Codec) -> Objective:
        """The objective for this model.

        Raises:
            SettingsError: Naming the term: for what the model can't tell; then for one of several
                terms, or a constraint, that has no scale.
        """
        terms = []
        for term in self.terms:
            with placed(term.place):
                terms.append(replace(term, quantity=term.quantity.fitted(codec)))
        for term in terms:
            if len(terms) > 1 or term.threshold is not None:
                with placed(term.place):
                    term.check_scale()
        return replace(self, terms=tuple(terms))

    def judge(self, codec: Codec, smiles: Sequence[str]) -> Judgement:
        """Judge N canonical SMILES."""
        measured = [term.quantity.measure(codec, smiles) for term in self.terms]
        numbers = np.stack([one.numbers for one in measured], axis=1)
        desirabilities = np.stack(
            [term.aim.of(one.numbers) for term, one in zip(self.terms, measured, strict=True)],
            axis=1,
        )
        reasons = list(zip(*(one.reasons for one in measured), strict=True))
        return Judgement(numbers, desirabilities, self.score(desirabilities), reasons)

    def score(self, desirabilities: np.ndarray) -> np.ndarray:
        """From desirabilities, (N, T), to scores, (N,)."""
        if not self.has_scale:
            return desirabilities[:, 0]
        is_goal = np.array([term.threshold is None for term in self.terms])
        scores = np.ones(len(desirabilities))
        if is_goal.any():
            weights = np.array([term.weight for term in self.goals])
            weights = weights / weights.max()  # so that the largest don't overflow in the sum
            scores = MEANS[self.mean](desirabilities[:, is_goal], weights / weights.sum())
        if not is_goal.all():
            thresholds = np.array([one.threshold for one in self.terms if one.threshold])
            lacking = np.minimum(desirabilities[:, ~is_goal] / thresholds - 1, 0).mean(axis=1)
            scores = np.where(lacking < 0, lacking, scores)
        return np.where(np.isnan(desirabilities).any(axis=1), np.nan, scores)
