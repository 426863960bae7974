"""The decoder: latents to token ids, a distribution over the next token at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molvae.network.config import NetworkConfig


class Decoder(nn.Module):
    """A GRU that has what it is told of the latent in its first state and beside every token."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.layers = config.decoder_layers
        self.to_state = nn.Linear(config.told_dim, config.decoder_layers * config.decoder_hidden)
        self.gru = nn.GRU(
            config.embedding_dim + config.told_dim,
            config.decoder_hidden,
            num_layers=config.decoder_layers,
            batch_first=True,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.to_logits = nn.Linear(config.decoder_hidden, config.vocabulary_size)

    def first_state(self, told: Tensor) -> Tensor:
        """The state before the first token: (B, K) to (L, B, H)."""
        state = torch.tanh(self.to_state(told)).view(len(told), self.layers, -1)  # (B, L, H)
        return state.transpose(0, 1).contiguous()

    def forward(
        self, embedded: Tensor, told: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits of the token behind each token read, and the state behind the last.

        Args:
            embedded: Tokens read, (B, T, E), the first of a string being its beginning.
            told: The latent and, where the network knows it, its noise level, (B, K).
            state: (L, B, H) to go on from; by default the first state.

        Returns:
            Logits (B, T, V) and state (L, B, H).
        """
        state = self.first_state(told) if state is None else state
        beside = told[:, None].expand(-1, embedded.shape[1], -1)  # (B, T, K)
        values, state = self.gru(torch.cat([embedded, beside], dim=-1), state)
        return self.to_logits(self.dropout(values)), state
