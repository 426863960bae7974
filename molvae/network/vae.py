"""The variational autoencoder over token ids."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from molvae.corpus.vocabulary import BOS, EOS, PAD
from molvae.network.config import NetworkConfig
from molvae.network.decoder import Decoder
from molvae.network.encoder import Encoder
from molvae.network.noise import kept

STRIDE = 32
"""Strings by which a batch that is written shrinks: for each new size kernels are made anew."""


class SequenceVAE(nn.Module):
    """Encoder, decoder and property heads (Kingma and Welling, 2014, arXiv:1312.6114).

    Args:
        config: Its shape.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_dim)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.heads = (
            nn.Sequential(
                nn.Linear(config.latent_dim, config.head_hidden),
                nn.SiLU(),
                nn.Linear(config.head_hidden, config.properties),
            )
            if config.properties
            else None
        )

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.embedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The type that the matrix products run in."""
        return self.embedding.weight.dtype

    @property
    def weight_count(self) -> int:
        """The number of its weights."""
        return sum(parameter.numel() for parameter in self.parameters())

    def inference(self, token_ids: Tensor, lengths: Tensor) -> Normal:
        """The posterior q(z | x) of each string.

        Args:
            token_ids: (B, T), padded on the right.
            lengths: (B,).

        Returns:
            Independent normals over (B, D), fp32.
        """
        posterior: Normal = self.encoder(self.embedding(token_ids), lengths)
        return posterior

    def generative(self, latent: Tensor, token_ids: Tensor, level: Tensor | None = None) -> Tensor:
        """Logits of p(x | z) for each token of the strings, and for their end.

        Args:
            latent: (B, D).
            token_ids: (B, T), padded on the right.
            level: How noisy each latent is, from 0 to 1, (B,); by default not at all.

        Returns:
            (B, T + 1, V), fp32; place t is the distribution of token t given those before.
        """
        begin = torch.full_like(token_ids[:, :1], BOS)
        embedded = self.embedding(torch.cat([begin, token_ids], dim=1))
        logits: Tensor = self.decoder(embedded, self._told(latent, level))[0]
        return logits.float()

    def predict(self, latent: Tensor) -> Tensor:
        """What the heads say of latents, in standard units: (B, D) to (B, P), fp32."""
        if self.heads is None:
            return latent.new_zeros(len(latent), 0)
        values: Tensor = self.heads(latent.to(self.dtype))
        return values.float()

    @torch.no_grad()
    def sample(
        self,
        latent: Tensor,
        temperature: float,
        uniforms: Tensor | None = None,
        level: Tensor | None = None,
    ) -> Tensor:
        """Write a string for each latent, token by token.

        Args:
            latent: (B, D).
            temperature: What the logits are divided by; 0 takes the likeliest token.
            uniforms: Numbers in [0, 1) that decide the draws, (B, max_tokens + 1); not
                looked at when the temperature is 0.
            level: How noisy each latent is, from 0 to 1, (B,); by default not at all.

        Returns:
            Token ids, (B, T), each string closed by its end and padded behind it. One that
            isn't closed reached the longest length.
        """
        told = self._told(latent, level)
        state = self.decoder.first_state(told)
        rows = torch.arange(len(latent), device=latent.device)
        token = torch.full_like(rows, BOS)
        closed = torch.zeros_like(rows, dtype=torch.bool)
        written = rows.new_full((len(rows), self.config.max_tokens + 1), PAD)
        for place in range(self.config.max_tokens + 1):
            logits, state = self.decoder(self.embedding(token[:, None]), told, state)
            logits = logits[:, 0].float()
            logits[:, [PAD, BOS]] = -torch.inf
            if temperature == 0:
                token = logits.argmax(dim=-1)
            else:
                assert uniforms is not None
                token = _draw(logits / temperature, uniforms[rows, place])
            written[rows, place] = token.masked_fill(closed, PAD)
            closed = closed | (token == EOS)
            left = int((~closed).sum())
            if not left:
                break
            size = -(-left // STRIDE) * STRIDE
            if size < len(rows):  # closed strings cost nothing any more
                stay = closed.int().argsort(stable=True)[:size]
                rows, token, told, closed = rows[stay], token[stay], told[stay], closed[stay]
                state = state[:, stay].contiguous()
        return written[:, : place + 1]

    def _told(self, latent: Tensor, level: Tensor | None) -> Tensor:
        """What the decoder is told of latents: (B, D) and (B,) to (B, K).

        A noisy latent is shrunk to what it is expected to have been, 0 when nothing of it is left.
        """
        if not self.config.knows_noise:
            return latent.to(self.dtype)
        if level is None:
            level = latent.new_zeros(len(latent))
        return torch.cat([kept(level)[:, None] * latent, level[:, None]], dim=-1).to(self.dtype)


def _draw(logits: Tensor, uniforms: Tensor) -> Tensor:
    """Draw by the inverse of the cumulative distribution: (B, V) and (B,) to (B,)."""
    cumulative = logits.softmax(dim=-1).cumsum(dim=-1)
    targets = uniforms.to(cumulative) * cumulative[:, -1]
    # Rounding may put a target on the last sum itself, beyond every token.
    return (cumulative <= targets[:, None]).sum(dim=-1).clamp(max=logits.shape[-1] - 1)
