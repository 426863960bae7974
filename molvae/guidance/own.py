"""A function of the user's, which may fail at any molecule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from molvae.codec import Codec
from molvae.guidance.hosting import Failed, cut, hosted
from molvae.guidance.quantity import Measured, OfTheMolecule, Span

Function = Callable[[list[str]], Iterable[Any]]
"""From SMILES to a number for each, in their order or by SMILES."""


@dataclass(frozen=True)
class Own(OfTheMolecule):
    """What a function of the user's says of molecules.

    It is asked for many molecules at once. Where it raises, or gives another number of values, it
    is asked for each of them alone, so that a molecule it can't do costs that molecule only. What
    it prints goes to standard error.

    Attributes:
        function: The function.
        name: Its name; by default the one it gives itself.
        folder: Where its file lies, from which it may import.
    """

    function: Function
    name: str = ""
    folder: Path | None = None
    span: Span = field(default=None, init=False)
    is_count: bool = field(default=True, init=False)  # it may be one

    def __post_init__(self) -> None:
        if not self.name:
            given = getattr(self.function, "__name__", type(self.function).__name__)
            object.__setattr__(self, "name", str(given))

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Call it; what is no finite number is none."""
        answers: list[Any]
        try:
            answers = self._asked(list(smiles))
        except Failed as whole:
            alone = [self._asked_alone(one) for one in smiles] if len(smiles) > 1 else []
            faults = {str(one) if isinstance(one, Failed) else "" for one in alone}
            # What is wrong with each alike is no molecule's fault, and was told better at first.
            answers = [whole] * len(smiles) if len(faults) < 2 and "" not in faults else alone
        pairs = [_value(answer) for answer in answers]
        return Measured(np.array([value for value, _ in pairs]), [reason for _, reason in pairs])

    def _asked(self, smiles: list[str]) -> list[Any]:
        given = list(smiles)
        with hosted(self.folder):
            found = self.function(given)
            if isinstance(found, Set):
                raise Failed("it gives a set, which has no order; a list has")
            if isinstance(found, Mapping):
                found = [found.get(one) for one in smiles]
            answers = list(found)
        if given != smiles:
            raise Failed("it changes the list that it is given")
        if len(answers) != len(smiles):
            raise Failed(f"{len(answers)} values for {len(smiles)} molecules")
        return answers

    def _asked_alone(self, smiles: str) -> Any:
        try:
            return self._asked([smiles])[0]
        except Failed as error:
            return error


def _value(answer: Any) -> tuple[float, str]:
    """An answer as a number, or NaN and the reason why it is none."""
    if isinstance(answer, Failed):
        return math.nan, str(answer)
    try:
        bare = answer.item() if hasattr(answer, "item") else answer  # an array of one
        value = math.nan if isinstance(bare, str) else float(bare)
    except Exception:  # noqa: BLE001  # whatever it is that a user's function gave
        value = math.nan
    return (value, "") if math.isfinite(value) else (math.nan, f"{_shown(answer)} is no number")


def _shown(answer: Any) -> str:
    try:
        return cut(" ".join(repr(answer).split()))
    except Exception:  # noqa: BLE001  # a user's class may fail at this too
        return f"what it gave, of type {type(answer).__name__},"
