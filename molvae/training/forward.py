"""A batch on its way to the loss: this process's rows, moved to the device, with their noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from molvae.corpus.batches import Batch
from molvae.network.objective import Loss, evaluate_loss
from molvae.network.vae import SequenceVAE
from molvae.training.team import Team


class Objective(nn.Module):
    """The loss as a module, so that a team's gradients are averaged while they are computed."""

    def __init__(self, network: SequenceVAE) -> None:
        super().__init__()
        self.network = network

    def forward(self, *arguments: Any) -> Loss:
        """See `evaluate_loss`."""
        return evaluate_loss(self.network, *arguments)


class Forward:
    """Computes the loss of a batch; nothing in it waits for the device.

    Args:
        network: The network that computes.
        team: The processes among which a batch is divided.
        averaging: Whether the gradients will be averaged over the team.
    """

    def __init__(self, network: SequenceVAE, team: Team, *, averaging: bool) -> None:
        self._network, self._team = network, team
        objective = Objective(network)
        self._objective = team.wrap(objective) if averaging else objective

    def __call__(self, batch: Batch, *seed: int) -> Loss:
        """The loss on this process's rows of a batch, the noise being a function of the seed."""
        latent_dim, device = self._network.config.latent_dim, self._network.device
        noise = torch.randn(len(batch.lengths), latent_dim, generator=generator(*seed))
        if self._network.training and self._network.config.dropout:
            torch.manual_seed(seed_of(*seed, self._team.rank))
        part, rows = self._team.part(batch), self._team.rows(len(batch.lengths))
        arrays = [part.token_ids, part.lengths, part.properties, *(part.inputs or ())]
        token_ids, lengths, properties, *inputs = [
            moved(torch.from_numpy(array), device) for array in arrays
        ]
        loss: Loss = self._objective(
            token_ids, lengths, properties, moved(noise[rows], device), inputs or None
        )
        return loss


def moved(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; on its way to a GPU nobody waits for it."""
    if device.type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


def seed_of(*numbers: int) -> int:
    """One seed of several numbers, so that what is random in a step needs no memory."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def generator(*numbers: int) -> torch.Generator:
    """A generator on the CPU, a function of the numbers."""
    return torch.Generator().manual_seed(seed_of(*numbers))
