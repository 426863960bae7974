"""What a reader of a search's table should know."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pandas as pd

from molvae.guidance.objective import Objective


def remarks(table: pd.DataFrame, objective: Objective) -> list[str]:
    """Notes on what had no value, and on how many molecules satisfy the constraints.

    Args:
        table: Of a `molvae.guidance.search.Search`, or those of several, one below the other.
        objective: What it was to reach.
    """
    ordered = table.drop_duplicates("smiles").sort_values("evaluation", kind="stable")
    count, notes = len(ordered), []
    for column in objective.columns:
        failed = ordered[ordered[column].isna()]
        if len(failed):
            first = failed.iloc[0]
            reasons = reasons_of(first["reason"], objective.columns)
            notes.append(
                f"{column} has no value for {len(failed):,} of {count:,} molecules; "
                f"the first is {first['smiles']}: {reasons.get(column, 'without a reason')}."
            )
    if math.isfinite(objective.lowest):
        satisfying = int((ordered["score"] >= objective.lowest).sum())
        notes.append(
            f"{satisfying:,} of {count:,} molecules satisfy all constraints; "
            "the others have a score below 0, or none."
        )
    return notes


def reasons_of(text: str, columns: Sequence[str]) -> dict[str, str]:
    """Why terms have no value, by their columns, from the ``reason`` of a row.

    >>> reasons_of("own: ValueError: a; b; qed: no molecule", ["own", "qed"])
    {'own': 'ValueError: a; b', 'qed': 'no molecule'}
    """
    names = "|".join(map(re.escape, columns))
    parts = re.findall(rf"(?:^|; )({names}): (.*?)(?=$|; (?:{names}): )", text, re.DOTALL)
    return dict(parts)
