"""Work in processes: the order of results, and items that never come back."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from molvae import parallel
from molvae.parallel import ordered


def doubled(items: Sequence[int]) -> list[int]:
    """Twice each number; a negative one never comes back."""
    for item in items:
        while item < 0:
            time.sleep(1)
    return [2 * item for item in items]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    assert list(ordered(doubled, range(3_000), workers)) == list(range(0, 6_000, 2))
    assert list(ordered(doubled, [], workers)) == []


def test_what_hangs_is_given_up_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "PATIENCE", 4.0)
    monkeypatch.setattr(parallel, "LIMIT", 4.0)
    items = list(range(1, 2_501))
    for place in (3, 700):
        items[place] = -1
    expected = [2 * item if item > 0 else -1 for item in items]
    assert list(ordered(doubled, items, 2, given_up=-1)) == expected
