"""The models in the package, by the names that every verb takes in place of a path."""

from __future__ import annotations

from pathlib import Path

NAMES = ("druglike", "moses")
"""The first is the one that is meant where none is named."""

DEFAULT = NAMES[0]


def file_of(name: str) -> Path:
    """Where the model of a name lies, whether it is there or not."""
    return Path(__file__).parent / f"{name}.safetensors"
