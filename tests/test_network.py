"""The network and its objective, held to numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from molvae.corpus.vocabulary import BOS, EOS, PAD
from molvae.errors import SettingsError
from molvae.network.config import SIZES, NetworkConfig, sized
from molvae.network.noise import Noise, noisy
from molvae.network.objective import Loss, evaluate_loss, sequence_nats
from molvae.network.vae import SequenceVAE

VOCABULARY = 9


def tiny(**changes: int) -> SequenceVAE:
    torch.manual_seed(0)
    shape = {"latent_dim": 5, "embedding_dim": 6, "encoder_hidden": 7, "decoder_hidden": 8}
    config = NetworkConfig(VOCABULARY, max_tokens=12, **{**shape, **changes})
    return SequenceVAE(config).eval()


def batch(device: str = "cpu") -> tuple[Tensor, Tensor]:
    ids = torch.tensor([[3, 4, 5, 6], [7, 8, PAD, PAD], [5, PAD, PAD, PAD]], device=device)
    return ids, torch.tensor([4, 2, 1], device=device)


def test_distortion_of_a_uniform_decoder_is_counted_by_hand() -> None:
    ids, lengths = batch()
    nats = sequence_nats(torch.zeros(3, 5, VOCABULARY), ids, lengths)
    # Each token and the end cost log V.
    assert nats.tolist() == pytest.approx([k * math.log(VOCABULARY) for k in (5, 3, 2)])


def test_distortion_of_a_decided_decoder_is_counted_by_hand() -> None:
    ids, lengths = torch.tensor([[3, 4]]), torch.tensor([2])
    logits = torch.full((1, 3, VOCABULARY), -torch.inf)
    for place, (token, share) in enumerate([(3, 0.5), (4, 0.25), (EOS, 0.125)]):
        logits[0, place, token] = math.log(share)
        logits[0, place, 8] = math.log(1 - share)
    assert sequence_nats(logits, ids, lengths).item() == pytest.approx(math.log(2 * 4 * 8))


def test_rate_and_draw_are_counted_by_hand() -> None:
    network = tiny()
    ids, lengths = batch()
    linear = network.encoder.to_posterior
    torch.nn.init.zeros_(linear.weight)
    with torch.no_grad():
        linear.bias.copy_(torch.cat([torch.ones(5), torch.full((5,), math.log(2))]))
    noise = torch.randn(3, 5)
    loss = evaluate_loss(network, ids, lengths, torch.empty(3, 0), Noise.plain(noise))
    # KL(N(1, 2^2) || N(0, 1)) = (4 + 1 - 1 - ln 4) / 2 a dimension; five dimensions.
    assert loss.rate.tolist() == pytest.approx([5 * (4 - math.log(4)) / 2] * 3)
    drawn = sequence_nats(network.generative(1 + 2 * noise, ids), ids, lengths)
    torch.testing.assert_close(loss.distortion, drawn)


def test_the_loss_is_a_mean_over_molecules_of_sums_in_nats() -> None:
    posterior = Normal(torch.zeros(2, 1), torch.ones(2, 1))
    loss = Loss(
        distortion=torch.tensor([10.0, 20.0]),
        blurred=torch.zeros(2),
        exact=torch.tensor([True, False]),
        kl=torch.tensor([[1.0, 0.0], [2.0, 1.0]]),
        error=torch.tensor([[0.0, 0.0], [2.0, 2.0]]),
        posterior=posterior,
    )
    assert loss.rate.tolist() == [1, 3]
    assert loss.total(beta=1.0).item() == 15 + 2 + 2
    assert loss.total(beta=0.1, property_weight=0.5).item() == pytest.approx(15 + 0.2 + 1)
    # The dimensions have 1.5 and 0.5 nats; free bits of 1 count the second as 1.
    assert loss.total(beta=1.0, free_bits=1.0).item() == 15 + 2.5 + 2


def test_property_error_skips_blanks() -> None:
    network = tiny(properties=2)
    ids, lengths = batch()
    blank = torch.full((3, 2), torch.nan)
    loss = evaluate_loss(network, ids, lengths, blank, Noise.plain(torch.zeros(3, 5)))
    assert loss.property_error().tolist() == [0, 0, 0]
    values = blank.clone()
    values[1, 0] = network.predict(loss.posterior.mean)[1, 0].detach() + 2
    loss = evaluate_loss(network, ids, lengths, values, Noise.plain(torch.zeros(3, 5)))
    assert loss.property_error().tolist() == pytest.approx([0, 2, 0])  # half of two squared
    assert loss.property_error(torch.tensor([3.0, 1.0])).tolist() == pytest.approx([0, 6, 0])
    loss.total(1.0).backward()
    assert all(
        torch.isfinite(one.grad).all() for one in network.parameters() if one.grad is not None
    )


@pytest.mark.parametrize("layers", [1, 2])
def test_nothing_depends_on_batch_mates(layers: int) -> None:
    network = tiny(encoder_layers=layers, decoder_layers=layers)
    ids, lengths = batch()
    noise = torch.randn(3, 5)
    together = evaluate_loss(network, ids, lengths, torch.empty(3, 0), Noise.plain(noise))
    for row, length in enumerate(lengths.tolist()):
        alone = evaluate_loss(
            network, ids[row : row + 1, :length], lengths[row : row + 1], torch.empty(1, 0),
            Noise.plain(noise[row : row + 1]),
        )  # fmt: skip
        torch.testing.assert_close(
            alone.posterior.mean[0], together.posterior.mean[row], atol=1e-6, rtol=0
        )
        torch.testing.assert_close(alone.distortion[0], together.distortion[row], atol=1e-5, rtol=0)


def test_the_encoder_reads_both_ways_like_a_bidirectional_gru() -> None:
    network = tiny()
    ids, lengths = batch()
    encoder = network.encoder
    reference = torch.nn.GRU(6, 7, batch_first=True, bidirectional=True)
    for name, weight in encoder.forwards[0].named_parameters():
        getattr(reference, name).data.copy_(weight)
    for name, weight in encoder.backwards[0].named_parameters():
        getattr(reference, name + "_reverse").data.copy_(weight)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        network.embedding(ids), lengths, batch_first=True
    )
    _, last = reference(packed)
    expected = encoder.to_posterior(torch.cat([last[0], last[1]], dim=-1))[:, :5]
    torch.testing.assert_close(network.inference(ids, lengths).mean, expected)


def test_sampling_follows_the_distribution_it_trains() -> None:
    network = tiny()
    latent = torch.randn(1, 5).expand(4000, 5)
    uniforms = torch.rand(4000, 13, generator=torch.Generator().manual_seed(0))
    drawn = network.sample(latent, 1.0, uniforms)
    logits = network.generative(latent[:1], torch.full((1, 1), 3))[0, 0]
    logits[[PAD, BOS]] = -torch.inf
    expected = logits.softmax(-1)
    shares = torch.bincount(drawn[:, 0], minlength=VOCABULARY) / 4000
    torch.testing.assert_close(shares, expected, atol=0.025, rtol=0)


def test_greedy_sampling_takes_the_likeliest_token_each_time() -> None:
    network = tiny()
    latent = torch.randn(6, 5)
    written = network.sample(latent, 0.0)
    assert written.shape[1] <= 13
    logits = network.generative(latent, written[:, :-1])[:, : written.shape[1]]
    logits[..., [PAD, BOS]] = -torch.inf
    before_end = (written == EOS).cumsum(1) - (written == EOS).long() == 0
    assert (logits.argmax(-1) == written)[before_end].all()


def test_some_molecules_are_decoded_again_from_a_noisy_latent() -> None:
    network = tiny(knows_noise=True)
    ids, lengths = batch()
    noise = Noise(
        torch.randn(3, 5), torch.tensor([2, 0]), torch.randn(2, 5), torch.tensor([0.6, 1])
    )
    loss = evaluate_loss(network, ids, lengths, torch.empty(3, 0), noise)
    latent = loss.posterior.mean + loss.posterior.stddev * noise.posterior
    # 0.6 and 0.8 are the amplitudes of noise and latent; at a level of 1 there is noise alone.
    again = torch.stack([0.8 * latent[2] + 0.6 * noise.latent[0], noise.latent[1]])
    torch.testing.assert_close(noisy(latent[[2, 0]], noise.level, noise.latent), again)
    logits = network.generative(again, ids[[2, 0]], noise.level)
    expected = sequence_nats(logits, ids[[2, 0]], lengths[[2, 0]])
    torch.testing.assert_close(loss.blurred[[2, 0]], expected)
    assert loss.blurred[1] == 0
    assert loss.total(0.0) == (loss.distortion + loss.blurred).mean()


def test_what_is_all_noise_tells_the_decoder_nothing() -> None:
    network = tiny(knows_noise=True)
    ids, _ = batch()
    level = torch.ones(3)
    one, other = (network.generative(torch.randn(3, 5), ids, level) for _ in range(2))
    torch.testing.assert_close(one, other)


def test_noisy_latents_teach_the_encoder_nothing() -> None:
    network = tiny(knows_noise=True)
    ids, lengths = batch()
    rows = torch.arange(3)
    noise = Noise(torch.randn(3, 5), rows, torch.randn(3, 5), torch.full((3,), 0.5))
    evaluate_loss(network, ids, lengths, torch.empty(3, 0), noise).blurred.sum().backward()
    weight = network.encoder.to_posterior.weight
    assert weight.grad is None or not weight.grad.any()
    assert network.decoder.to_logits.weight.grad.abs().sum() > 0


def test_every_tensor_is_made_where_the_network_is() -> None:
    with torch.device("meta"):
        network = SequenceVAE(NetworkConfig(VOCABULARY, 12, properties=2, knows_noise=True))
    ids, lengths = batch("meta")
    properties, noise = torch.empty(3, 2, device="meta"), torch.empty(3, 64, device="meta")
    loss = evaluate_loss(network, ids, lengths, properties, Noise.plain(noise))
    assert loss.total(1.0).device.type == "meta"


def test_a_step_on_every_device(device: str) -> None:
    network = tiny(properties=1).to(device).train()  # cuDNN's GRU learns only then
    ids, lengths = batch(device)
    properties, noise = torch.zeros(3, 1, device=device), torch.zeros(3, 5, device=device)
    loss = evaluate_loss(network, ids, lengths, properties, Noise.plain(noise)).total(1.0)
    loss.backward()
    on_cpu = evaluate_loss(
        tiny(properties=1), *batch(), torch.zeros(3, 1), Noise.plain(torch.zeros(3, 5))
    ).total(1.0)
    assert loss.item() == pytest.approx(on_cpu.item(), rel=1e-4)


def test_sizes_are_what_their_description_says() -> None:
    millions = {
        size: sum(
            one.numel()
            for one in SequenceVAE(sized(size, vocabulary_size=30, max_tokens=60)).parameters()
        )
        / 1e6
        for size in SIZES
    }
    assert millions == pytest.approx({"small": 0.4, "base": 1.6, "large": 6.3}, rel=0.1)


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'latent_dim'"):
        sized("base", vocabulary_size=9, max_tokens=9, latent_dims=3)
    with pytest.raises(SettingsError, match="Did you mean 'small'"):
        sized("smal", vocabulary_size=9, max_tokens=9)
    with pytest.raises(SettingsError, match=r"latent_dim is a whole number, not 3\.5"):
        sized("base", vocabulary_size=9, max_tokens=9, latent_dim=3.5)
    with pytest.raises(SettingsError, match="latent_dim is from 1 to"):
        sized("base", vocabulary_size=9, max_tokens=9, latent_dim=0)
