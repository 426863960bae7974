"""The objective: the evidence lower bound in nats per molecule, and property heads beside it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (the name that torch's own documentation uses)
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from molvae.corpus.vocabulary import EOS, PAD
from molvae.network.vae import SequenceVAE


@dataclass(frozen=True)
class Loss:
    """The parts of the objective, for each molecule.

    Attributes:
        distortion: -log p(x | z), summed over tokens and the end, in nats, (B,).
        exact: Whether greedy decoding of the drawn latent gives the string back, (B,) bool: it does
            when each token is the likeliest behind those before it.
        kl: KL(q(z | x) || p(z)) of each dimension, in nats, (B, D).
        error: Predicted minus true property in standard units, 0 where there is no value, (B, P).
        posterior: q(z | x), over (B, D).
    """

    distortion: Tensor
    exact: Tensor
    kl: Tensor
    error: Tensor
    posterior: Normal

    @property
    def rate(self) -> Tensor:
        """KL(q(z | x) || p(z)), summed over dimensions, in nats, (B,)."""
        return self.kl.sum(dim=-1)

    def property_error(self, weight: float | Tensor = 1.0) -> Tensor:
        """Half the squared error, summed over the properties that have a value, (B,).

        These are the nats of a Gaussian of unit width. ``weight`` is one number, or one a
        property, (P,).
        """
        return (0.5 * weight * self.error.square()).sum(dim=-1)

    def total(
        self,
        beta: float | Tensor,
        property_weight: float | Tensor = 1.0,
        free_bits: float = 0.0,
    ) -> Tensor:
        """Distortion + beta * rate + weighted property error, averaged over molecules.

        At ``beta`` 1 and without properties it is the negative evidence lower bound; other
        values are those of the beta-VAE (Higgins et al., 2017). A dimension whose mean KL is below
        ``free_bits`` counts that many nats.
        """
        rate = self.kl.mean(dim=0).clamp(min=free_bits).sum()
        properties = self.property_error(property_weight).mean()
        return self.distortion.mean() + beta * rate + properties


def standard_normal(like: Tensor) -> Normal:
    """The prior N(0, I), broadcast to any batch."""
    return Normal(torch.zeros_like(like[:1]), torch.ones_like(like[:1]), validate_args=False)


def evaluate_loss(
    network: SequenceVAE,
    token_ids: Tensor,
    lengths: Tensor,
    properties: Tensor,
    noise: Tensor,
    inputs: tuple[Tensor, Tensor] | None = None,
) -> Loss:
    """Encode, draw one latent a molecule, decode, and compare.

    Args:
        network: The model.
        token_ids: (B, T), padded on the right.
        lengths: (B,).
        properties: In standard units, NaN for no value, (B, P).
        noise: Standard normal numbers for the draw, (B, D); zeros take the mean.
        inputs: Token ids and lengths that the encoder reads in place of those.
    """
    posterior = network.inference(*(inputs or (token_ids, lengths)))
    latent = posterior.mean + posterior.stddev * noise
    logits, targets = network.generative(latent, token_ids), _with_end(token_ids, lengths)
    kl = kl_divergence(posterior, standard_normal(posterior.mean))
    known = ~properties.isnan()
    error = torch.where(known, network.predict(latent) - properties.nan_to_num(), 0.0)
    return Loss(
        distortion=sequence_nats(logits, token_ids, lengths),
        exact=((logits.argmax(dim=-1) == targets) | (targets == PAD)).all(dim=1),
        kl=kl,
        error=error,
        posterior=posterior,
    )


def _with_end(token_ids: Tensor, lengths: Tensor) -> Tensor:
    """What the decoder has to write, the end included: (B, T) to (B, T + 1)."""
    return F.pad(token_ids, (0, 1), value=PAD).scatter(1, lengths[:, None], EOS)


def sequence_nats(logits: Tensor, token_ids: Tensor, lengths: Tensor) -> Tensor:
    """-log p of each string with its end: (B, T + 1, V) and (B, T) to (B,), in nats."""
    targets = _with_end(token_ids, lengths)
    nats = F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="none"
    )
    return nats.view(targets.shape).sum(dim=-1)
