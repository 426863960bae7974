"""What a search is asked for, beside its objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from molvae import settings as checks
from molvae.chem.filters import known_filter
from molvae.guidance.moves import KINDS

METHODS = ("auto", "cma", "evolution", "gradient")


@dataclass(frozen=True)
class Call:
    """What a search is asked for, beside its objective.

    Attributes:
        budget: Distinct valid molecules that may be evaluated.
        method: "cma", "evolution", "gradient" (along the head of the only goal), or "auto": the
            gradient for a lone term that a head predicts, else the evolution.
        start: SMILES to start from; by default draws from the prior, a fifth of the budget and at
            most a hundred.
        filters: Filters whose objection is named; they refuse nothing.
        strict: Pass over molecules of strings that SELFIES had to repair, free of charge.
        seed: Of everything random.
        moves: Kinds of move of an evolution, of `molvae.guidance.moves.KINDS`; by default all.
        adapt: Whether an evolution tunes a copy of the model on what it finds.
        screen: Whether an evolution has a surrogate of the scores, which chooses among proposals
            and by which moves go ahead.
        flat: Whether molecules are looked for without stereo, isotopes and neutralisable charges.

    Raises:
        SettingsError: For an unknown method, move or filter, or what is out of range.
    """

    budget: int = 1000
    method: str = "auto"
    start: Sequence[str] = ()
    filters: Sequence[str] = ("moses",)
    strict: bool = True
    seed: int = 0
    moves: Sequence[str] = ()
    adapt: bool = True
    screen: bool = True
    flat: bool = False

    def __post_init__(self) -> None:
        checks.count("budget", self.budget)
        checks.seed(self.seed)
        for name in ("strict", "adapt", "screen", "flat"):
            checks.switch(name, getattr(self, name))
        for name in self.filters:
            known_filter(name)
        for move in self.moves:
            checks.choice("move", move, KINDS)
        checks.choice("method", self.method, METHODS)
