"""Conditions on properties: how they are written, and how likely a head says they are met.

::

    logp=2.5+-0.3      near 2.5: a Gaussian whose standard deviation is 0.3
    logp=1..3          between the two
    qed>0.8, qed<0.8   above, below
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from molvae.codec import Codec
from molvae.errors import SettingsError
from molvae.guidance.desirability import Range, Target
from molvae.guidance.objective import placed
from molvae.guidance.quantities import check_head, of_property
from molvae.guidance.shorthand import between_dots
from molvae.settings import number, require

_LEAST_VARIANCE = 1e-30

FORMS = "NAME=VALUE+-WIDTH, NAME=LOW..HIGH, NAME>VALUE or NAME<VALUE"

_WRITTEN = re.compile(r"\s*(?P<name>[^=<>]*[^=<>\s])\s*(?P<sign>[=<>])(?P<rest>[^=<>]*)")


@dataclass(frozen=True)
class Likelihood:
    """How likely a condition is met.

    Attributes:
        nats: Log of the probability, up to a constant, (N,).
        slope: Its derivative by what the head says, (N,).
    """

    nats: np.ndarray
    slope: np.ndarray


@dataclass(frozen=True)
class Condition:
    """What is wanted of a property.

    Attributes:
        name: The property, which the model has a head for.
        aim: Desirable values. A range may be open at one end.
        error: Standard deviation of what the head says about the property; 0 where it isn't known.
        text: As it was written.
    """

    name: str
    aim: Target | Range
    error: float = 0.0
    text: str = ""

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Whether values of the property, (N,), are in the range, or within a width of the target.

        >>> parsed("logp=2.5+-0.3").holds(np.array([2.1, 2.2, 2.9])).tolist()
        [False, True, False]
        """
        aim = self.aim
        if isinstance(aim, Target):
            held: np.ndarray = np.abs(values - aim.value) <= (aim.width or 0)
        else:
            held = aim.of(values) == 1
        return held

    def likelihood(self, predicted: np.ndarray) -> Likelihood:
        """Of the values that a head predicts, (N,).

        The desirability of the property, averaged over N(predicted, error^2): of a Gaussian
        target it is a Gaussian of variance width^2 + error^2, of a range a difference of two
        normal distribution functions.
        """
        if isinstance(self.aim, Target):
            variance = max((self.aim.width or 0) ** 2 + self.error**2, _LEAST_VARIANCE)
            distance = predicted - self.aim.value
            return Likelihood(-0.5 * distance**2 / variance, -distance / variance)
        if not self.error:
            inside = self.aim.of(predicted) == 1
            return Likelihood(np.where(inside, 0.0, -np.inf), np.zeros(len(predicted)))
        low, high = ((bound - predicted) / self.error for bound in self.aim.bounds)
        nats = _log_between(low, high)
        with np.errstate(over="ignore"):
            slope = np.exp(_log_density(low) - nats) - np.exp(_log_density(high) - nats)
        return Likelihood(nats, slope / self.error)


def _log_density(standard: np.ndarray) -> np.ndarray:
    """Log N(x; 0, 1): (N,) to (N,)."""
    nats: np.ndarray = -0.5 * standard**2 - 0.5 * math.log(2 * math.pi)
    return nats


