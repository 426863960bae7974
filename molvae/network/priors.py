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


class Whitened(Prior):
    """A density that sees latents whitened: of mean 0 and covariance I over the training molecules.

    Args:
        latent_dim: Numbers in a latent.

    Attributes:
        settled: Whether `begin` leaves nothing to learn.
    """

    settled = False
    centre: Tensor
    factor: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.register_buffer("centre", torch.zeros(latent_dim))
        self.register_buffer("factor", torch.eye(latent_dim))

    def begin(self, latents: Tensor, random: torch.Generator) -> None:
        """Take the mean and the covariance of latents, (N, D), and first weights near an answer."""
        self.centre.copy_(latents.mean(dim=0))
        covariance = torch.cov(latents.T.double()).view(self.latent_dim, -1)
        ridge = 1e-6 * torch.eye(self.latent_dim, device=latents.device)
        self.factor.copy_(torch.linalg.cholesky(covariance + ridge))
        self.first_weights(self.whiten(latents), random)

    def first_weights(self, whitened: Tensor, random: torch.Generator) -> None:
        """Choose the weights to begin with, knowing whitened latents, (N, D)."""

    def whiten(self, latent: Tensor) -> Tensor:
        """Whitened latents: (B, D) to (B, D)."""
        moved = (latent - self.centre).T
        whitened: Tensor = torch.linalg.solve_triangular(self.factor, moved, upper=False)
        return whitened.T

    def coloured(self, whitened: Tensor) -> Tensor:
        """What was whitened, as it was: (B, D) to (B, D)."""
        return whitened @ self.factor.T + self.centre

    def log_prob(self, latent: Tensor) -> Tensor:
        """Log p(z), in nats: (B, D) to (B,)."""
        return self.whitened_log_prob(self.whiten(latent)) - self.factor.diagonal().log().sum()

    def transport(self, noise: Tensor, uniforms: Tensor) -> Tensor:
        """Draws of p(z): (B, D) and (B,) to (B, D)."""
        return self.coloured(self.whitened_transport(noise, uniforms))

    def whitened_log_prob(self, whitened: Tensor) -> Tensor:
        """The log density of whitened latents, in nats: (B, D) to (B,)."""
        raise NotImplementedError

    def whitened_transport(self, noise: Tensor, uniforms: Tensor) -> Tensor:
        """Whitened draws: (B, D) and (B,) to (B, D)."""
        raise NotImplementedError


SPREAD = 0.5
"""Of the Gaussians of a mixture to begin with, in deviations of the latents."""


class Mixture(Whitened):
    """A mixture of Gaussians, each with its own full covariance; one of them is a full Gaussian.

    Args:
        latent_dim: Numbers in a latent.
        components: Gaussians.
    """

    name = "mixture"

    def __init__(self, latent_dim: int, components: int) -> None:
        super().__init__(latent_dim)
        self.settled = components == 1
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.zeros(components, latent_dim))
        self.log_scales = nn.Parameter(torch.zeros(components, latent_dim))
        self.below = nn.Parameter(torch.zeros(components, latent_dim, latent_dim))

    def first_weights(self, whitened: Tensor, random: torch.Generator) -> None:
        """A part of the way from the middle to some of the latents, each narrower than all."""
        components = len(self.logits)
        if components == 1:
            return
        chosen = torch.randint(len(whitened), (components,), generator=random)
        with torch.no_grad():
            self.means.copy_(SPREAD * whitened[chosen.to(whitened.device)])
            self.log_scales.fill_(-0.5 * math.log(1 - SPREAD**2))

    def whitened_log_prob(self, whitened: Tensor) -> Tensor:
        """The log density of whitened latents, in nats: (B, D) to (B,)."""
        precision = self._precision()
        moved = whitened @ precision.flatten(0, 1).T  # (B, K D)
        at = torch.einsum("kij,kj->ki", precision, self.means)  # (K, D)
        squares = (moved.view(len(whitened), *at.shape) - at).square().sum(dim=-1)  # (B, K)
        peaks = self.log_scales.sum(dim=-1) - 0.5 * self.latent_dim * math.log(2 * math.pi)
        nats: Tensor = (self.logits.log_softmax(dim=0) + peaks - 0.5 * squares).logsumexp(dim=-1)
        return nats

    def whitened_transport(self, noise: Tensor, uniforms: Tensor) -> Tensor:
        """A Gaussian for each row by its uniform number, and a draw of it, (B, D)."""
        shares = self.logits.softmax(dim=0).cumsum(dim=0)
        chosen = torch.searchsorted(shares, uniforms).clamp(max=len(shares) - 1)
        precision = self._precision()[chosen]
        drawn = torch.linalg.solve_triangular(precision, noise[:, :, None], upper=False)[:, :, 0]
        moved: Tensor = self.means[chosen] + drawn
        return moved

    def _precision(self) -> Tensor:
        """Lower factors of the precisions, (K, D, D); their diagonals are exp(log_scales)."""
        return self.below.tril(-1) + self.log_scales.exp().diag_embed()

    def shape(self) -> dict[str, Any]:
        """What `prior_of` needs to build it."""
        return {"latent_dim": self.latent_dim, "components": len(self.logits)}


class Flow(Whitened):
    """A masked autoregressive flow (Papamakarios et al., 2017, arXiv:1705.07057), of zuko.

    Args:
        latent_dim: Numbers in a latent.
        transforms: Layers.
        hidden: Units of each of the two hidden layers of a layer's network.
    """

    name = "flow"

    def __init__(self, latent_dim: int, transforms: int, hidden: int) -> None:
        super().__init__(latent_dim)
        # Not at the head of this file: zuko turns off the checks of torch.distributions for all.
        import zuko

        self.transforms, self.hidden = transforms, hidden
        self.flow = zuko.flows.MAF(
            latent_dim, transforms=transforms, hidden_features=(hidden, hidden)
        )

    def whitened_log_prob(self, whitened: Tensor) -> Tensor:
        """The log density of whitened latents, in nats: (B, D) to (B,)."""
        if not len(whitened):  # which zuko can't reshape
            return whitened.new_zeros(0)
        nats: Tensor = self.flow().log_prob(whitened)
        return nats

    def whitened_transport(self, noise: Tensor, uniforms: Tensor) -> Tensor:
        """The noise through the inverse of the flow, (B, D)."""
        drawn: Tensor = self.flow().transform.inv(noise)
        return drawn

    def shape(self) -> dict[str, Any]:
        """What `prior_of` needs to build it."""
        return {
            "latent_dim": self.latent_dim,
            "transforms": self.transforms,
            "hidden": self.hidden,
        }


KINDS: dict[str, Callable[..., Prior]] = {
    kind.name: kind for kind in (StandardNormal, Mixture, Flow)
}
"""By name: what builds a prior."""


def prior_of(name: str, shape: Mapping[str, Any]) -> Prior:
    """Build a prior.

    Raises:
        SettingsError: For an unknown name.
    """
    if name not in KINDS:
        raise SettingsError(f"No prior {name!r}.{nearest(name, KINDS)}")
    return KINDS[name](**shape)
