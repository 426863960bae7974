"""State points: all that training needs to go on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from molvae import sealed
from molvae.errors import CheckpointError

FILE_NAME = "state.safetensors"
"""The name of the last state point in a run folder."""

FORMAT = 2

_STATE = sealed.Kind("state of training", CheckpointError, "Train anew with --overwrite.")


@dataclass(frozen=True)
class State:
    """A state point.

    Attributes:
        tensors: Weights, moments of the optimiser, the controller, sums; dotted names, on the CPU.
        facts: Counts and names; JSON values.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, by the rest of their names."""
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors on the CPU, under longer names."""
    return {prefix + name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser keeps of each weight, by ``number.name``."""
    kept: dict[int, dict[str, Tensor]] = optimiser.state_dict()["state"]
    return {f"{row}.{name}": tensor for row, of in kept.items() for name, tensor in of.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser back what `optimiser_tensors` took."""
    kept: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        row, of = name.split(".", 1)
        kept.setdefault(int(row), {})[of] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": kept})


def save(state: State, path: Path) -> None:
    """Write a state point in the place of the one before, atomically.

    Raises:
        OutputError: When the place can't be written to, or the disk is full; the one before stays.
    """
    arrays = {name: tensor.numpy() for name, tensor in state.tensors.items()}
    sealed.write(path, _STATE, {"format": FORMAT, **state.facts}, arrays)


def load(path: Path) -> State:
    """Read a state point.

    Raises:
        CheckpointError: When there is none, or it is damaged, foreign or of another format.
    """
    facts, arrays = sealed.read(path, _STATE)
    if facts["format"] != FORMAT:
        raise CheckpointError(f"{path} was written by another molvae. Train anew with --overwrite.")
    return State({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, facts)
