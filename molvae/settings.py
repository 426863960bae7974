"""Typed settings: dataclasses that refuse what they don't know."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from molvae.errors import SettingsError, nearest

Settings = TypeVar("Settings")


def from_mapping(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """Build a settings dataclass from a mapping, refusing unknown keys.

    Args:
        kind: A dataclass whose ``__post_init__`` checks its own ranges.
        values: Field names and their values; absent fields keep their defaults.

    Raises:
        SettingsError: For a key that the dataclass doesn't have, naming the nearest one, or
            for a field without default that is missing.
    """
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # mypy can't bound a TypeVar to dataclasses
    names = [field.name for field in fields]
    for key in values:
        if key not in names:
            raise SettingsError(f"{kind.__name__} has no setting {key!r}.{nearest(key, names)}")
    try:
        return kind(**values)
    except TypeError as error:
        raise SettingsError(f"{kind.__name__}: {error}") from None


def require(condition: bool, message: str) -> None:
    """Raise `SettingsError` with the message unless the condition holds."""
    if not condition:
        raise SettingsError(message)
