"""The quantities there are; a function of the user's is one more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from molvae.chem.filters import known_filter, objection
from molvae.chem.likeness import Likeness, pattern
from molvae.chem.molecules import canonical_many, parse
from molvae.chem.properties import PROPERTIES, compute, known_property
from molvae.codec import Codec
from molvae.errors import MoleculeError, SettingsError, nearest
from molvae.guidance.quantity import Measured, OfTheMolecule, Span
from molvae.settings import require


@dataclass(frozen=True)
class Descriptor(OfTheMolecule):
    """A property that RDKit computes: a name in `molvae.chem.properties.PROPERTIES`."""

    name: str

    @property
    def span(self) -> Span:
        """Of the property.

        Raises:
            SettingsError: When there is none of that name.
        """
        return known_property(self.name).span

    @property
    def is_count(self) -> bool:
        """Of the property."""
        return known_property(self.name).is_count

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
    is_count: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """Predicted values say so."""
        return f"predicted_{self.head}"

    def fitted(self, codec: Codec) -> Predicted:
        """The same, unless the model has no such head."""
        if self.head in (*PROPERTIES, *codec.property_names):
            check_head(self.head, codec, f"take property={self.head}, which RDKit computes")
            return self
        known = [*PROPERTIES, *codec.property_names]
        hint = if_compound(self.head) or nearest(self.head, known)
        raise SettingsError(f"No property {self.head!r}.{hint}")

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Encode, and ask the head; no value for what the model can't encode."""
        encodings = codec.encode(smiles)
        values = codec.predict(encodings.mean)[:, codec.property_names.index(self.head)]
        return Measured(values, encodings.reasons)


def of_property(name: str) -> Descriptor | Predicted:
    """What RDKit computes of that name, or else a head predicts."""
    return Descriptor(name) if name in PROPERTIES else Predicted(name)


def check_head(name: str, codec: Codec, otherwise: str = "") -> None:
    """Refuse what the model has no head for.

    Args:
        name: The property of the head.
        codec: The model.
        otherwise: What else can be done.

    Raises:
        SettingsError: Naming the nearest, and how to train one.
    """
    hint = nearest(name, codec.property_names)
    remedy = f"Train one with --property {name}" + (f", or {otherwise}" if otherwise else "")
    require(name in codec.property_names, f"The model has no head for {name!r}.{hint} {remedy}.")


@dataclass(frozen=True)
class Similarity(OfTheMolecule):
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
    is_count: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        try:
            _ = self._likeness
        except MoleculeError as error:
            raise SettingsError(f"{self.smiles}: {error}.") from None

    @cached_property
    def _likeness(self) -> Likeness:
        return Likeness(self.smiles, fingerprint=self.fingerprint, keep_scaffold=False)

    def fitted(self, codec: Codec) -> Similarity:
        """To the compound as the model sees molecules: a salt can't be reached, its base can."""
        encodings = codec.encode([self.smiles])
        (standard,), (reason,) = encodings.smiles, encodings.reasons
        if reason and "." in self.smiles:
            raise SettingsError(f"{self.smiles}: {reason}. Name one compound.")
        return replace(self, smiles=standard or codec.form([self.smiles])[0] or self.smiles)

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Compare the fingerprints."""
        return Measured.all([self._likeness.similarity(parse(one)) for one in smiles])


@dataclass(frozen=True)
class Column:
    """A column of measured values, which only `molvae.guidance.suggestion` can tell of molecules.

    Attributes:
        name: Of the column.
    """

    name: str
    span: Span = field(default=None, init=False)
    is_count: bool = field(default=True, init=False)  # it may be one

    def fitted(self, codec: Codec) -> Column:
        """Refuse to be asked.

        Raises:
            SettingsError: Always.
        """
        raise SettingsError(
            f"Measured values of {self.name} are for suggest, which is told them; a search asks."
        )

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """No value of any molecule."""
        reason = f"{self.name} wasn't measured"
        return Measured(np.full(len(smiles), np.nan), [reason] * len(smiles))


def if_compound(text: str) -> str:
    """A hint for a compound that stands where a name should; empty for what is none."""
    (smiles,) = canonical_many([text])
    return f" If it is a compound, say similarity={text}." if smiles else ""


@dataclass(frozen=True)
class Substructure(OfTheMolecule):
    """How often a SMARTS is found in a molecule, matches of the same atoms counted once.

    Attributes:
        smarts: The pattern.

    Raises:
        SettingsError: For what is no SMARTS.
    """

    smarts: str
    name: str = field(default="smarts", init=False)
    span: Span = field(default=None, init=False)
    is_count: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        pattern(self.smarts)

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Count the matches."""
        query = pattern(self.smarts)
        return Measured.all([len(parse(one).GetSubstructMatches(query)) for one in smiles])


@dataclass(frozen=True)
class Filters(OfTheMolecule):
    """1 for what passes all of some filters, else 0.

    Attributes:
        filters: Names in `molvae.chem.filters.FILTERS`.

    Raises:
        SettingsError: For an unknown one.
    """

    filters: tuple[str, ...]
    name: str = field(default="filters", init=False)
    span: Span = field(default=(0.0, 1.0), init=False)
    is_count: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        for name in self.filters:
            known_filter(name)

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Apply them."""
        return Measured.all([float(not objection(parse(one), self.filters)) for one in smiles])
