"""The encoder: token ids to a diagonal Gaussian over latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from molvae.network.config import NetworkConfig


class Encoder(nn.Module):
    """A bidirectional GRU whose last states, one a direction, give the posterior.

    The backward direction reads each string reversed in place, so padding stays behind the
    end in both directions and never reaches a state that is used: no packing, and a
    molecule's latent doesn't depend on its batch mates.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        hidden = config.encoder_hidden
        widths = [config.embedding_dim] + [2 * hidden] * (config.encoder_layers - 1)
        self.forwards = nn.ModuleList(nn.GRU(width, hidden, batch_first=True) for width in widths)
        self.backwards = nn.ModuleList(nn.GRU(width, hidden, batch_first=True) for width in widths)
        self.to_posterior = nn.Linear(2 * hidden, 2 * config.latent_dim)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Normal:
        """The posterior of each string.

        Args:
            embedded: Embedded tokens, (B, T, E), anything behind each end.
            lengths: Tokens of each string, (B,), at least 1.

        Returns:
            Independent normals over (B, D), fp32.
        """
        reverse = _reversal(lengths, embedded.shape[1])
        last = (lengths - 1)[:, None, None]
        values = embedded
        for forwards, backwards in zip(self.forwards, self.backwards, strict=True):
            ahead, _ = forwards(values)
            behind, _ = backwards(_take(values, reverse))
            values = torch.cat([ahead, _take(behind, reverse)], dim=-1)  # (B, T, 2H)
        state = torch.cat(
            [ahead.gather(1, last.expand(-1, 1, ahead.shape[2])),
             behind.gather(1, last.expand(-1, 1, behind.shape[2]))],
            dim=-1,
        ).squeeze(1)  # (B, 2H)  # fmt: skip
        mean, log_scale = self.to_posterior(state).float().chunk(2, dim=-1)
        return Normal(mean, log_scale.clamp(-8, 4).exp(), validate_args=False)


def _reversal(lengths: Tensor, width: int) -> Tensor:
    """Places that turn each string round and leave its padding alone, (B, T)."""
    place = torch.arange(width, device=lengths.device)[None]  # (1, T)
    mirrored = lengths[:, None] - 1 - place
    return torch.where(mirrored >= 0, mirrored, place)


def _take(values: Tensor, places: Tensor) -> Tensor:
    return values.gather(1, places[:, :, None].expand_as(values))
