"""Tanimoto similarities of many fingerprints with many others, in blocks of exact products."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

UNPACKED, TILE_ROWS, TILE_COLUMNS = 16_384, 1024, 2048
"""Fingerprints unpacked at a time, and the sides of the tiles whose similarities are in memory."""

EXACT_BFLOAT16 = 256
"""Whole numbers up to here are exact in bfloat16; so many bits may two fingerprints share."""


@dataclass(frozen=True)
class Neighbors:
    """The most similar reference of each query.

    Attributes:
        places: Which reference it is, the first among equals, (N,) int64.
        similarities: Tanimoto, 0 to 1, (N,) float32.
        close: References at least so similar as was asked, (N,) int64.
    """

    places: np.ndarray
    similarities: np.ndarray
    close: np.ndarray


def nearest(
    queries: np.ndarray,
    references: np.ndarray,
    *,
    close: float = 1.0,
    device: str | torch.device = "cpu",
) -> Neighbors:
    """Find the most similar reference of each query.

    Args:
        queries: Packed fingerprints, (N, bytes) uint8.
        references: The same, (M, bytes), M at least 1.
        close: The similarity from which on references are counted.
        device: Where the products are computed.
    """
    places = torch.zeros(len(queries), dtype=torch.int64)
    best = torch.full((len(queries),), -1.0)
    count = torch.zeros(len(queries), dtype=torch.int64)
    for rows, columns, similarities in _tiles(queries, references, torch.device(device)):
        values = similarities.amax(dim=1)
        # Few rows of a tile have anything better or close: only these are looked at again.
        better = torch.nonzero(values > best[rows].to(values.device))[:, 0]
        found = similarities[better].argmax(dim=1).cpu() + columns.start
        places[rows.start + better.cpu()] = found
        best[rows] = torch.maximum(best[rows], values.cpu())
        near = torch.nonzero(values >= close)[:, 0]
        count[rows.start + near.cpu()] += (similarities[near] >= close).sum(dim=1).cpu()
    return Neighbors(places.numpy(), best.numpy(), count.numpy())


def mean_powers(
    fingerprints: np.ndarray,
    weights: np.ndarray,
    powers: tuple[int, ...],
    *,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """The mean over all of similarity to the power p, for each fingerprint.

    Args:
        fingerprints: Packed, (N, bytes) uint8.
        weights: How often each counts, (N,).
        powers: The p, P of them.
        device: Where the products are computed.

    Returns:
        (P, N) float64.
    """
    place = torch.device(device)
    weight = torch.from_numpy(weights).to(place, torch.float32)
    sums = torch.zeros(len(powers), len(fingerprints), dtype=torch.float64)
    for rows, columns, similarities in _tiles(fingerprints, fingerprints, place):
        for row, power in enumerate(powers):
            weighted = similarities**power * weight[columns]
            sums[row, rows] += weighted.cpu().sum(dim=1, dtype=torch.float64)
    return np.asarray(sums.numpy() / weights.sum())


def paired(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Tanimoto similarity of each fingerprint to the one in the same row.

    Args:
        one: Packed fingerprints, (N, bytes) uint8.
        other: The same.

    Returns:
        (N,) float64, 0 to 1; 1 for two without any bit.

    >>> paired(np.array([[0b1110], [0]], np.uint8), np.array([[0b0111], [0]], np.uint8))
    array([0.5, 1. ])
    """
    shared = np.bitwise_count(one & other).sum(axis=1, dtype=np.int64)
    either = np.bitwise_count(one | other).sum(axis=1, dtype=np.int64)
    return np.asarray(np.where(either > 0, shared / np.maximum(either, 1), 1.0))


def nearest_other(fingerprints: np.ndarray, *, device: str | torch.device = "cpu") -> np.ndarray:
    """The similarity of each fingerprint to the most similar other one, (N,) float32; N >= 2."""
    best = torch.zeros(len(fingerprints))
    for rows, columns, similarities in _tiles(fingerprints, fingerprints, torch.device(device)):
        shared = range(max(rows.start, columns.start), min(rows.stop, columns.stop))
        for one in shared:
            similarities[one - rows.start, one - columns.start] = 0.0
        best[rows] = torch.maximum(best[rows], similarities.amax(dim=1).cpu())
    return best.numpy()


def _tiles(
    queries: np.ndarray, references: np.ndarray, device: torch.device
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Rows, columns and their similarities, (rows, columns) float32, until all were had."""
    for first in range(0, len(queries), UNPACKED):
        left, left_bits = _unpacked(queries[first : first + UNPACKED], device)
        for start in range(0, len(references), TILE_COLUMNS):
            right, right_bits = _unpacked(references[start : start + TILE_COLUMNS], device)
            columns = slice(start, start + len(right))
            for row in range(0, len(left), TILE_ROWS):
                tile = slice(row, row + TILE_ROWS)
                exact = _kind(left_bits[tile], right_bits)
                shared = (left[tile].to(exact) @ right.to(exact).T).float()
                either = left_bits[tile, None] + right_bits - shared
                similarities = shared.div_(either)
                empty = left_bits[tile] == 0, right_bits == 0
                if empty[0].any() and empty[1].any():  # those two are the same to a fingerprint
                    similarities[empty[0][:, None] & empty[1]] = 1.0
                rows = slice(first + row, first + row + len(similarities))
                yield rows, columns, similarities


def _unpacked(packed: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Bits as numbers, (N, bits) bfloat16, and how many are set, (N,) float32."""
    bits = torch.from_numpy(np.unpackbits(packed, axis=1)).to(device)
    return bits.to(torch.bfloat16), bits.sum(dim=1).float()


def _kind(left_bits: Tensor, right_bits: Tensor) -> torch.dtype:
    """The fastest kind of number in which the products are exact."""
    most = min(float(left_bits.max()), float(right_bits.max()))
    return _fastest(left_bits.device) if most <= EXACT_BFLOAT16 else torch.float32


@cache
def _fastest(device: torch.device) -> torch.dtype:
    """bfloat16, or float32 where that is faster: many processors only emulate bfloat16."""
    seconds = {}
    for kind in (torch.bfloat16, torch.float32):
        one = torch.ones(TILE_ROWS, 1024, device=device, dtype=kind)
        for _ in range(3):
            start = time.perf_counter()
            float((one @ one.T).sum())  # which waits for the device
            seconds[kind] = time.perf_counter() - start
    return min(seconds, key=seconds.__getitem__)