def _log_between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Log of the mass of N(0, 1) between bounds, precise in the tails: (N,) and (N,) to (N,)."""
    # In the lower tail, where the masses are small numbers that differ.
    flipped = low + high > 0
    low, high = np.where(flipped, -high, low), np.where(flipped, -low, high)
    below, above = (torch.special.log_ndtr(torch.from_numpy(one)).numpy() for one in (low, high))
    with np.errstate(divide="ignore"):
        nats: np.ndarray = above + np.log1p(-np.exp(below - above))
    return nats


@dataclass(frozen=True)
class Conditions:
    """Conditions that a molecule shall meet, all of them.

    The errors of different heads are taken to be independent.

    Attributes:
        each: One or more, of different properties.
    """

    each: tuple[Condition, ...]

    def __str__(self) -> str:
        return ", ".join(one.text for one in self.each)

    def log_likelihood(self, codec: Codec, latents: np.ndarray) -> np.ndarray:
        """Log p(conditions | z) by the heads, in nats up to a constant: (N, D) to (N,) float64."""
        each = [one.nats for one in self._likelihoods(codec, latents)]
        nats: np.ndarray = np.sum(each, axis=0)
        return nats

    def log_likelihood_of(self, codec: Codec, smiles: Sequence[str]) -> np.ndarray:
        """Log p(conditions | molecule) of canonical SMILES, in nats up to a constant: (N,) float64.

        -inf where a condition is a range that isn't met, and for what is no molecule.
        """
        there = np.array([bool(one) for one in smiles])
        nats = np.where(there, 0.0, -np.inf)
        molecules = [one for one in smiles if one]
        for one in self.each if molecules else ():
            exactly = replace(one, error=0.0)
            values = of_property(one.name).measure(codec, molecules).numbers
            known = np.where(np.isnan(values), -np.inf, exactly.likelihood(values).nats)
            nats[there] += known
        return nats

    def slope(self, codec: Codec, latents: np.ndarray) -> np.ndarray:
        """Gradient of `log_likelihood`, in nats per latent unit: (N, D) to (N, D)."""
        parts = [
            one.slope[:, None] * codec.slope(latents, condition.name)
            for condition, one in zip(self.each, self._likelihoods(codec, latents), strict=True)
        ]
        slope: np.ndarray = np.sum(parts, axis=0)
        return slope

    def _likelihoods(self, codec: Codec, latents: np.ndarray) -> list[Likelihood]:
        predicted = codec.predict(latents)
        places = [codec.property_names.index(one.name) for one in self.each]
        return [
            one.likelihood(predicted[:, place])
            for one, place in zip(self.each, places, strict=True)
        ]


def read(
    written: str | Iterable[str], codec: Codec, errors: Mapping[str, float] | None = None
) -> Conditions:
    """Read conditions.

    Args:
        written: One or more, see `molvae.guidance.conditions`.
        codec: The model, which has a head for each property.
        errors: Standard deviations of what heads say, of those that were measured.

    Raises:
        SettingsError: Naming the condition and the remedy: for what is no condition, a property
            without a head, or two conditions on one property.
    """
    texts = [written] if isinstance(written, str) else written
    each: list[Condition] = []
    for text in (str(one).strip() for one in texts):
        with placed(text or "''"):
            one = parsed(text)
            check_head(one.name, codec)
            _check_span(one)
            require(
                all(one.name != other.name for other in each),
                f"{one.name} has a condition already. Between two values is {one.name}=LOW..HIGH.",
            )
            error = (errors or {}).get(one.name, 0.0)
            each.append(Condition(one.name, one.aim, error, text))
    require(bool(each), f"A condition is {FORMS}.")
    return Conditions(tuple(each))


def _check_span(condition: Condition) -> None:
    """Refuse what no molecule meets."""
    span = of_property(condition.name).span
    if span is None:
        return
    aim, (least, most) = condition.aim, span
    low, high = (aim.value, aim.value) if isinstance(aim, Target) else aim.bounds
    require(low <= most and high >= least, f"{condition.name} is from {least:g} to {most:g}.")


def parsed(text: str) -> Condition:
    """A condition, of whatever property.

    >>> parsed("logp = 2.5+-0.3").aim
    Target(value=2.5, width=0.3)
    >>> parsed("qed>0.8").aim
    Range(bounds=(0.8, inf), width=None)

    Raises:
        SettingsError: For what is none.
    """
    found = _WRITTEN.fullmatch(text)
    if not found:
        raise SettingsError(f"It is no condition. A condition is {FORMS}.")
    name, sign, rest = found["name"], found["sign"], found["rest"]
    if sign == "=":
        return Condition(name, _aim(rest), text=text)
    value = _number(rest)
    bounds = (value, math.inf) if sign == ">" else (-math.inf, value)
    return Condition(name, Range(bounds), text=text)


def _aim(text: str) -> Target | Range:
    """What stands behind an equals sign."""
    if ".." in text:
        low, high = (_number(one) for one in between_dots(text, 1))
        require(low != high, f"Between {low:g} and {high:g} lies nothing. Say {low:g}+-WIDTH.")
        return Range((low, high))
    value, sign, width = text.replace("±", "+-").partition("+-")
    require(bool(sign), f"Say how near, as in {text.strip() or 'VALUE'}+-WIDTH.")
    return Target(_number(value), _number(width))


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(f"{text.strip()!r} is no number. A condition is {FORMS}.") from None
    return number("a value", value)
