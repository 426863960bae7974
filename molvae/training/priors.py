"""Priors fitted to the latents of a trained network.

At the weight that good reconstruction leaves to the KL, encoded molecules fill only a part of
N(0, I). A density fitted to where they lie is what molecules are drawn from instead (a two-stage
VAE: Dai and Wipf, 2019, arXiv:1903.05789).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from molvae.network.priors import Flow, Mixture, Prior, StandardNormal, Whitened
from molvae.training.forward import generator
from molvae.training.posteriors import FEWEST_JUDGES, Posteriors

COMPONENTS = 32
"""Gaussians of a mixture."""

ROWS_A_COMPONENT = 200
"""Molecules for each Gaussian, at least."""

TRANSFORMS, HIDDEN = 4, 256
"""The shape of a flow."""

FEWEST = 5_000
"""Molecules below which a flow would learn them by heart."""

STEPS, EPOCHS = 1_500, 30
"""A fit ends with whichever comes first."""

BATCH = 512

LEARNING_RATES = {Mixture.name: 1e-2, Flow.name: 2e-3}
"""To begin with, by kind; they fall to zero as a cosine."""

LOOKS = 20
"""Looks at the held-out molecules during a fit."""

_BEGIN, _ORDER, _NOISE, _JUDGES = 4, 5, 6, 7
"""What tells the random numbers of a fit from others under the same seed."""


@dataclass(frozen=True)
class PriorFit:
    """What a prior came to.

    Attributes:
        name: What it is called: a key of `candidates`.
        rate: KL(q(z | x) || p(z)) of held-out molecules, in nats, or of training molecules where
            none are held out.
        step: The step whose weights were kept.
    """

    name: str
    rate: float
    step: int


@dataclass(frozen=True)
class FittedPriors:
    """The prior with the smallest rate, and what each of them came to."""

    best: Prior
    fits: tuple[PriorFit, ...]


def fit_priors(
    training: Posteriors, held_out: Posteriors | None, seed: int, steps: int = STEPS
) -> FittedPriors:
    """Fit a Gaussian, a mixture of them and a flow, and choose by held-out likelihood.

    Args:
        training: The molecules to fit to.
        held_out: Those to choose weights and kind by; fewer than `FEWEST_JUDGES` aren't asked.
        steps: Of each fit, at most.
        seed: Of everything random; with the molecules it decides the result.
    """
    if held_out is not None and len(held_out) < FEWEST_JUDGES:
        held_out = None
    priors = candidates(training, judged=held_out is not None, seed=seed)
    fits = {
        name: fitted(name, prior, training, held_out, seed, steps) for name, prior in priors.items()
    }
    best = min(fits, key=lambda name: fits[name].rate)
    return FittedPriors(priors[best].eval(), tuple(fits.values()))


def candidates(training: Posteriors, *, judged: bool, seed: int) -> dict[str, Prior]:
    """The priors that so many molecules allow, by name, to be fitted to them.

    Args:
        training: The molecules.
        judged: Whether others are there to choose weights by.
        seed: Of the first weights.
    """
    count, latent_dim = training.mean.shape
    torch.manual_seed(seed)
    found: dict[str, Prior] = {"normal": StandardNormal(latent_dim)}
    if count > latent_dim:
        found["gaussian"] = Mixture(latent_dim, 1)
    components = min(COMPONENTS, count // ROWS_A_COMPONENT)
    if components > 1 and count > latent_dim:
        found["mixture"] = Mixture(latent_dim, components)
    if judged and count >= FEWEST and latent_dim > 1:
        found["flow"] = Flow(latent_dim, TRANSFORMS, HIDDEN)
    return {name: prior.to(training.mean.device) for name, prior in found.items()}


def fitted(
    name: str,
    prior: Prior,
    training: Posteriors,
    held_out: Posteriors | None,
    seed: int,
    steps: int = STEPS,
) -> PriorFit:
    """Fit a prior of `candidates` in place; see `fit_priors`."""
    judge = _Judge(training if held_out is None else held_out, seed)
    step = _fit(prior, training, judge, seed, steps) if isinstance(prior, Whitened) else 0
    return PriorFit(name, judge.rate(prior), step)


def _fit(prior: Whitened, training: Posteriors, judge: _Judge, seed: int, steps: int) -> int:
    """Fit a prior in place, to fresh draws of the posteriors in each pass; the best step."""
    rows = len(training.mean)
    prior.begin(training.draw(generator(seed, _BEGIN)), generator(seed, _BEGIN, 1))
    if prior.settled:
        return 0
    steps = min(steps, STEPS, EPOCHS * -(-rows // BATCH))
    optimiser = torch.optim.Adam(prior.parameters(), LEARNING_RATES[prior.name])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    best, kept, best_step = judge.rate(prior), copy.deepcopy(prior.state_dict()), 0
    taken, epoch = 0, 0
    while taken < steps:
        latents = training.draw(generator(seed, _NOISE, epoch))
        order = torch.randperm(rows, generator=generator(seed, _ORDER, epoch))
        for chosen in torch.split(order.to(latents.device), BATCH)[: steps - taken]:
            loss = -prior.log_prob(latents[chosen]).mean()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            torch.nn.utils.clip_grad_norm_(prior.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
            taken += 1
            if taken % max(1, steps // LOOKS) == 0 or taken == steps:
                rate = judge.rate(prior)
                if rate < best:
                    best, best_step = rate, taken
                    kept = copy.deepcopy(prior.state_dict())
        epoch += 1
    prior.load_state_dict(kept)
    return best_step


class _Judge:
    """Knows the rate of molecules under a prior, from the same draws each time."""

    def __init__(self, posteriors: Posteriors, seed: int) -> None:
        self._latents = posteriors.draw(generator(seed, _JUDGES))
        self._entropy = posteriors.entropy()

    @torch.no_grad()
    def rate(self, prior: Prior) -> float:
        """KL(q(z | x) || p(z)), the mean over molecules, in nats."""
        nats = torch.cat([prior.log_prob(part) for part in torch.split(self._latents, BATCH)])
        return -self._entropy - float(nats.double().mean())
