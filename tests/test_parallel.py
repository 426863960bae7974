"""Work in processes: the order of results, and items that never come back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest

from molvae import parallel
from molvae.parallel import ordered, streamed


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


def test_little_is_held_where_results_are_read_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "AHEAD", 2)
    taken = []

    def chunks() -> Iterator[list[int]]:
        for place in range(40):
            taken.append(place)
            yield [place]

    for done, result in enumerate(streamed(doubled, chunks(), 2, given_up=-1), 1):
        assert result == [2 * (done - 1)]
        time.sleep(0.02)
        assert len(taken) <= done + 2 * 2
    assert done == 40


def test_an_error_in_what_is_read_is_raised() -> None:
    def chunks() -> Iterator[list[int]]:
        yield from ([place] for place in range(10))
        raise ValueError("the disk is gone")

    with pytest.raises(ValueError, match="the disk is gone"):
        list(streamed(doubled, chunks(), 2, given_up=-1))
