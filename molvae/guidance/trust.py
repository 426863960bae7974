"""How far heads may be trusted, and which may guide a search."""

from __future__ import annotations

import math
from collections.abc import Mapping

WEAK_R2 = 0.3
"""Below this R2 on held-out molecules a head is too weak to guide.

It then leaves more than 70% of the variance unexplained: its errors are at least 0.84 standard
deviations of the property, and what a search gains along it is mostly the head's own error.
"""


def is_weak(r2: float | None) -> bool:
    """Whether a head is too weak to guide; one that can't be judged isn't called so.

    >>> is_weak(0.29), is_weak(0.3), is_weak(None)
    (True, False, False)
    """
    return r2 is not None and r2 < WEAK_R2


def error_of(mae: float) -> float:
    """The standard deviation of a Gaussian error, by its mean absolute size, in the same units.

    >>> round(error_of(0.3), 3)
    0.376
    """
    return mae * math.sqrt(math.pi / 2)


def caution(name: str, measured: Mapping[str, float | None]) -> str:
    """What to know before a head guides a search; empty when it may.

    Args:
        name: The property of the head.
        measured: R2 on held-out molecules of the heads that were measured.

    >>> caution("pic50", {"pic50": 0.12})
    'The head for pic50 is too weak to guide: R2 0.12 on held-out molecules, below 0.3.'
    """
    r2 = measured.get(name)
    if r2 is None:
        return f"How good the head for {name} is was never measured on held-out molecules."
    if is_weak(r2):
        return (
            f"The head for {name} is too weak to guide: "
            f"R2 {r2:.2f} on held-out molecules, below {WEAK_R2:g}."
        )
    return ""
