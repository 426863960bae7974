"""An objective of which some terms were measured: what may be hoped of molecules that weren't."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from molvae.chem.properties import PROPERTIES
from molvae.codec import Codec, Encodings
from molvae.corpus.table import known_column
from molvae.errors import SettingsError, TableError, nearest
from molvae.guidance.columns import deviation_of
from molvae.guidance.desirability import Desirability
from molvae.guidance.measurements import Measurements
from molvae.guidance.objective import Objective, Term, placed
from molvae.guidance.quantities import Column, Predicted
from molvae.guidance.quantity import Measured, OfTheMolecule, Span
from molvae.guidance.surrogate import MOST, Features, Surrogate

LEAST = 5
"""Measured molecules below which nothing is learned."""

_SAME = 1e-9
"""Relative difference of means of replicates that may be rounding alone."""

HOPES = np.linspace(-1.0, 1.0, 9)
"""Standard deviations around the prediction, of which a hope takes the best."""


@dataclass(frozen=True, eq=False)
class Hoped(OfTheMolecule):
    """The best value that is within a standard deviation of what a surrogate predicts.

    Attributes:
        column: What was measured.
        surrogate: What was learned of it.
        aim: What is wanted of it.
    """

    column: str
    surrogate: Surrogate
    aim: Desirability
    span: Span = field(default=None, init=False)
    is_count: bool = field(default=True, init=False)

    @property
    def name(self) -> str:
        """Predicted values say so."""
        return f"predicted_{self.column}"

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Predict; no value for what the model can't encode."""
        encodings = codec.encode(smiles)
        values, usable = np.full(len(smiles), np.nan), np.flatnonzero(encodings.usable)
        if len(usable):
            mean, deviation = self.surrogate.predict(features_of(encodings.taken(usable)))
            hoped = mean[:, None] + HOPES * deviation[:, None]
            best = self.aim.of(hoped.ravel()).reshape(hoped.shape).argmax(axis=1)
            values[usable] = hoped[np.arange(len(best)), best]
        return Measured(values, encodings.reasons)


def features_of(encodings: Encodings) -> Features:
    """Molecules, all of them usable, as a surrogate compares them."""
    return Features.of(encodings.smiles, encodings.mean)


def bound(objective: Objective, columns: Sequence[str], codec: Codec) -> Objective:
    """The objective with names of columns taken for what was measured there.

    Raises:
        SettingsError: For a name that is neither a column, nor a property or head; or when no
            term is of a column.
        TableError: For a column that isn't there.
    """
    terms = []
    for term in objective.terms:
        with placed(term.place):
            terms.append(_bound(term, columns, codec))
    if not any(isinstance(term.quantity, Column) for term in terms):
        raise SettingsError(
            "No term is of a measured column, so there is nothing to learn from. Name one, as in "
            f"measured=COLUMN:max (columns: {', '.join(columns)}), or use optimize."
        )
    return replace(objective, terms=tuple(terms))


def _bound(term: Term, columns: Sequence[str], codec: Codec) -> Term:
    quantity = term.quantity
    if isinstance(quantity, Column):
        known_column(columns, quantity.name)
    if not isinstance(quantity, Predicted) or "predicted" in term.keys:
        return term
    if quantity.head in columns:
        return replace(term, quantity=Column(quantity.head))
    if quantity.head not in codec.property_names:
        known = [*columns, *PROPERTIES, *codec.property_names]
        hint = nearest(quantity.head, known)
        raise SettingsError(f"No column or property {quantity.head!r}.{hint}")
    return term


def measured_columns(objective: Objective) -> list[str]:
    """The columns that the terms of an objective are of, each once."""
    names = [one.quantity.name for one in objective.terms if isinstance(one.quantity, Column)]
    return list(dict.fromkeys(names))


def learned(measured: Measurements, columns: Sequence[str], seed: int) -> dict[str, Surrogate]:
    """A surrogate for each column; of more than `MOST` molecules some are drawn.

    Raises:
        TableError: For a column with too few molecules, or without two values that differ.
    """
    found = {}
    for name, values in zip(columns, measured.means.T, strict=True):
        there = np.flatnonzero(np.isfinite(values))
        if len(there) < LEAST:
            raise TableError(
                f"{name} has values of {len(there)} molecules that the model can encode; {LEAST} "
                "or more are needed. To begin with, make some that differ (`molvae generate`)."
            )
        if np.allclose(values[there], values[there[0]], rtol=_SAME, atol=0.0):
            raise TableError(f"All values of {name} are {values[there[0]]:g}: nothing to learn.")
        if len(there) > MOST:
            there = np.sort(np.random.default_rng(seed).choice(there, MOST, replace=False))
        features = features_of(measured.molecules.taken(there))
        found[name] = Surrogate.fitted(features, values[there])
    return found


def hoped(objective: Objective, surrogates: Mapping[str, Surrogate]) -> Objective:
    """The objective with the hopes for measured terms in place of these.

    Raises:
        SettingsError: When a term has the column of the deviations of another.
    """
    terms = []
    for term in objective.terms:
        if isinstance(term.quantity, Column):
            name = term.quantity.name
            term = replace(term, quantity=Hoped(name, surrogates[name], term.aim))
        terms.append(term)
    objective = replace(objective, terms=tuple(terms))
    pairs = zip(objective.columns, objective.terms, strict=True)
    deviations = {deviation_of(name) for name, one in pairs if isinstance(one.quantity, Hoped)}
    if taken := deviations.intersection(objective.columns):
        raise SettingsError(
            f"{min(taken)} would be a deviation and a value in one: rename a column of the table."
        )
    return objective
