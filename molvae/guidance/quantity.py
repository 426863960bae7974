"""What is computed of molecules, to be judged by an objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from molvae.codec import Codec

Span = tuple[float, float] | None


@dataclass(frozen=True)
class Measured:
    """What was found.

    Attributes:
        numbers: One a molecule, (N,) float64; NaN where there is none.
        reasons: Why there is none, N texts, empty where there is one.
    """

    numbers: np.ndarray
    reasons: list[str]

    @classmethod
    def all(cls, values: list[float]) -> Measured:
        """Of a quantity that every molecule has."""
        return cls(np.array(values, dtype=np.float64), [""] * len(values))


class Quantity(Protocol):
    """A number for a molecule."""

    @property
    def name(self) -> str:
        """Its column in a table."""

    @property
    def span(self) -> Span:
        """Its lowest and highest possible value, where both are known."""

    @property
    def is_count(self) -> bool:
        """Whether its values are, or may be, counts."""

    def fitted(self, codec: Codec) -> Quantity:
        """The quantity for this model.

        Raises:
            SettingsError: For what the model can't tell, naming the nearest.
        """

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Find it for canonical SMILES."""


class OfTheMolecule:
    """What needs no model."""

    def fitted(self, codec: Codec) -> Self:
        """The same for every model."""
        return self
