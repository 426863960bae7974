"""How much of what a search asks for each way to propose may bring."""

from __future__ import annotations

import numpy as np


class Earnings:
    """What each of M ways to propose brought and what it cost, of late.

    Args:
        ways: How many there are.
        cost: What each counts as having cost for one success, at the beginning.
    """

    LEAST_SHARE = 0.05
    """Of what is asked for, of each way, whatever it brings."""

    MEMORY = 0.95
    """What remains of earnings and costs each time molecules are asked for."""

    def __init__(self, ways: int, cost: float) -> None:
        self._earned = np.ones(ways)
        self._cost = np.full(ways, float(cost))

    @property
    def shares(self) -> np.ndarray:
        """Of what is asked for, the share of each way, (M,): by what it brings for its cost."""
        rates = (self._earned + 1e-9) / self._cost
        least = min(self.LEAST_SHARE, 1 / len(rates))
        shares = least + (1 - least * len(rates)) * rates / rates.sum()
        exact: np.ndarray = shares / shares.sum()  # to the last digit, as numpy wants it
        return exact

    def fade(self) -> None:
        """Forget some of what was before."""
        self._earned *= self.MEMORY
        self._cost *= self.MEMORY

    def pay(self, way: int, *, success: bool) -> None:
        """One molecule of a way was evaluated, with success or without."""
        self._cost[way] += 1
        self._earned[way] += success
