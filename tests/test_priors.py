"""Priors are densities, draws follow them, and held-out molecules choose among them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

import molvae
from molvae.codec import BLOCK
from molvae.errors import SettingsError
from molvae.network.config import NetworkConfig
from molvae.network.noise import Noise
from molvae.network.objective import evaluate_loss
from molvae.network.priors import Flow, Mixture, Prior, StandardNormal, Whitened, prior_of
from molvae.network.vae import SequenceVAE
from molvae.training.forward import generator
from molvae.training.posteriors import Posteriors
from molvae.training.priors import candidates, fit_priors, fitted


def begun(prior: Whitened) -> Whitened:
    """A prior that has seen correlated latents of two numbers, its weights a little stirred."""
    latents = torch.randn(2000, 2, generator=generator(1)) @ torch.tensor([[1.0, 0.6], [0, 0.5]])
    prior.begin(latents + torch.tensor([1.0, -1.0]), generator(2))
    with torch.no_grad():
        for weight in prior.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator(3))
    return prior


KINDS: list[Prior] = [
    StandardNormal(2),
    begun(Mixture(2, 1)),
    begun(Mixture(2, 3)),
    begun(Flow(2, 2, 8)),
]


@pytest.mark.parametrize("prior", KINDS, ids=lambda one: one.name)
def test_a_density_adds_up_to_one(prior: Prior) -> None:
    axis = torch.linspace(-9, 9, 361)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        total = prior.log_prob(grid).exp().sum() * (18 / 360) ** 2
    assert total.item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("prior", KINDS, ids=lambda one: one.name)
def test_draws_follow_the_density(prior: Prior) -> None:
    """The mean of a function over draws is its integral under the density."""
    noise = torch.randn(20_000, 2, generator=generator(4))
    uniforms = torch.rand(20_000, generator=generator(5))
    axis = torch.linspace(-9, 9, 361)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        drawn = prior.transport(noise, uniforms)
        share = prior.log_prob(grid).exp() * (18 / 360) ** 2
    for mean, expected in zip(drawn.mean(dim=0), (share[:, None] * grid).sum(dim=0), strict=True):
        assert mean.item() == pytest.approx(expected.item(), abs=0.05)
    squares = (share[:, None] * grid.square()).sum(dim=0)
    torch.testing.assert_close(drawn.square().mean(dim=0), squares, rtol=0.05, atol=0.05)


def test_one_gaussian_begins_as_that_of_the_latents() -> None:
    latents = torch.randn(500, 3, generator=generator(6))
    latents = latents @ torch.randn(3, 3, generator=generator(9)) + 2
    prior = Mixture(3, 1)
    prior.begin(latents, generator(7))
    expected = MultivariateNormal(latents.mean(dim=0), torch.cov(latents.T))
    torch.testing.assert_close(
        prior.log_prob(latents).detach(), expected.log_prob(latents), rtol=1e-3, atol=1e-3
    )


def test_the_divergence_is_exact_where_it_can_be() -> None:
    torch.manual_seed(0)
    posterior = Normal(torch.full((4, 2), 1.0), torch.full((4, 2), 2.0))
    exact = StandardNormal(2).divergence(posterior, posterior.sample())
    # KL(N(1, 2^2) || N(0, 1)) = (4 + 1 - 1 - ln 4) / 2 a dimension.
    torch.testing.assert_close(exact, torch.full((4, 2), (4 - math.log(4)) / 2))
    many = Normal(torch.ones(50_000, 2), 2 * torch.ones(50_000, 2))
    estimate = Mixture(2, 1).divergence(many, many.sample()).mean()  # which is N(0, I) yet
    assert estimate.item() == pytest.approx(4 - math.log(4), abs=0.1)


def test_a_prior_can_be_learned_with_the_model() -> None:
    network, prior = SequenceVAE(NetworkConfig(9, 12, latent_dim=2)), Mixture(2, 3)
    ids, lengths = torch.tensor([[3, 4], [5, 6]]), torch.tensor([2, 2])
    noise = Noise.plain(torch.randn(2, 2))
    loss = evaluate_loss(network, ids, lengths, torch.empty(2, 0), noise, prior=prior)
    assert loss.kl.shape == (2, 1)
    loss.total(1.0).backward()
    assert prior.means.grad is not None
    assert prior.means.grad.abs().sum() > 0


def test_held_out_molecules_choose_the_prior() -> None:
    """Two narrow clouds, which no single Gaussian fits."""
    random = generator(8)
    side = torch.sign(torch.randn(4400, 1, generator=random))
    mean = torch.cat([4 * side, 0 * side], dim=1) + 0.1 * torch.randn(4400, 2, generator=random)
    parts = [
        Posteriors(one, torch.full_like(one, 0.1), one[:, :0]) for one in (mean[:4000], mean[4000:])
    ]
    found = fit_priors(parts[0], parts[1], seed=0)
    rates = {fit.name: fit.rate for fit in found.fits}
    assert found.best.name == "mixture"
    assert rates["mixture"] + 0.5 < rates["gaussian"] < rates["normal"]
    again = fit_priors(parts[0], parts[1], seed=0)
    assert [fit.rate for fit in again.fits] == [fit.rate for fit in found.fits]


def test_a_trained_model_has_a_prior_fitted_to_it(model: molvae.MolVAE) -> None:
    fits = {fit["name"]: fit["rate"] for fit in model.record["priors"]}
    best = min(fits, key=lambda name: fits[name])
    assert fits[best] < fits["normal"]
    assert isinstance(model.checkpoint.prior, Mixture)
    assert (len(model.checkpoint.prior.logits) == 1) == (best == "gaussian")
    latents = model.codec.draw(300, seed=1)
    assert latents.shape == (300, model.latent_dim)
    np.testing.assert_array_equal(model.codec.draw(600, seed=1)[256:300], latents[256:])
    np.testing.assert_array_equal(model.codec.draw(256, seed=1, first_block=1)[:44], latents[256:])


def test_a_flow_is_fitted_kept_and_asked(
    model: molvae.MolVAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud that is bent in each second direction, which no Gaussian follows."""
    monkeypatch.setattr("molvae.training.priors.FEWEST", 1000)
    random, width = generator(10), model.latent_dim
    mean = torch.randn(1200, width, generator=random)
    mean[:, 1::2] = mean[:, ::2].square() + 0.1 * mean[:, 1::2]
    parts = [
        Posteriors(one, torch.full_like(one, 0.2), one[:, :0]) for one in (mean[:1000], mean[1000:])
    ]
    priors = candidates(parts[0], judged=True, seed=0)
    assert list(priors) == ["normal", "gaussian", "mixture", "flow"]
    flow = priors["flow"]
    rates = {name: fitted(name, one, *parts, seed=0).rate for name, one in priors.items()}
    assert rates["flow"] < rates["gaussian"]
    molvae.MolVAE(replace(model.checkpoint, prior=flow.eval())).save(tmp_path / "model.safetensors")
    again = molvae.load(tmp_path / "model.safetensors", device="cpu")
    np.testing.assert_array_equal(again.codec.draw(9, seed=0), flow_draws(flow, width)[:9])
    scored = again.score(["CCOc1ccccc1", "not one"])
    assert np.isfinite(scored["density"]).tolist() == [True, False]
    assert again.score(["not one", "neither"])["density"].isna().all()


