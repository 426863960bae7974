"""The objective: the evidence lower bound in nats per molecule, and property heads beside it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (the name that torch's own documentation uses)
from torch import Tensor
from torch.distributions import Normal

from molvae.corpus.vocabulary import EOS, PAD
from molvae.network.noise import Noise, noisy
from molvae.network.priors import Prior, StandardNormal
from molvae.network.vae import SequenceVAE


@dataclass(frozen=True)
class Loss:
    """The parts of the objective, for each molecule.

    Attributes:
        distortion: -log p(x | z), summed over tokens and the end, in nats, (B,).
        blurred: -log p(x | z) again, given a noisy latent, 0 where there was none, in nats, (B,).
        exact: Whether greedy decoding of the drawn latent gives the string back, (B,) bool: it does
            when each token is the likeliest behind those before it.
        kl: KL(q(z | x) || p(z)) of each dimension, in nats, (B, D); (B, 1) of all together under
            a prior whose dimensions aren't independent.
        error: Predicted minus true property in standard units, 0 where there is no value, (B, P).
        posterior: q(z | x), over (B, D).
    """

    distortion: Tensor
    blurred: Tensor
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
        """Distortions + beta * rate + weighted property error, averaged over molecules.

        At ``beta`` 1, without properties and noisy latents, it is the negative evidence lower
        bound; other values are those of the beta-VAE (Higgins et al., 2017). A dimension whose
        mean KL is below ``free_bits`` counts that many nats.
        """
        rate = self.kl.mean(dim=0).clamp(min=free_bits).sum()
        properties = self.property_error(property_weight).mean()
        return (self.distortion + self.blurred).mean() + beta * rate + properties


def evaluate_loss(
    network: SequenceVAE,
    token_ids: Tensor,
    lengths: Tensor,
    properties: Tensor,
    noise: Noise,
    inputs: tuple[Tensor, Tensor] | None = None,
    prior: Prior | None = None,
) -> Loss:
    """Encode, draw one latent a molecule, decode, and compare.

    Some molecules are decoded once more, from their latent with noise in it: the decoder learns
    what a noisy latent still tells, and the encoder isn't asked to be louder than the noise.

    Args:
        network: The model.
        token_ids: (B, T), padded on the right.
        lengths: (B,).
        properties: In standard units, NaN for no value, (B, P).
        noise: The random numbers of it.
        inputs: Token ids and lengths that the encoder reads in place of those.
        prior: Of the latents, by default N(0, I); its weights get gradients too.
    """
    posterior = network.inference(*(inputs or (token_ids, lengths)))
    latent = posterior.mean + posterior.stddev * noise.posterior
    rows, count = noise.rows, len(token_ids)
    blurred = noisy(latent.detach()[rows], noise.level, noise.latent)
    logits = network.generative(
        torch.cat([latent, blurred]),
        torch.cat([token_ids, token_ids[rows]]),
        torch.cat([noise.level.new_zeros(count), noise.level]),
    )
    nats = sequence_nats(logits[count:], token_ids[rows], lengths[rows])
    logits, targets = logits[:count], _with_end(token_ids, lengths)
    prior = prior or StandardNormal(network.config.latent_dim)
    kl = prior.divergence(posterior, latent)
    known = ~properties.isnan()
    error = torch.where(known, network.predict(latent) - properties.nan_to_num(), 0.0)
    return Loss(
        distortion=sequence_nats(logits, token_ids, lengths),
        blurred=nats.new_zeros(count).index_copy(0, rows, nats),
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
