"""Work in several processes whose results come back in order."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import joblib

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 500
"""Items a worker takes at a time."""

SMALL = 4 * CHUNK
"""Fewer items than this are done in this process: starting others would cost more."""

PATIENCE = 120.0
"""Seconds that a chunk may take before its items are done one by one."""

LIMIT = 30.0
"""Seconds that an item alone may take before it is given up."""

GIVEN_UP = f"given up: it took more than {LIMIT:.0f} seconds"
"""The reason of an item that was."""

_Work = Callable[[Sequence[Item]], list[Result]]


def available_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered(
    work: _Work[Item, Result],
    items: Sequence[Item],
    workers: int | None = None,
    *,
    given_up: Result | None = None,
) -> Iterator[Result]:
    """Yield the results of ``work``, an item each, in the order of the items.

    Args:
        work: A picklable function from a chunk of items to as many results.
        items: What is to be done.
        workers: The number of processes; by default one a core.
        given_up: The result of an item that hangs; see `streamed`.
    """
    chunks = (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
    workers = 1 if len(items) < SMALL else workers
    for results in streamed(work, chunks, workers, given_up=given_up):
        yield from results


def streamed(
    work: _Work[Item, Result],
    chunks: Iterable[Sequence[Item]],
    workers: int | None = None,
    *,
    given_up: Result | None = None,
) -> Iterator[list[Result]]:
    """Yield the results of chunks of items, in their order; few chunks are held at a time.

    C++ that hangs ends with its process only. When there is a result to put in its place,
    an item that does so is given up: its process is killed and another one started. Work that is
    done in this process, as it is for one worker, is waited for.

    Args:
        work: A picklable function from a chunk of items to as many results.
        chunks: What is to be done, taken as it is needed; some `CHUNK` items each.
        workers: The number of processes; by default one a core.
        given_up: The result of an item that hangs; without one there is no limit.
    """
    workers = available_cores() if workers is None else workers
    if workers <= 1:
        yield from (work(chunk) for chunk in chunks)
    elif given_up is None:
        yield from _pooled(work, chunks, workers, None)
    else:
        yield from _limited(work, chunks, workers, given_up)


def _limited(
    work: _Work[Item, Result], chunks: Iterable[Sequence[Item]], workers: int, given_up: Result
) -> Iterator[list[Result]]:
    """The results of chunks; one that takes too long is done again, item by item."""
    for chunk, results in _until_late(work, chunks, workers, PATIENCE):
        if results is None:
            alone = _until_late(work, [[item] for item in chunk], workers, LIMIT)
            results = [given_up if result is None else result[0] for _, result in alone]
        yield results


def _until_late(
    work: _Work[Item, Result], chunks: Iterable[Sequence[Item]], workers: int, limit: float
) -> Iterator[tuple[Sequence[Item], list[Result] | None]]:
    """Each chunk with its results, or None when it took longer than that many seconds."""
    left = iter(chunks)
    while True:
        feed = _Feed(left)
        try:
            for results in _pooled(work, feed, workers, limit):
                yield feed.taken.popleft(), results
        except multiprocessing.TimeoutError:  # joblib has killed its processes and starts others
            yield feed.taken.popleft(), None
            left = itertools.chain(feed.taken, left)
        else:
            return


class _Feed(Iterator[Item]):
    """What is taken of an iterator and not yet done."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items, self.taken = items, deque[Item]()

    def __next__(self) -> Item:
        item = next(self._items)
        self.taken.append(item)
        return item


def _pooled(
    work: _Work[Item, Result],
    chunks: Iterable[Sequence[Item]],
    workers: int,
    limit: float | None,
) -> Iterator[list[Result]]:
    # A batch of several chunks would be given the time of one.
    pool = joblib.Parallel(n_jobs=workers, return_as="generator", timeout=limit, batch_size=1)
    # joblib takes chunks in threads of its own, where an error would be lost.
    raised: list[Exception] = []
    results: Iterator[list[Result]] = pool(
        joblib.delayed(work)(chunk) for chunk in _until_error(chunks, raised)
    )
    yield from results
    for error in raised:
        raise error


def _until_error(items: Iterable[Item], raised: list[Exception]) -> Iterator[Item]:
    """The items, up to an error, which is put into the list."""
    try:
        yield from items
    except Exception as error:  # noqa: BLE001  (whatever it is, it is raised where the results end)
        raised.append(error)
