"""Work in several processes whose results come back in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import joblib

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 500
"""Items a worker takes at a time."""

SMALL = 4 * CHUNK
"""Fewer items than this are done in this process: starting others would cost more."""


def available_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered(
    work: Callable[[Sequence[Item]], list[Result]],
    items: Sequence[Item],
    workers: int | None = None,
) -> Iterator[Result]:
    """Yield the results of ``work``, an item each, in the order of the items.

    Args:
        work: A picklable function from a chunk of items to as many results.
        items: What is to be done.
        workers: The number of processes; by default one a core.
    """
    workers = available_cores() if workers is None else workers
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    if workers <= 1 or len(items) < SMALL:
        for chunk in chunks:
            yield from work(chunk)
        return
    pool = joblib.Parallel(n_jobs=workers, return_as="generator")
    for results in pool(joblib.delayed(work)(chunk) for chunk in chunks):
        yield from results
