"""Typed settings: dataclasses that refuse what they don't know."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from molvae.errors import SettingsError, nearest

Settings = TypeVar("Settings")


def from_mapping(
    kind: type[Settings], values: Mapping[str, Any], *, complete: bool = False
) -> Settings:
    """Build a settings dataclass from a mapping, refusing unknown keys.

    Args:
        kind: A dataclass whose ``__post_init__`` checks its own ranges.
        values: Field names and their values; absent fields keep their defaults.
        complete: Whether no field may be absent, as in what was written by the same version.

    Raises:
        SettingsError: For a key that the dataclass doesn't have, naming the nearest one, for a
            value of another type, or for a field that is missing and has no default.
    """
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # mypy can't bound a TypeVar to dataclasses
    names = [field.name for field in fields]
    for key in values:
        if key not in names:
            raise SettingsError(f"{kind.__name__} has no setting {key!r}.{nearest(key, names)}")
    if complete and (absent := [name for name in names if name not in values]):
        raise SettingsError(f"{kind.__name__} lacks {', '.join(absent)}.")
    hints = get_type_hints(kind)
    try:
        return kind(**{key: _typed(key, value, hints[key]) for key, value in values.items()})
    except TypeError as error:
        raise SettingsError(f"{kind.__name__}: {error}") from None


def _typed(name: str, value: Any, hint: Any) -> Any:
    """The value as a plain Python number where one is wanted, whatever its kind was."""
    kinds = get_args(hint) or (hint,)
    if value is None and type(None) in kinds:
        return None
    if int in kinds:
        return whole(name, value)
    if float in kinds:
        return number(name, value)
    if hint is str:
        return text(name, value)
    if get_origin(hint) is Sequence and kinds == (str,):
        return texts(name, value)
    return switch(name, value) if bool in kinds else value


def whole(name: str, value: Any) -> int:
    """A whole number as a Python int.

    Raises:
        SettingsError: When it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise SettingsError(f"{name} is a whole number, not {value!r}.")
    return int(value)


def number(name: str, value: Any) -> float:
    """A finite number as a Python float.

    Raises:
        SettingsError: When it is none; True and False are none.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    try:
        plain = float(value) if is_number else math.nan
    except OverflowError:  # a whole number of some hundred digits
        plain = math.inf
    require(math.isfinite(plain), f"{name} is a number, not {value!r:.60}.")
    return plain


def text(name: str, value: Any) -> str:
    """A text.

    Raises:
        SettingsError: When it is none.
    """
    require(isinstance(value, str), f"{name} is a text, not {value!r:.60}.")
    return str(value)


def texts(name: str, value: Any) -> list[str]:
    """Several texts.

    Raises:
        SettingsError: When they aren't, or are one.
    """
    is_several = isinstance(value, Sequence) and not isinstance(value, str)
    require(is_several, f"{name} are texts, not {value!r:.60}.")
    return [text(name, one) for one in value]


def count(name: str, value: Any) -> int:
    """A whole number from 1 on."""
    number = whole(name, value)
    require(number >= 1, f"{name} is 1 or more, not {number}.")
    return number


def switch(name: str, value: Any) -> bool:
    """Yes or no.

    Raises:
        SettingsError: When it is another value: the text ``"no"`` would count as a yes.
    """
    require(isinstance(value, bool), f"{name} is True or False, not {value!r}.")
    return bool(value)


def choice(name: str, value: Any, known: Iterable[str]) -> str:
    """One of some names.

    Raises:
        SettingsError: When it is none of them, naming the nearest.
    """
    names = tuple(known)
    require(value in names, f"{name} can't be {value!r}.{nearest(str(value), names)}")
    return str(value)


def seed(value: Any) -> int:
    """A seed: a whole number from 0 to below 2^32."""
    number = whole("seed", value)
    require(0 <= number < 2**32, f"seed is a whole number from 0 to below 2^32, not {number}.")
    return number


def temperature(value: Any, name: str = "temperature") -> float:
    """A temperature: 0 (a decoder takes the likeliest token each time), else from 0.01 to 100."""
    number = float(value) if isinstance(value, Real) else math.nan
    require(
        number == 0 or 0.01 <= number <= 100,
        f"{name} is 0, or from 0.01 to 100, not {value!r}.",
    )
    return number


def noise(value: Any) -> np.ndarray:
    """Noise levels of latents, from 0 to 1: one number, or one a row."""
    try:
        levels = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        levels = np.array(np.nan, dtype=np.float32)
    require(
        levels.ndim < 2 and bool(((levels >= 0) & (levels <= 1)).all()),
        f"noise is a number from 0 to 1, or one a row, not {value!r}.",
    )
    return levels


def level(value: Any) -> float:
    """One noise level, from 0 to 1."""
    levels = noise(value)
    require(levels.ndim == 0, f"noise is one number from 0 to 1 here, not {value!r}.")
    return float(levels)


def require(condition: bool, message: str) -> None:
    """Raise `SettingsError` with the message unless the condition holds."""
    if not condition:
        raise SettingsError(message)
