"""What a measure needs before it means anything."""

from __future__ import annotations

import importlib
from types import ModuleType

from molvae.errors import MeasureError


def need(count: int, least: int, what: str = "valid molecules") -> None:
    """Raise `MeasureError` when there are fewer than that."""
    if count < least:
        raise MeasureError(f"needs {least:,} {what}, there are {count:,}")


def scipy_stats() -> ModuleType:
    """SciPy's statistics, which only some measures need.

    Raises:
        MeasureError: When SciPy isn't installed.
    """
    try:
        return importlib.import_module("scipy.stats")
    except ImportError:
        raise MeasureError("SciPy isn't installed: pip install 'molvae[eval]'") from None
