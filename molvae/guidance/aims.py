"""How what is wanted of a value is written. A new form is a line in `AIMS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from molvae.guidance.desirability import Curve, Desirability, Pair, Ramp, Range, Target
from molvae.settings import number, require


@dataclass(frozen=True)
class Aim:
    """How a form is written.

    Attributes:
        make: From what was written to the form.
        written: How it stands in a shorthand.
        meaning: What it is, in a few words.
        has_width: Whether a width may be given with it.
        of_counts: Whether it makes sense of counts only.
    """

    make: Callable[..., Desirability]
    written: str
    meaning: str
    has_width: bool = False
    of_counts: bool = False


def _pair(name: str, given: Any) -> Pair:
    require(
        isinstance(given, Sequence) and not isinstance(given, str) and len(given) == 2,
        f"{name} is two numbers, not {given!r:.60}.",
    )
    return number(name, given[0]), number(name, given[1])


def _ramp(name: str, given: Any, *, rising: bool) -> Ramp:
    """Without bounds it takes the span of the quantity, where that has one."""
    return Ramp(None if given is True else _pair(name, given), rising)


def _match(name: str, given: Any, *, rising: bool) -> Ramp:
    require(given is True, f"{name} stands alone, without {given!r:.60}.")
    return Ramp((0.0, 1.0), rising)


def _curve(given: Any) -> Curve:
    require(isinstance(given, list), f"curve is a list of points, not {given!r:.60}.")
    return Curve(tuple(_pair("a point of a curve", point) for point in given))


AIMS: dict[str, Aim] = {
    "max": Aim(lambda given: _ramp("max", given, rising=True), "max or max=LOW..HIGH",
               "more is better: 0 at LOW, 1 at HIGH"),
    "min": Aim(lambda given: _ramp("min", given, rising=False), "min or min=LOW..HIGH",
               "less is better: 1 at LOW, 0 at HIGH"),
    "target": Aim(lambda given, width=None: Target(number("target", given), width),
                  "target=VALUE or target=VALUE,width=WIDTH",
                  "near a value: a Gaussian around it", True),
    "range": Aim(lambda given, width=None: Range(_pair("range", given), width),
                 "range=LOW..HIGH or range=LOW..HIGH,width=WIDTH",
                 "1 between the bounds; outside 0, or a Gaussian of the distance", True),
    "curve": Aim(_curve, "curve=VALUE/HEIGHT..VALUE/HEIGHT", "lines between points"),
    "present": Aim(lambda given: _match("present", given, rising=True), "present",
                   "1 for a count of 1 or more, 0 for none", of_counts=True),
    "absent": Aim(lambda given: _match("absent", given, rising=False), "absent",
                  "0 for a count of 1 or more, 1 for none", of_counts=True),
}  # fmt: skip
"""Name to form; the names are also keys of a term."""
