"""Names of columns: what is usual for SMILES, and what is done when a name comes twice."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from itertools import count as counted

USUAL_NAMES = ("smiles", "canonical_smiles", "isomeric_smiles", "smi", "structure", "molecule")
"""Column names taken for SMILES, in this order, in any case."""

UNREADABLE = "unreadable"
"""The column in which a format says why a record has no SMILES."""


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Column names; a repeated one gets ``.1``, ``.2`` behind it, as in pandas.

    >>> distinct(["v", "v", "w"])
    ('v', 'v.1', 'w')
    """
    taken: dict[str, None] = {}
    for name in names:
        candidates = chain([name], (f"{name}.{count}" for count in counted(1)))
        taken[next(one for one in candidates if one not in taken)] = None
    return tuple(taken)
