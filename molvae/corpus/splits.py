"""Which molecules train the model, which watch it, and which it never sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from molvae.corpus.table import known_column
from molvae.errors import TableError
from molvae.settings import require

TRAIN, VALID, TEST, NO_SPLIT = 0, 1, 2, -1
"""Training molecules, those that early stopping looks at, those kept for the end; or none."""

HELD_OUT_SHARE = 0.05
"""The share of the training molecules that is held out unless another is asked for."""

HELD_OUT_MOST = 2_000
"""More than this aren't needed to choose weights by."""

_NAMES = {
    TRAIN: ("train", "training", "trn"),
    VALID: ("valid", "validation", "val", "dev"),
    TEST: ("test", "testing", "tst", "holdout", "held-out", "heldout"),
}
_PART_OF = {name: part for part, names in _NAMES.items() for name in names}


def split_from_column(table: pd.DataFrame, name: str) -> np.ndarray:
    """Read the split of each row from a column, (N,) int8; `NO_SPLIT` where there is none.

    Raises:
        TableError: When the column isn't there, or no value in it says train.
    """
    values = table[known_column(table.columns, name)].str.strip().str.lower()
    splits = values.map(_PART_OF).fillna(NO_SPLIT).to_numpy(dtype=np.int8)
    if not (splits == TRAIN).any():
        raise TableError(
            f"No row is for training: the column {name!r} never says train, but "
            f"{', '.join(map(repr, values.unique()[:3]))}. Write train, valid or test."
        )
    return splits


def hold_out(
    split: np.ndarray, tokens: Sequence[Sequence[str]], share: float, seed: int
) -> np.ndarray:
    """Move a random part of the training molecules to `VALID`, unless there are some already.

    A molecule stays with the training set when it is the only one there to hold one of its
    tokens.

    Args:
        split: (N,) int8.
        tokens: The N token sequences.
        share: How many go, `HELD_OUT_MOST` at most; 0 for none, else at least one.
        seed: Which rows go.

    Raises:
        SettingsError: When the share isn't from 0 to below 1.
    """
    require(0 <= share < 1, f"The held-out share is from 0 to below 1, not {share:g}.")
    train: list[int] = np.flatnonzero(split == TRAIN).tolist()
    if share == 0 or (split == VALID).any() or len(train) < 2:
        return split
    wanted = min(HELD_OUT_MOST, max(1, round(len(train) * share)))
    holders = Counter(token for row in train for token in set(tokens[row]))
    chosen = split.copy()
    for row in np.random.default_rng(seed).permutation(train).tolist():
        if wanted == 0:
            break
        own = set(tokens[row])
        if all(holders[token] > 1 for token in own):
            holders.subtract(own)
            chosen[row] = VALID
            wanted -= 1
    return chosen
