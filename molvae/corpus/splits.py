"""Which molecules train the model, which watch it, and which it never sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd

from molvae.corpus.table import known_column
from molvae.errors import TableError
from molvae.settings import require

TRAIN, VALID, TEST, NO_SPLIT = 0, 1, 2, -1
"""Training molecules, those that early stopping looks at, those kept for the end; or none."""

SPLIT_NAMES = {TRAIN: "train", VALID: "valid", TEST: "test"}
"""What the parts are called in tables."""

METHODS = ("random", "scaffold")
"""How molecules are set apart: each for itself, or all of one Murcko scaffold together."""

HELD_OUT_SHARE = 0.05
"""The share of the training molecules that is held out unless another is asked for."""

HELD_OUT_MOST = 2_000
"""More than this aren't needed to choose weights by."""

_FEW = 20
"""A part that is smaller than one in so many is drawn molecule by molecule."""

_NAMES = {
    TRAIN: ("train", "training", "trn"),
    VALID: ("valid", "validation", "val", "dev"),
    TEST: ("test", "testing", "tst", "holdout", "held-out", "heldout"),
}
_PART_OF = {name: part for part, names in _NAMES.items() for name in names}


class SplitColumn:
    """A column that says for each row to which part it belongs, read chunk by chunk.

    Args:
        columns: Those of the table.
        name: The column; without one, all rows are for training.

    Raises:
        TableError: When the column isn't there.
    """

    def __init__(self, columns: Iterable[str], name: str | None) -> None:
        self._name = None if name is None else known_column(columns, name)
        self._trains = False
        self._seen: dict[str, None] = {}

    def read(self, table: pd.DataFrame) -> np.ndarray:
        """The parts of some rows, (N,) int8; `NO_SPLIT` where there is none."""
        if self._name is None:
            return np.full(len(table), TRAIN, dtype=np.int8)
        values = table[self._name].str.strip().str.lower()
        parts = values.map(_PART_OF).fillna(NO_SPLIT).to_numpy(dtype=np.int8)
        self._trains |= bool((parts == TRAIN).any())
        self._seen.update(dict.fromkeys(values.unique()[:3]))
        return parts

    def require_training(self) -> None:
        """Require that some row that was read is for training.

        Raises:
            TableError: When none is.
        """
        if self._name is None or self._trains:
            return
        raise TableError(
            f"No row is for training: the column {self._name!r} never says train, but "
            f"{', '.join(map(repr, list(self._seen)[:3]))}. Write train, valid or test."
        )


def split_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """The parts of all rows of a table, (N,) int8; see `SplitColumn`.

    Raises:
        TableError: When the column isn't there, or no value in it says train.
    """
    column = SplitColumn(table.columns, name)
    parts = column.read(table)
    column.require_training()
    return parts


def set_apart(
    split: np.ndarray,
    part: int,
    share: float,
    ids_of: Callable[[int], np.ndarray],
    counts: np.ndarray,
    *,
    seed: int | list[int],
    scaffolds: np.ndarray | None = None,
    most: int | None = None,
) -> None:
    """Move some of the training molecules to another part, in place.

    Molecules stay where they are when nothing that is left there has one of their tokens.

    Args:
        split: (N,) int8.
        part: `VALID` or `TEST`.
        share: How many go; 0 for none, else at least one. With scaffolds, as many whole ones as
            go into that share.
        ids_of: The token ids of a molecule, by its place.
        counts: How often each token occurs in the training molecules, (V,); kept up to date.
        seed: Which ones go.
        scaffolds: A number for each scaffold, (N,); molecules with one of them go together.
        most: Molecules that go at most.

    Raises:
        SettingsError: When the share isn't from 0 to below 1.
    """
    require(0 <= share < 1, f"The held-out share is from 0 to below 1, not {share:g}.")
    count = int((split == TRAIN).sum())
    if share == 0 or count < 2:
        return
    wanted = max(1, round(count * share))
    wanted = wanted if most is None else min(most, wanted)
    generator = np.random.default_rng(seed)
    groups = (
        _one_by_one(split, wanted, count, generator)
        if scaffolds is None
        else _by_scaffold(split, scaffolds, generator)
    )
    for places in groups:
        if wanted == 0:
            break
        if len(places) > wanted:
            continue
        ids = np.concatenate([ids_of(int(place)) for place in places])
        own = np.bincount(ids, minlength=len(counts))
        if (counts[own > 0] > own[own > 0]).all():
            counts -= own
            split[places] = part
            wanted -= len(places)


def _one_by_one(
    split: np.ndarray, wanted: int, count: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """The training molecules in a random order, of which so many are wanted."""
    if wanted * _FEW > count:
        yield from generator.permutation(np.flatnonzero(split == TRAIN))[:, None]
        return
    tried: set[int] = set()  # drawn, not permuted: that would take memory for all of them
    while len(tried) < count:
        for place in generator.integers(len(split), size=1024).tolist():
            if split[place] == TRAIN and place not in tried:
                tried.add(place)
                yield np.array([place])


def _by_scaffold(
    split: np.ndarray, scaffolds: np.ndarray, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """The training molecules of each scaffold together, in a random order."""
    train = np.flatnonzero(split == TRAIN)
    order = np.argsort(scaffolds[train], kind="stable")
    firsts = np.flatnonzero(np.diff(scaffolds[train][order])) + 1
    groups = np.split(train[order], firsts)
    return (groups[one] for one in generator.permutation(len(groups)))
