"""What is known of a molecule when it has been evaluated."""

from __future__ import annotations

from dataclasses import dataclass


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
