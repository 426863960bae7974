"""Beta: the weight of the KL, planned ahead or moved so that a target is held."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from molvae.network.objective import Loss
from molvae.training.config import TrainingConfig

SMALLEST, LARGEST = 1e-3, 4.0
"""Between these a controller moves beta."""

_MEMORY = 0.98
"""Of the running mean of what is controlled: about fifty steps."""

_GAIN, _PROPORTION = 0.02, 0.5
"""How far a step moves log beta for an error of 1, and how much of the error acts at once."""


class Balance:
    """Beta as a function of the step and, with a target, of what training shows.

    With a target it is a proportional-integral controller of log beta (as ControlVAE, Shao et al.,
    2020, arXiv:2004.05988, for the rate), so that one dial in the user's unit replaces beta.
    Nothing in it waits for the device.

    Args:
        config: How the network is trained.
        device: Where the losses lie.
    """

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        self._config = config
        self.controls = config.target_rate is not None or config.target_reconstruction is not None
        beta = max(SMALLEST, min(LARGEST, config.beta))
        self._log_beta = torch.tensor(math.log(beta), dtype=torch.float64, device=device)
        self._mean = torch.tensor(math.nan, dtype=torch.float64, device=device)

    def beta(self, step: int, steps: int) -> Tensor | float:
        """Beta of a step among all planned."""
        share = self._warmup_share(step, steps)
        if self.controls:
            error = torch.nan_to_num(self._error())
            moved: Tensor = (self._log_beta + _PROPORTION * error).exp().float()
            return share * moved
        return share * self._config.beta

    def seen(self, loss: Loss) -> Tensor:
        """What is controlled, of each molecule, (B,)."""
        return loss.rate if self._config.target_rate is not None else loss.exact.float()

    def learn(self, value: Tensor) -> None:
        """Move beta after a step that showed a mean of what is controlled."""
        known = torch.where(self._mean.isnan(), value, self._mean)
        self._mean = _MEMORY * known + (1 - _MEMORY) * value
        moved = self._log_beta + _GAIN * self._error()
        self._log_beta = moved.clamp(math.log(SMALLEST), math.log(LARGEST))

    def state(self) -> dict[str, Tensor]:
        """What `restore` needs."""
        return {"log_beta": self._log_beta, "mean": self._mean}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from a state."""
        device = self._log_beta.device
        self._log_beta, self._mean = tensors["log_beta"].to(device), tensors["mean"].to(device)

    def _error(self) -> Tensor:
        """Above 0 when beta is too small."""
        config = self._config
        if config.target_rate is not None:
            return (self._mean - config.target_rate) / config.target_rate
        assert config.target_reconstruction is not None
        return self._mean - config.target_reconstruction

    def _warmup_share(self, step: int, steps: int) -> float:
        """How much of beta is in force: risen over the warm-up, once or in each cycle."""
        config = self._config
        length = steps / config.beta_cycles
        warmup = config.beta_warmup * length
        return min(1.0, (step % max(1.0, length) + 1) / warmup) if warmup >= 1 else 1.0
