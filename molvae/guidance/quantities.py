"""What is computed of molecules, to be judged by an objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from molvae.chem.filters import known_filter, objection
from molvae.chem.likeness import Likeness, pattern
from molvae.chem.molecules import parse
from molvae.chem.properties import PROPERTIES, compute, known_property
from molvae.codec import Codec
from molvae.errors import MoleculeError, SettingsError, nearest

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

    def check(self, codec: Codec) -> None:
        """Refuse what this model can't tell.

        Raises:
            SettingsError: Naming the nearest.
        """

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Find it for canonical SMILES."""


class _OfTheMolecule:
    """What needs no model."""

    def check(self, codec: Codec) -> None:
        """Nothing to refuse."""


@dataclass(frozen=True)
class Descriptor(_OfTheMolecule):
    """A property that RDKit computes: a name in `molvae.chem.properties.PROPERTIES`."""

    name: str

    @property
    def span(self) -> Span:
        """Of the property.

        Raises:
            SettingsError: When there is none of that name.
        """
        return known_property(self.name).span

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Compute it."""
        return Measured.all([compute(parse(one), [self.name])[self.name] for one in smiles])


@dataclass(frozen=True)
class Predicted:
    """What a head of the model says of a molecule, from the molecule's own encoding.

    Attributes:
        head: The property of the head.
    """

    head: str
    span: Span = field(default=None, init=False)

    @property
    def name(self) -> str:
        """Predicted values say so."""
        return f"predicted_{self.head}"

    def check(self, codec: Codec) -> None:
        """Refuse a head that the model doesn't have."""
        if self.head in codec.property_names:
            return
        if self.head in PROPERTIES:
            have = ", ".join(codec.property_names) or "none"
            raise SettingsError(f"The model has no head for {self.head!r} (heads: {have}).")
        known = [*PROPERTIES, *codec.property_names]
        raise SettingsError(f"No property {self.head!r}.{nearest(self.head, known)}")

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Encode, and ask the head; no value for what the model can't encode."""
        encodings = codec.encode(smiles)
        values = codec.predict(encodings.mean)[:, codec.property_names.index(self.head)]
        return Measured(values, encodings.reasons)


@dataclass(frozen=True)
class Similarity(_OfTheMolecule):
    """Tanimoto similarity to a compound, 0 to 1.

    Attributes:
        smiles: The compound.
        fingerprint: A name in `molvae.chem.fingerprints.FINGERPRINTS`.

    Raises:
        SettingsError: For what is no molecule, or an unknown fingerprint.
    """

    smiles: str
    fingerprint: str = "morgan2"
    name: str = field(default="similarity", init=False)
    span: Span = field(default=(0.0, 1.0), init=False)

    def __post_init__(self) -> None:
        try:
            _ = self._likeness
        except MoleculeError as error:
            raise SettingsError(f"{self.smiles}: {error}.") from None

    @cached_property
    def _likeness(self) -> Likeness:
        return Likeness(self.smiles, fingerprint=self.fingerprint, keep_scaffold=False)

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Compare the fingerprints."""
        return Measured.all([self._likeness.similarity(parse(one)) for one in smiles])


@dataclass(frozen=True)
class Substructure(_OfTheMolecule):
    """How often a SMARTS is found in a molecule, matches of the same atoms counted once.

    Attributes:
        smarts: The pattern.

    Raises:
        SettingsError: For what is no SMARTS.
    """

    smarts: str
    name: str = field(default="smarts", init=False)
    span: Span = field(default=None, init=False)

    def __post_init__(self) -> None:
        pattern(self.smarts)

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Count the matches."""
        query = pattern(self.smarts)
        return Measured.all([len(parse(one).GetSubstructMatches(query)) for one in smiles])


@dataclass(frozen=True)
class Filters(_OfTheMolecule):
    """1 for what passes all of some filters, else 0.

    Attributes:
        filters: Names in `molvae.chem.filters.FILTERS`.

    Raises:
        SettingsError: For an unknown one.
    """

    filters: tuple[str, ...]
    name: str = field(default="filters", init=False)
    span: Span = field(default=(0.0, 1.0), init=False)

    def __post_init__(self) -> None:
        for name in self.filters:
            known_filter(name)

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Apply them."""
        return Measured.all([float(not objection(parse(one), self.filters)) for one in smiles])
