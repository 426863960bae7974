"""Work in several processes whose results come back in order."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import joblib

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 500
"""Items a worker takes at a time, at most."""

AHEAD = 32
"""Chunks for each worker that are taken, and whose results are kept, at a time."""

SMALL, SLIGHT = 1_000, 100
"""Fewer items than this are done in this process: starting others would cost more, and once they
are there, handing over the items."""

PATIENCE = 120.0
"""Seconds that a chunk may take before its items are done one by one."""

LIMIT = 30.0
"""Seconds that an item alone may take before it is given up."""

GIVEN_UP = f"given up: it took more than {LIMIT:.0f} seconds"
"""The reason of an item that was."""

LINGERING = 200.0
"""Seconds for which joblib surely keeps processes that have nothing to do."""

_used = -math.inf
"""When other processes were last given work, by `time.monotonic`."""

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
    workers = available_cores() if workers is None else workers
    if len(items) < (SLIGHT if time.monotonic() - _used < LINGERING else SMALL):
        workers = 1
    size = max(1, min(CHUNK, -(-len(items) // max(1, workers))))
    chunks = (items[start : start + size] for start in range(0, len(items), size))
    for results in streamed(work, chunks, workers, given_up=given_up):
        yield from results


def streamed(
    work: _Work[Item, Result],
    chunks: Iterable[Sequence[Item]],
    workers: int | None = None,
    *,
    given_up: Result | None = None,
) -> Iterator[list[Result]]:
    """Yield the results of chunks of items, in their order; few of them are held at a time.

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
        return
    left = iter(chunks)
    # joblib takes as much ahead as there is, so that a slow reader would find all in memory.
    while some := list(itertools.islice(left, AHEAD * workers)):
        if given_up is None:
            yield from _pooled(work, some, workers, None)
        else:
            yield from _limited(work, some, workers, given_up)


def _limited(
    work: _Work[Item, Result], chunks: Sequence[Sequence[Item]], workers: int, given_up: Result
) -> Iterator[list[Result]]:
    """The results of chunks; one that takes too long is done again, item by item."""
    for chunk, results in _until_late(work, chunks, workers, PATIENCE):
        if results is None:
            alone = _until_late(work, [[item] for item in chunk], workers, LIMIT)
            results = [given_up if result is None else result[0] for _, result in alone]
        yield results


def _until_late(
    work: _Work[Item, Result], chunks: Sequence[Sequence[Item]], workers: int, limit: float
) -> Iterator[tuple[Sequence[Item], list[Result] | None]]:
    """Each chunk with its results, or None when it took longer than that many seconds."""
    done = 0
    while done < len(chunks):
        try:
            for results in _pooled(work, chunks[done:], workers, limit):
                done += 1
                yield chunks[done - 1], results
        except multiprocessing.TimeoutError:  # joblib has killed its processes and starts others
            done += 1
            yield chunks[done - 1], None


def _pooled(
    work: _Work[Item, Result],
    chunks: Sequence[Sequence[Item]],
    workers: int,
    limit: float | None,
) -> Iterator[list[Result]]:
    global _used
    _used = time.monotonic()
    # A batch of several chunks would be given the time of one.
    pool = joblib.Parallel(n_jobs=workers, return_as="generator", timeout=limit, batch_size=1)
    results: Iterator[list[Result]] = pool(joblib.delayed(work)(chunk) for chunk in chunks)
    return results
