"""molvae: a continuous chemical latent space from a CSV of SMILES.

    import molvae

    model = molvae.train("data.csv", "runs/mine", max_minutes=8)
    model = molvae.load("runs/mine")
    model.generate(100).table

`check` accounts for the rows of a table, `train` learns a latent space from it, `load` opens one,
`MolVAE` holds the verbs. `evaluate` measures generated molecules against what `reference` or
`load_reference` gives. Every error is a `MolVAEError`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from molvae.errors import (
    CheckpointError,
    MeasureError,
    MoleculeError,
    MolVAEError,
    OutputError,
    SettingsError,
    TableError,
    TrainingError,
    UserError,
)

if TYPE_CHECKING:
    from molvae.benchmark import evaluate, load_reference, reference
    from molvae.model import MolVAE, load
    from molvae.run.check import check
    from molvae.run.train import resume, train

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "MeasureError",
    "MolVAE",
    "MolVAEError",
    "MoleculeError",
    "OutputError",
    "SettingsError",
    "TableError",
    "TrainingError",
    "UserError",
    "check",
    "evaluate",
    "load",
    "load_reference",
    "reference",
    "resume",
    "train",
]

_LAZY = {
    "MolVAE": "molvae.model",
    "check": "molvae.run.check",
    "evaluate": "molvae.benchmark",
    "load": "molvae.model",
    "load_reference": "molvae.benchmark",
    "reference": "molvae.benchmark",
    "resume": "molvae.run.train",
    "train": "molvae.run.train",
}


def __getattr__(name: str) -> Any:
    """Import torch and RDKit only when they are needed: ``molvae --help`` answers at once."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'molvae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
