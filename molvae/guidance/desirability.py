"""How desirable a value is, from 0 to 1.

The forms are those of Derringer and Suich (1980, doi:10.1080/00224065.1980.11980968) with straight
ramps; what falls off with a width is a Gaussian, whose standard deviation the width is.

A form without bounds or width has no scale: it gives numbers that are only higher for the better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from molvae.settings import require

Pair = tuple[float, float]


class Desirability(Protocol):
    """A form."""

    @property
    def has_scale(self) -> bool:
        """Whether it gives numbers from 0 to 1."""

    @property
    def best(self) -> Pair:
        """Between which values nothing can be gained."""

    def of(self, values: np.ndarray) -> np.ndarray:
        """Of values, (N,): NaN of NaN, else higher for the better, (N,)."""


@dataclass(frozen=True)
class Ramp:
    """Up from one bound to the other, or down.

    Attributes:
        bounds: Below the first and above the second nothing changes; None for no scale.
        rising: Whether more is better.

    >>> Ramp((2.0, 4.0)).of(np.array([1.0, 2.5, 9.0])).tolist()
    [0.0, 0.25, 1.0]
    >>> Ramp((2.0, 4.0), rising=False).of(np.array([1.0, 2.5, 9.0])).tolist()
    [1.0, 0.75, 0.0]
    >>> Ramp(rising=False).of(np.array([300.0])).tolist()
    [-300.0]
    """

    bounds: Pair | None = None
    rising: bool = True

    def __post_init__(self) -> None:
        if self.bounds is not None:
            low, high = self.bounds
            require(low != high, f"The bounds of max and min differ; both of these are {low:g}.")
            _check_order(self.bounds)
            _check_span(low, high)

    @property
    def has_scale(self) -> bool:
        """Whether it has bounds."""
        return self.bounds is not None

    @property
    def best(self) -> Pair:
        """From the better bound on."""
        low, high = self.bounds or (-np.inf, np.inf)
        return (high, np.inf) if self.rising else (-np.inf, low)

    def of(self, values: np.ndarray) -> np.ndarray:
        """Linear between the bounds; without them the value, or its negative."""
        if self.bounds is None:
            return values if self.rising else -values
        low, high = self.bounds
        risen: np.ndarray = (np.clip(values, low, high) - low) / (high - low)
        return risen if self.rising else 1.0 - risen


@dataclass(frozen=True)
class Target:
    """A value to come near to: exp(-(distance / width)^2 / 2).

    Attributes:
        value: The value.
        width: Standard deviation of the Gaussian; None for no scale.

    >>> Target(2.5, 0.5).of(np.array([2.5, 3.0])).round(4).tolist()
    [1.0, 0.6065]
    """

    value: float
    width: float | None = None

    def __post_init__(self) -> None:
        _check_width(self.width)

    @property
    def has_scale(self) -> bool:
        """Whether it has a width."""
        return self.width is not None

    @property
    def best(self) -> Pair:
        """The value itself."""
        return (self.value, self.value)

    def of(self, values: np.ndarray) -> np.ndarray:
        """The Gaussian of the distance; without a width the distance, negative."""
        distance = np.abs(values - self.value)
        return -distance if self.width is None else _gaussian(distance, self.width)


@dataclass(frozen=True)
class Range:
    """1 between two bounds, the bounds included; outside a Gaussian of the distance, or 0.

    Attributes:
        bounds: The bounds; infinity for none.
        width: Standard deviation of the Gaussian; None for 0 outside.

    >>> Range((300.0, 400.0)).of(np.array([299.9, 300.0, 450.0])).tolist()
    [0.0, 1.0, 0.0]
    >>> Range((300.0, 400.0), 50.0).of(np.array([450.0])).round(4).tolist()
    [0.6065]
    """

    bounds: Pair
    width: float | None = None

    def __post_init__(self) -> None:
        _check_order(self.bounds)
        if all(map(math.isfinite, self.bounds)):
            _check_span(*self.bounds)
        _check_width(self.width)

    has_scale = True

    @property
    def best(self) -> Pair:
        """The bounds."""
        return self.bounds

    def of(self, values: np.ndarray) -> np.ndarray:
        """1 inside."""
        distance = np.abs(values - np.clip(values, *self.bounds))
        if self.width is not None:
            return _gaussian(distance, self.width)
        return np.where(np.isnan(values), np.nan, distance == 0)


@dataclass(frozen=True)
class Curve:
    """Straight lines between points; before the first and behind the last nothing changes.

    Attributes:
        points: Two or more, of a value and its desirability, by rising value.

    >>> Curve(((250.0, 0.0), (300.0, 1.0), (400.0, 0.5))).of(np.array([275.0, 999.0])).tolist()
    [0.5, 0.5]
    """

    points: tuple[Pair, ...]

    def __post_init__(self) -> None:
        values = [value for value, _ in self.points]
        require(len(values) > 1, "A curve has two points or more.")
        _check_span(values[0], values[-1])
        require(
            all(one < other for one, other in pairwise(values)),
            f"The values of a curve rise; these are {values}.",
        )
        require(
            all(0 <= height <= 1 for _, height in self.points),
            "The heights of a curve are desirabilities, from 0 to 1.",
        )

    has_scale = True

    @property
    def best(self) -> Pair:
        """From the first of its highest points to the last that the line stays as high to."""
        heights = [height for _, height in self.points]
        first = last = heights.index(max(heights))
        while last + 1 < len(heights) and heights[last + 1] == heights[first]:
            last += 1
        return (
            self.points[first][0] if first else -math.inf,
            self.points[last][0] if last + 1 < len(heights) else math.inf,
        )

    def of(self, values: np.ndarray) -> np.ndarray:
        """The height of the line."""
        places, heights = zip(*self.points, strict=True)
        height: np.ndarray = np.interp(values, places, heights)
        return height


def _gaussian(distance: np.ndarray, width: float) -> np.ndarray:
    with np.errstate(over="ignore"):  # so far away it is 0
        height: np.ndarray = np.exp(-0.5 * (distance / width) ** 2)
    return height


def _check_order(bounds: Pair) -> None:
    low, high = bounds
    require(low <= high, f"The lower bound comes first; these are {low:g} and {high:g}.")


def _check_span(low: float, high: float) -> None:
    require(math.isfinite(high - low), f"{low:g} to {high:g} is more than a number can span.")


def _check_width(width: float | None) -> None:
    require(width is None or width > 0, f"width is a number above 0, not {width}.")
