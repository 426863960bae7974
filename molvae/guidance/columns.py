"""The columns of the table of a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from molvae.chem.properties import USUAL
from molvae.guidance.quantities import Descriptor
from molvae.guidance.quantity import Quantity

FACTS = ("evaluation", "novel", "strict", "objection", "reason")
"""What is told of a molecule, whatever was wanted."""

NEAREST = ("nearest_measured", "nearest_similarity")
"""What is told of a molecule where others were measured."""

RESERVED = ("smiles", "score", *FACTS, *NEAREST, "seed")
"""Columns that are no quantity."""


def desirability_of(column: str) -> str:
    """The column of the desirability of a term, by that of its value."""
    return f"{column}_desirability"


def deviation_of(column: str) -> str:
    """The column of the standard deviations of predictions, by that of their means."""
    return f"{column}_sd"


def distinct(quantities: Sequence[Quantity]) -> list[str]:
    """A column for each quantity; where two want one, or it is taken, they get numbers.

    >>> distinct([Descriptor("qed"), Descriptor("logp"), Descriptor("qed")])
    ['qed_1', 'logp', 'qed_2']
    """
    wanted = Counter(one.name for one in quantities)
    judged = {desirability_of(name) for name in wanted}
    properties = {one.name for one in quantities if isinstance(one, Descriptor)}
    taken = {*RESERVED, *judged, *(set(USUAL) - properties)}
    used = {*taken, *wanted}
    columns = []
    for quantity in quantities:
        name, number = quantity.name, 0
        if wanted[name] > 1 or name in taken:
            while not used.isdisjoint({name, desirability_of(name)}):
                number += 1
                name = f"{quantity.name}_{number}"
        used |= {name, desirability_of(name)}
        columns.append(name)
    return columns
