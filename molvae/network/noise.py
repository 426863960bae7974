"""How noisy a latent is: one dial from 0, the latent itself, to 1, of which nothing is left."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


def kept(level: Tensor) -> Tensor:
    """What is left of the latent's amplitude at a noise level: (B,) to (B,)."""
    return (1 - level.square()).clamp(min=0).sqrt()


def noisy(latent: Tensor, level: Tensor, noise: Tensor) -> Tensor:
    """Latents with noise in them, of the variance of N(0, I) at any level.

    That is ``sqrt(1 - level^2) latent + level noise``, the forward process of variance-preserving
    diffusion (Song et al., 2021, arXiv:2011.13456).

    Args:
        latent: (B, D).
        level: From 0 to 1, (B,).
        noise: Standard normal numbers, (B, D).
    """
    return kept(level)[:, None] * latent + level[:, None] * noise


def levels(uniforms: Tensor) -> Tensor:
    """Noise levels to train at: half of them 1, the others anywhere below: (B,) to (B,)."""
    return (2 * uniforms).clamp(max=1)


@dataclass(frozen=True)
class Noise:
    """The random numbers of a loss.

    Attributes:
        posterior: Standard normal numbers for the draw of each latent, (B, D); zeros take the mean.
        rows: Of the molecules that are decoded from a noisy latent too, (M,).
        latent: Standard normal numbers in the latents of those, (M, D).
        level: How noisy they are, (M,).
    """

    posterior: Tensor
    rows: Tensor
    latent: Tensor
    level: Tensor

    @classmethod
    def plain(cls, posterior: Tensor) -> Noise:
        """That of a loss for which no molecule is decoded from a noisy latent."""
        none = posterior.new_zeros(0)
        return cls(posterior, none.long(), posterior[:0], none)
