"""A batch on its way to the loss: this process's rows, moved to the device, with their noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from molvae.corpus.batches import Batch
from molvae.network.noise import Noise, levels
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
        noise_share: Share of the molecules that are decoded from a noisy latent too.
    """

    def __init__(
        self, network: SequenceVAE, team: Team, *, averaging: bool, noise_share: float
    ) -> None:
        self._network, self._team, self._noise_share = network, team, noise_share
        objective = Objective(network)
        self._objective = team.wrap(objective) if averaging else objective

    def __call__(self, batch: Batch, *seed: int) -> Loss:
        """The loss on this process's rows of a batch, the noise being a function of the seed."""
        device = self._network.device
        noise = self._noise(len(batch.lengths), generator(*seed))
        if self._network.training and self._network.config.dropout:
            torch.manual_seed(seed_of(*seed, self._team.rank))
        part = self._team.part(batch)
        arrays = [part.token_ids, part.lengths, part.properties, *(part.inputs or ())]
        token_ids, lengths, properties, *inputs = [
            moved(torch.from_numpy(array), device) for array in arrays
        ]
        loss: Loss = self._objective(token_ids, lengths, properties, noise, inputs or None)
        return loss

    def _noise(self, count: int, random: torch.Generator) -> Noise:
        """The noise of this process's rows, of that of a batch of so many."""
        shape = (count, self._network.config.latent_dim)
        own, device = torch.from_numpy(self._team.rows(count)), self._network.device
        posterior = torch.randn(shape, generator=random)[own]
        if not self._noise_share:
            return Noise.plain(moved(posterior, device))
        chosen = torch.rand(count, generator=random)[own] < self._noise_share
        level = levels(torch.rand(count, generator=random))[own]
        latent = torch.randn(shape, generator=random)[own]
        rows = chosen.nonzero().squeeze(1)  # on the CPU, where counting them makes nobody wait
        return Noise(*(moved(one, device) for one in (posterior, rows, latent[rows], level[rows])))


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
