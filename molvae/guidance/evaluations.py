"""The account of a search: what it evaluated, each molecule once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from molvae.chem.filters import objection
from molvae.chem.identity import KnownMolecules
from molvae.chem.molecules import parse
from molvae.chem.properties import USUAL, compute
from molvae.chem.strings import Decoded
from molvae.codec import Codec
from molvae.errors import SettingsError
from molvae.guidance.columns import FACTS, desirability_of
from molvae.guidance.objective import Objective


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an objective says of a molecule, and whether its string needed no repair.

    Attributes:
        values: Of each term.
        desirabilities: Of each term.
        score: Higher for the better; -inf where a term has no value.
        reasons: Of each term, why it has no value.
        strict: Whether SELFIES had nothing to repair.
    """

    values: tuple[float, ...]
    desirabilities: tuple[float, ...]
    score: float
    reasons: tuple[str, ...]
    strict: bool


class Evaluations:
    """Molecules evaluated so far: each distinct valid one once, within a budget.

    Args:
        codec: The model.
        objective: What to reach.
        budget: Evaluations allowed.
        strict: Whether molecules of strings that SELFIES had to repair are passed over.
        on_part: Told, after each part, the evaluations so far and the best score.
    """

    PART = 24
    """Molecules that are judged at once; an interruption costs no more than these."""

    def __init__(
        self,
        codec: Codec,
        objective: Objective,
        budget: int,
        *,
        strict: bool = True,
        on_part: Callable[[int, float], None] = lambda evaluations, best: None,
    ) -> None:
        self._codec, self._objective, self._budget = codec, objective, budget
        self._strict, self._on_part = strict, on_part
        self.found: dict[str, Evaluated] = {}

    @property
    def left(self) -> int:
        """Evaluations left."""
        return self._budget - len(self.found)

    @property
    def best(self) -> float:
        """The best score so far; NaN before there is one."""
        scores = [one.score for one in self.found.values() if math.isfinite(one.score)]
        return max(scores, default=math.nan)

    def score(self, molecules: Sequence[Decoded]) -> list[float]:
        """Scores, higher being better.

        Those without one, passed over or beyond the budget have -inf.

        Raises:
            SettingsError: When none of the first molecules has a value for a term.
        """
        new = {one.smiles: one for one in molecules if self.takes(one)}
        fresh = [one for one in new if one not in self.found][: self.left]
        for begin in range(0, len(fresh), self.PART):
            part = fresh[begin : begin + self.PART]
            self._evaluate(part, [new[one].strict for one in part])
            self._check_values()
            self._on_part(len(self.found), self.best)
        return [
            self.found[one.smiles].score if one.smiles in self.found else -np.inf
            for one in molecules
        ]

    def takes(self, one: Decoded) -> bool:
        """Whether it is a molecule that isn't passed over."""
        return bool(one.smiles) and (one.strict or not self._strict)

    def notes(self) -> list[str]:
        """What a reader should know: what had no value, and how many satisfy the constraints."""
        notes = []
        for place, column in enumerate(self._objective.columns):
            failed = [
                f"{smiles}: {one.reasons[place]}"
                for smiles, one in self.found.items()
                if one.reasons[place]
            ]
            if failed:
                notes.append(
                    f"{column} has no value for {len(failed):,} of {len(self.found):,} molecules; "
                    f"the first is {failed[0]}."
                )
        if math.isfinite(self._objective.lowest):
            satisfying = sum(one.score >= self._objective.lowest for one in self.found.values())
            notes.append(
                f"{satisfying:,} of {len(self.found):,} molecules satisfy all constraints; "
                "the others have a score below 0, or none."
            )
        return notes

    def table(self, known: KnownMolecules, filters: Sequence[str], seed: int) -> pd.DataFrame:
        """A row for each molecule, the best first; see `molvae.guidance.search.Search`."""
        terms = self._objective.columns
        has_scale = self._objective.has_scale
        judged = [desirability_of(one) for one in terms] if has_scale else []
        others = [name for name in USUAL if name not in terms]
        numbered = list(enumerate(self.found.items(), 1))
        numbered.sort(key=lambda one: one[1][1].score, reverse=True)
        rows = [
            {
                "smiles": smiles,
                "score": one.score if math.isfinite(one.score) else math.nan,
                **dict(zip(terms, one.values, strict=True)),
                **dict(zip(judged, one.desirabilities if has_scale else (), strict=True)),
                "evaluation": number,
                "novel": smiles not in known,
                "strict": one.strict,
                "objection": objection(parse(smiles), filters),
                "reason": "; ".join(
                    f"{term}: {reason}"
                    for term, reason in zip(terms, one.reasons, strict=True)
                    if reason
                ),
                **compute(parse(smiles), others),
                "seed": seed,
            }
            for number, (smiles, one) in numbered
        ]
        columns = ["smiles", "score", *terms, *judged, *FACTS, *others, "seed"]
        return pd.DataFrame(rows, columns=columns)

    def _evaluate(self, smiles: list[str], strict: list[bool]) -> None:
        judged = self._objective.judge(self._codec, smiles)
        for place, one in enumerate(smiles):
            score = float(judged.scores[place])
            self.found[one] = Evaluated(
                tuple(judged.numbers[place].tolist()),
                tuple(judged.desirabilities[place].tolist()),
                -math.inf if math.isnan(score) else score,
                judged.reasons[place],
                strict[place],
            )

    def _check_values(self) -> None:
        """Refuse an objective of which a term has no value for any of the first molecules."""
        if len(self.found) < min(self.PART, self._budget):
            return
        for place, term in enumerate(self._objective.terms):
            if all(one.reasons[place] for one in self.found.values()):
                first = next(iter(self.found))
                raise SettingsError(
                    f"{term.place}: No value for any of the first {len(self.found)} molecules; "
                    f"the first is {first}: {self.found[first].reasons[place]}. "
                    "A search needs values: a low one, where there is none."
                )
