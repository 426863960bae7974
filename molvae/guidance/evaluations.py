"""The account of a search: what it evaluated, each molecule once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice

import numpy as np
import pandas as pd

from molvae.chem.filters import objection
from molvae.chem.identity import KnownMolecules
from molvae.chem.interruption import unbroken
from molvae.chem.molecules import parse
from molvae.chem.properties import USUAL, compute
from molvae.chem.strings import Decoded
from molvae.codec import Codec
from molvae.guidance.columns import FACTS, desirability_of
from molvae.guidance.evaluated import Evaluated
from molvae.guidance.objective import Objective
from molvae.guidance.record import Record
from molvae.guidance.standing import Account, Standing
from molvae.settings import require


class Evaluations:
    """Molecules evaluated so far: each distinct valid one once, within a budget.

    What a record holds already is taken from there, when the search comes to ask for it again. A
    search that goes another way than it went then is given the rest of the record at once.

    Args:
        codec: The model.
        objective: What to reach.
        budget: Evaluations allowed.
        strict: Whether molecules of strings that SELFIES had to repair are passed over.
        record: Where each part is written before anything else is done.
        on_part: Told, after each part, how far it has come.

    Attributes:
        found: By canonical SMILES, in the order of evaluation.
        strayed: How many molecules of the record weren't asked for again.
        asked: Those that were asked for, in this process.
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
        record: Record | None = None,
        on_part: Callable[[Standing], None] = lambda standing: None,
    ) -> None:
        self._codec, self._objective, self._budget = codec, objective, budget
        self._strict, self._on_part = strict, on_part
        self._record, self._account = record, Account()
        self._waiting = {} if record is None else dict(record.found)
        self.found: dict[str, Evaluated] = {}
        self.strayed, self.asked = 0, set[str]()
        self._unasked = list[str]()
        self._unrecorded: dict[str, Evaluated] = {}

    @property
    def left(self) -> int:
        """Evaluations left."""
        return self._budget - len(self.found)

    def score(self, molecules: Sequence[Decoded]) -> list[float]:
        """Scores, higher being better.

        Those without one, passed over or beyond the budget have -inf.

        Raises:
            SettingsError: When none of the first molecules has a value for a term.
        """
        new = {one.smiles: one for one in molecules if self.takes(one)}
        self.asked.update(new)
        fresh = self._fresh(new)
        waiting = list(islice(self._waiting, len(fresh)))
        if fresh[: len(waiting)] != waiting:
            self._unasked = list(self._waiting)
            self.strayed = len(self._unasked)
            self._take(self._unasked)
            fresh = self._fresh(new)
        for begin in range(0, len(fresh), self.PART):
            part = fresh[begin : begin + self.PART]
            self._evaluate(part, [new[one].strict for one in part])
            self._on_part(self._account.standing)
        return [
            self.found[one.smiles].score if one.smiles in self.found else -np.inf
            for one in molecules
        ]

    def unasked(self) -> list[tuple[str, float]]:
        """Molecules and scores that the record held and the search didn't ask for, told once."""
        unasked, self._unasked = self._unasked, []
        return [(one, self.found[one].score) for one in unasked]

    def require_values(self) -> None:
        """Require that each term has a value for some of the molecules that were evaluated.

        Raises:
            SettingsError: When one has none.
        """
        lack = self._lack({})
        require(not lack, lack)

    def takes(self, one: Decoded) -> bool:
        """Whether it is a molecule that isn't passed over."""
        return one.suits(self._strict)

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

    def _fresh(self, smiles: Iterable[str]) -> list[str]:
        """What hasn't been evaluated, as far as the budget goes."""
        return [one for one in smiles if one not in self.found][: self.left]

    def _evaluate(self, smiles: list[str], strict: list[bool]) -> None:
        pairs = zip(smiles, strict, strict=True)
        unknown = {one: is_strict for one, is_strict in pairs if one not in self._waiting}
        if unknown:
            judged = self._judged(unknown)
            self._waiting |= judged
            self._unrecorded |= judged
            if self._have_values(judged) and self._record is not None:
                self._record.add(self._unrecorded)
                self._unrecorded = {}
        self._take(smiles)

    def _judged(self, molecules: Mapping[str, bool]) -> dict[str, Evaluated]:
        """Evaluate molecules, of which is known whether their strings were strict."""
        with unbroken():
            judged = self._objective.judge(self._codec, list(molecules))
        found = {}
        for place, (smiles, strict) in enumerate(molecules.items()):
            score = float(judged.scores[place])
            found[smiles] = Evaluated(
                tuple(judged.numbers[place].tolist()),
                tuple(judged.desirabilities[place].tolist()),
                -math.inf if math.isnan(score) else score,
                judged.reasons[place],
                strict,
            )
        return found

    def _take(self, smiles: Sequence[str]) -> None:
        """Count molecules that have been evaluated."""
        for one in smiles:
            self.found[one] = self._waiting.pop(one)
            self._account.add(one, self.found[one].score)

    def _have_values(self, judged: Mapping[str, Evaluated]) -> bool:
        """Whether each term has a value for some molecule, these included.

        Until then nothing is recorded: a function that is mended is asked again.

        Raises:
            SettingsError: When one has none for as many as a part.
        """
        lack = self._lack(judged)
        are_enough = len(self.found) + len(judged) >= min(self.PART, self._budget)
        require(not lack or not are_enough, lack)
        return not lack

    def _lack(self, judged: Mapping[str, Evaluated]) -> str:
        """What is to be told of a term without a value for any molecule, these included."""
        count = len(self.found) + len(judged)
        for place, term in enumerate(self._objective.terms if count else ()):
            if all(one.reasons[place] for one in chain(self.found.values(), judged.values())):
                smiles, first = next(chain(self.found.items(), judged.items()))
                return (
                    f"{term.place}: No value for any of the first {count} molecules; "
                    f"the first is {smiles}: {first.reasons[place]}. "
                    "A search needs values: a low one, where there is none."
                )
        return ""
