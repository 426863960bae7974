"""A batch of candidates: each the best for one draw of what is uncertain, none like another."""

from __future__ import annotations

import numpy as np
import pandas as pd

from molvae.guidance.columns import deviation_of
from molvae.guidance.hopes import Hoped
from molvae.guidance.objective import Objective
from molvae.guidance.surrogate import Features, tanimoto


def expected(objective: Objective, pool: pd.DataFrame, features: Features) -> pd.DataFrame:
    """The pool with predicted means, deviations and the score at the means.

    Args:
        objective: Whose measured terms are hopes.
        pool: A row for each of P molecules, with the columns of a search.
        features: Of the P molecules.
    """
    changed: dict[str, np.ndarray] = {}
    desirabilities = _desirabilities(objective, pool)
    for place, hope in _hopes(objective).items():
        mean, deviation = hope.surrogate.predict(features)
        column = objective.columns[place]
        changed |= {column: mean, deviation_of(column): deviation}
        desirabilities[:, place] = hope.aim.of(mean)
    return pool.assign(**changed, score=objective.score(desirabilities))


def drawn(
    objective: Objective,
    pool: pd.DataFrame,
    features: Features,
    *,
    count: int,
    max_similarity: float,
    seed: int,
) -> list[int]:
    """Places of a batch in the pool, in the order in which they were chosen.

    Thompson sampling: the values of all molecules are drawn together, and the best molecule is
    taken for each draw (for batches of molecules Hernández-Lobato et al., 2017, arXiv:1706.01825).

    Args:
        objective: Whose measured terms are hopes.
        pool: A row for each of P molecules, with the columns of a search.
        features: Of the P molecules.
        count: Molecules wanted.
        max_similarity: No two of them are so similar (Tanimoto, Morgan 2).
        seed: Of the draws.
    """
    if pool.empty:
        return []
    count = min(count, len(pool))
    desirabilities, hopes = _desirabilities(objective, pool), _hopes(objective)
    surrogates = {hope.column: hope.surrogate for hope in hopes.values()}
    values = {
        column: surrogate.draw(features, count, [seed, number])
        for number, (column, surrogate) in enumerate(surrogates.items())
    }
    free, chosen = np.ones(len(pool), dtype=bool), list[int]()
    for number in range(count):
        if not free.any():
            break
        for place, hope in hopes.items():
            desirabilities[:, place] = hope.aim.of(values[hope.column][number])
        best = int(np.argmax(np.where(free, objective.score(desirabilities), -np.inf)))
        chosen.append(best)
        free &= tanimoto(features.bits[[best]], features.bits)[0] < max_similarity
    return chosen


def _hopes(objective: Objective) -> dict[int, Hoped]:
    """The measured terms by their places."""
    quantities = enumerate(term.quantity for term in objective.terms)
    return {place: one for place, one in quantities if isinstance(one, Hoped)}


def _desirabilities(objective: Objective, pool: pd.DataFrame) -> np.ndarray:
    """Of each term, by the values in the pool, (P, T)."""
    pairs = zip(objective.columns, objective.terms, strict=True)
    return np.stack([term.aim.of(pool[column].to_numpy(float)) for column, term in pairs], axis=1)