def flow_draws(prior: Prior, width: int) -> np.ndarray:
    """What a codec draws from a prior with seed 0."""
    random = np.random.default_rng([0, 0, 0])
    noise = torch.from_numpy(random.standard_normal((BLOCK, width), dtype=np.float32))
    with torch.no_grad():
        return prior.transport(noise, torch.zeros(BLOCK)).numpy()


@pytest.mark.parametrize("prior", KINDS, ids=lambda one: one.name)
def test_no_latent_has_no_density(prior: Prior) -> None:
    assert prior.log_prob(torch.zeros(0, 2)).shape == (0,)


def test_a_fit_takes_no_more_steps_than_allowed() -> None:
    mean = torch.randn(1000, 2, generator=generator(8))
    posteriors = Posteriors(mean, torch.full_like(mean, 0.1), mean[:, :0])
    found = fit_priors(posteriors, posteriors, seed=0, steps=3)
    assert {fit.name: fit.step for fit in found.fits}["gaussian"] == 0  # settled when it begins
    assert max(fit.step for fit in found.fits) <= 3


def test_too_few_molecules_judge_no_prior() -> None:
    mean = torch.randn(100, 2, generator=generator(11))
    part = Posteriors(mean, torch.full_like(mean, 0.1), mean[:, :0])
    few = Posteriors(mean[:3] + 9, part.deviation[:3], mean[:3, :0])
    alone = fit_priors(part, None, seed=0)
    assert fit_priors(part, few, seed=0).fits == alone.fits


def test_the_less_noise_the_more_like_what_is_given(model: molvae.MolVAE) -> None:
    given = ["CCOc1ccccc1", "CCNC(=O)c1ccccc1"]
    everything = {"valid": False, "strict": False, "unique": False, "novel": False, "seed": 3}
    near = model.generate(60, like=given, noise=0.0, **everything)
    far = model.generate(60, like=given, noise=1.0, **everything)
    assert set(near.table["noise"]) == {0.0}
    mean = model.encode(given).mean
    distances = np.linalg.norm(near.latents[:, None] - mean, axis=2).min(axis=1)
    assert np.median(distances) < np.linalg.norm(mean[0] - mean[1])
    free = model.generate(60, noise=1.0, **everything)
    assert free.table["smiles"].tolist() == far.table["smiles"].tolist()  # nothing is left
    with pytest.raises(SettingsError, match="noise is a number from 0 to 1"):
        model.generate(5, noise=1.5)


def test_no_prior_of_another_name() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'mixture'"):
        prior_of("mixtur", {})
