"""Priors: densities over latents that can be drawn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from molvae.errors import SettingsError, nearest


class Prior(nn.Module):
    """A density p(z) over latents."""

    name: ClassVar[str]

    def log_prob(self, latent: Tensor) -> Tensor:
        """Log p(z), in nats: (B, D) to (B,)."""
        raise NotImplementedError

    def transport(self, noise: Tensor, uniforms: Tensor) -> Tensor:
        """Draws of p(z), made of standard normal numbers (B, D) and others in [0, 1), (B,)."""
        raise NotImplementedError

    def divergence(self, posterior: Normal, latent: Tensor) -> Tensor:
        """KL(q(z | x) || p(z)) of molecules, in nats, estimated from one draw of each posterior.

        Args:
            posterior: Over (B, D).
            latent: The draws, (B, D).

        Returns:
            (B, 1); where the divergence is known of each dimension, (B, D).
        """
        entropy: Tensor = posterior.log_prob(latent)  # type: ignore[no-untyped-call]
        return (entropy.sum(dim=-1) - self.log_prob(latent))[:, None]

    def shape(self) -> dict[str, Any]:
        """What `prior_of` needs to build it, as JSON values."""
        raise NotImplementedError


class StandardNormal(Prior):
    """N(0, I).

    Args:
        latent_dim: Numbers in a latent.
    """

    name = "normal"

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    def log_prob(self, latent: Tensor) -> Tensor:
        """Log N(z; 0, I), in nats: (B, D) to (B,)."""
        return -0.5 * (latent.square() + math.log(2 * math.pi)).sum(dim=-1)

    def transport(self, noise: Tensor, uniforms: Tensor) -> Tensor:
        """The noise itself, (B, D)."""
        return noise

    def divergence(self, posterior: Normal, latent: Tensor) -> Tensor:
        """KL(q(z | x) || N(0, I)) of each dimension, exactly, in nats, (B, D)."""
        one = torch.ones_like(latent[:1])
        return kl_divergence(posterior, Normal(torch.zeros_like(one), one, validate_args=False))

    def shape(self) -> dict[str, Any]:
        """What `prior_of` needs to build it."""
        return {"latent_dim": self.latent_dim}


KINDS: dict[str, Callable[..., Prior]] = {StandardNormal.name: StandardNormal}
"""By name: what builds a prior."""


def prior_of(name: str, shape: Mapping[str, Any]) -> Prior:
    """Build a prior.

    Raises:
        SettingsError: For an unknown name.
    """
    if name not in KINDS:
        raise SettingsError(f"No prior {name!r}.{nearest(name, KINDS)}")
    return KINDS[name](**shape)
