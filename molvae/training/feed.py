"""The stream of batches that training takes, from any place on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from molvae.corpus.batches import Batch, Batches

_AHEAD = 8
"""Batches that each process keeps ready."""


def feed(batches: Batches, epoch: int, place: int, workers: int) -> Iterator[Batch]:
    """Batches from a place of an epoch on, without end.

    Args:
        batches: Where they come from.
        epoch: From 0.
        place: Within the epoch, from 0.
        workers: Processes that make batches ahead when these cost chemistry; fewer than two make
            each here, when it is asked for.
    """
    places = _places(len(batches), epoch, place)
    if workers < 2 or not batches.costs_chemistry:
        return (batches[at] for at in places)
    return iter(
        DataLoader(
            batches,  # type: ignore[arg-type]  # what is asked of a data set: an item at a place
            batch_size=None,
            sampler=places,
            num_workers=workers,
            prefetch_factor=_AHEAD,
            collate_fn=_as_it_is,
            worker_init_fn=_deaf,
        )
    )


def _places(length: int, epoch: int, place: int) -> Iterator[tuple[int, int]]:
    while True:
        yield from ((epoch, one) for one in range(place, length))
        epoch, place = epoch + 1, 0


def _as_it_is(batch: Any) -> Any:
    return batch


def _deaf(worker: int) -> None:
    """Leave signals to the process that trains; when it ends, this one does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
