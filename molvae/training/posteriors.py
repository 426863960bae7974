"""Posteriors of many molecules under a trained network, for what is fitted to them afterwards."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from molvae.corpus.batches import Batches
from molvae.network.vae import SequenceVAE
from molvae.training.forward import moved

FEWEST_JUDGES = 10
"""Held-out molecules that it takes to judge anything by."""


@dataclass(frozen=True)
class Posteriors:
    """Posteriors of molecules and what is known of these.

    Attributes:
        mean: (N, D).
        deviation: (N, D).
        values: Of properties, in standard units, NaN for no value, (N, P).
    """

    mean: Tensor
    deviation: Tensor
    values: Tensor

    def __len__(self) -> int:
        return len(self.mean)

    def draw(self, random: torch.Generator) -> Tensor:
        """A draw of each, (N, D)."""
        noise = torch.randn(self.mean.shape, generator=random)
        return self.mean + self.deviation * noise.to(self.mean)

    def entropy(self) -> float:
        """Of a posterior, the mean over molecules, in nats."""
        constant = 0.5 * self.mean.shape[1] * (1 + math.log(2 * math.pi))
        return float(self.deviation.double().log().sum(dim=-1).mean()) + constant

    def counts(self) -> Tensor:
        """Values of each property, (P,)."""
        return (~self.values.isnan()).sum(dim=0)


@torch.no_grad()
def posteriors_of(network: SequenceVAE, batches: Batches) -> Posteriors:
    """The posteriors of molecules, batch after batch, on the network's device."""
    parts = []
    for batch in batches.epoch(0):
        arrays = (batch.token_ids, batch.lengths, batch.properties)
        token_ids, lengths, values = [
            moved(torch.from_numpy(array), network.device) for array in arrays
        ]
        posterior = network.inference(token_ids, lengths)
        parts.append((posterior.mean, posterior.stddev, values))
    return Posteriors(*(torch.cat(columns) for columns in zip(*parts, strict=True)))
