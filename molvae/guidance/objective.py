"""What a search is to reach: a number for a molecule, and which way is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from molvae.chem.molecules import parse
from molvae.chem.properties import PROPERTIES, compute
from molvae.codec import Codec
from molvae.errors import SettingsError, nearest

DIRECTIONS = ("max", "min", "target")


@dataclass(frozen=True)
class Objective:
    """A property to bring up, down, or to a target.

    Attributes:
        name: A property that RDKit computes, or one that a head of the model predicts.
        direction: "max", "min" or "target".
        target: The value to reach, for "target" alone.

    >>> Objective("logp", "target", 2.5).score(2.0)
    -0.5
    """

    name: str
    direction: str = "max"
    target: float | None = None

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise SettingsError(
                f"No direction {self.direction!r}.{nearest(self.direction, DIRECTIONS)}"
            )
        if (self.direction == "target") != (self.target is not None):
            raise SettingsError("A target value goes with the direction target, and with no other.")
        if self.target is not None and not math.isfinite(self.target):
            raise SettingsError(f"The target is a number, not {self.target}.")

    @property
    def computed(self) -> bool:
        """Whether RDKit computes it; else the value of a molecule is its head's prediction."""
        return self.name in PROPERTIES

    @property
    def column(self) -> str:
        """The name of its values in a table; predicted ones say so."""
        return self.name if self.computed else f"predicted_{self.name}"

    def score(self, value: float) -> float:
        """How good a value is; higher is better, and what is no number is worst."""
        if math.isnan(value):
            return -math.inf
        if self.target is not None:
            return -abs(value - self.target)
        return value if self.direction == "max" else -value

    def check(self, codec: Codec) -> None:
        """Refuse a property that neither RDKit nor the model knows.

        Raises:
            SettingsError: Naming the nearest.
        """
        known = [*PROPERTIES, *codec.property_names]
        if self.name not in known:
            raise SettingsError(f"No property {self.name!r}.{nearest(self.name, known)}")

    def values(self, codec: Codec, smiles: Sequence[str]) -> np.ndarray:
        """The value of each molecule, (N,): computed, or predicted from its own encoding."""
        if self.computed:
            return np.array([compute(parse(one), [self.name])[self.name] for one in smiles])
        place = codec.property_names.index(self.name)
        values: np.ndarray = codec.predict(codec.encode(smiles).mean)[:, place]
        return values
