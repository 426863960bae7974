"""A look at the held-out molecules: the objective, and how well the heads predict."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from molvae.corpus.batches import Batch, Batches
from molvae.training.forward import Forward
from molvae.training.team import Team

_NOISE = 1
"""What tells the noise of a look from that of training under the same seed."""


@dataclass(frozen=True)
class HeadFit:
    """How well a head predicts a property of held-out molecules from a draw of the posterior.

    Attributes:
        r2: Share of the variance explained; None for fewer than two different values.
        mae: Mean absolute error, in standard units; None without any value.
    """

    r2: float | None
    mae: float | None


@dataclass(frozen=True)
class Look:
    """What the held-out molecules show.

    Attributes:
        loss: The objective at the full beta, nats per molecule.
        heads: One a property.
    """

    loss: float
    heads: tuple[HeadFit, ...]


@torch.no_grad()
def look_at(
    batches: Batches, forward: Forward, team: Team, beta: float, property_weight: Tensor, seed: int
) -> Look:
    """Measure the network on held-out molecules, each process on its rows.

    The latents are drawn with the same noise each time, so that two looks compare.
    """
    total = torch.zeros((), dtype=torch.float64, device=property_weight.device)
    sums = torch.zeros(5, len(property_weight), dtype=torch.float64, device=total.device)
    for place, batch in enumerate(batches.epoch(0)):
        loss, share = forward(batch, seed, _NOISE, place), team.share(len(batch.lengths))
        total += loss.total(beta, property_weight).double() * share * len(batch.lengths)
        if share:
            sums += _sums(team.part(batch), loss.error)
    mean = float(team.sum(total)) / batches.molecules
    return Look(mean, tuple(_fit(*one) for one in team.sum(sums).T.tolist()))


def _sums(batch: Batch, error: Tensor) -> Tensor:
    """Of each property: count, value, squared value, squared and absolute error, (5, P)."""
    truth = torch.from_numpy(batch.properties).to(error.device).double()  # (B, P)
    known, truth, error = ~truth.isnan(), truth.nan_to_num(), error.double()
    parts = (known.double(), truth, truth.square(), error.square(), error.abs())
    return torch.stack([part.sum(dim=0) for part in parts])


def _fit(count: float, value: float, square: float, error: float, absolute: float) -> HeadFit:
    if not count:
        return HeadFit(None, None)
    variance = square - value**2 / count
    return HeadFit(1 - error / variance if variance > 1e-9 * count else None, absolute / count)
