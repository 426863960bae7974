"""Fine-tuning in small steps, for a search that learns from what it finds."""

from __future__ import annotations

import torch

from molvae.corpus.batches import Batch
from molvae.network.vae import SequenceVAE
from molvae.training.forward import Forward
from molvae.training.precision import MasterWeights
from molvae.training.team import Team

LEARNING_RATE, CLIP = 5e-4, 5.0


class Tuner:
    """Moves a network's weights in place, by the objective that it was trained with.

    Args:
        network: The fp32 network.
        beta: Weight of the KL.
        dtype: What the steps are computed in.
    """

    def __init__(
        self, network: SequenceVAE, beta: float, dtype: torch.dtype = torch.float32
    ) -> None:
        self._network, self._beta = network, beta
        self._weights = MasterWeights(network, dtype)
        noise_share = 1.0 if network.config.knows_noise else 0.0
        working = self._weights.working
        self._forward = Forward(working, Team(), averaging=False, noise_share=noise_share)
        self._optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE)

    def step(self, batch: Batch, seed: int) -> None:
        """Take a step on some molecules."""
        self._weights.working.train()
        total = self._forward(batch, seed).total(self._beta, property_weight=0.0)
        total.backward()  # type: ignore[no-untyped-call]
        self._weights.collect_gradients()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), CLIP)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._weights.spread_weights()
        self._weights.working.eval()
