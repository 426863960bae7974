"""Molecules to latents and back: the one place where strings, tokens and the network meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from molvae import settings as checks
from molvae.checkpoint import Checkpoint
from molvae.chem.salvage import Salvaged
from molvae.chem.standard import FLATTENING, Standard, standard_many
from molvae.chem.strings import Decoded, Encoded, decode_many
from molvae.corpus.admission import encodable, salvaged
from molvae.corpus.batches import pad
from molvae.corpus.disguise import masked
from molvae.corpus.vocabulary import EOS
from molvae.network.noise import noisy
from molvae.network.objective import sequence_nats
from molvae.parallel import ordered
from molvae.training.precision import multiplies_bf16

BLOCK = 256
"""Latents decoded at a time, always: what is drawn depends on (seed, block) alone."""

REMEMBERED = 65_536
"""Strings whose molecules a codec keeps at hand, at most: many latents decode to the same."""


@dataclass(frozen=True)
class Encodings:
    """Molecules as the model sees them, a row each; the unusable ones have NaN and a reason.

    Attributes:
        smiles: Canonical SMILES, empty where unusable.
        tokens: SELFIES symbols, empty where unusable.
        mean: Posterior means, (N, D) float32.
        deviation: Posterior standard deviations, (N, D) float32.
        reasons: Why a row is unusable, else empty.
        steps: The names of the steps of standardising that changed it, in their order.
    """

    smiles: list[str]
    tokens: list[list[str]]
    mean: np.ndarray
    deviation: np.ndarray
    reasons: list[str]
    steps: list[tuple[str, ...]]

    @property
    def flattened(self) -> list[bool]:
        """Whether stereo, isotopes or charges were taken away."""
        return [not FLATTENING.isdisjoint(steps) for steps in self.steps]

    @property
    def usable(self) -> np.ndarray:
        """Which rows have a latent, (N,) bool."""
        return np.array([not reason for reason in self.reasons], dtype=bool)

    def taken(self, places: np.ndarray) -> Encodings:
        """Some of the rows."""
        rows = places.tolist()
        return Encodings(
            [self.smiles[row] for row in rows],
            [self.tokens[row] for row in rows],
            self.mean[places],
            self.deviation[places],
            [self.reasons[row] for row in rows],
            [self.steps[row] for row in rows],
        )

    def rates(self) -> np.ndarray:
        """KL(q(z | x) || N(0, I)) by dimension, in nats, (N, D)."""
        variance = self.deviation**2
        nats: np.ndarray = 0.5 * (variance + self.mean**2 - 1 - np.log(variance))
        return nats

    @classmethod
    def joined(cls, parts: Sequence[Encodings]) -> Encodings:
        """The rows of several, one after the other."""
        return cls(
            [one for part in parts for one in part.smiles],
            [one for part in parts for one in part.tokens],
            np.concatenate([part.mean for part in parts]),
            np.concatenate([part.deviation for part in parts]),
            [one for part in parts for one in part.reasons],
            [one for part in parts for one in part.steps],
        )

    def sample(self, seed: int | np.random.Generator) -> np.ndarray:
        """One draw of each posterior, (N, D) float32; a generator goes on from part to part."""
        if not isinstance(seed, np.random.Generator):
            seed = np.random.default_rng(checks.seed(seed))
        noise = seed.standard_normal(self.mean.shape, dtype=np.float32)
        drawn: np.ndarray = self.mean + self.deviation * noise
        return drawn


class Codec(Protocol):
    """What works in the latent space needs of a model."""

    latent_dim: int
    property_names: tuple[str, ...]
    knows_noise: bool
    strict_alone: float

    def encode(self, smiles: Sequence[str], *, flat: bool = False) -> Encodings:
        """Encode molecules, a row each."""

    def salvage(self, texts: Sequence[str], *, flat: bool = False) -> Encodings:
        """Encode what can be read of texts that may be no molecules, a row each."""

    def form(self, smiles: Sequence[str]) -> list[str]:
        """Canonical SMILES in the form of what is decoded, empty for what has none."""

    def decode(
        self,
        latents: np.ndarray,
        *,
        temperature: float = 0.0,
        noise: float | np.ndarray = 0.0,
        seed: int = 0,
        first_block: int = 0,
    ) -> list[Decoded]:
        """Decode latents, (N, D), a molecule each; NaN rows have no molecule."""

    def distortion(self, encodings: Encodings, latents: np.ndarray) -> np.ndarray:
        """-log p(x | z) of molecules given latents, in nats: (N, D) to (N,)."""

    def predict(self, latents: np.ndarray) -> np.ndarray:
        """What the heads say, in the units of the properties: (N, D) to (N, P)."""

    def slope(self, latents: np.ndarray, name: str) -> np.ndarray:
        """Gradient of one head, in its units per latent unit: (N, D) to (N, D)."""

    def draw(
        self, count: int, seed: int, first_block: int = 0, *, temperature: float = 1.0
    ) -> np.ndarray:
        """Draw latents from the prior, (N, D)."""

    def log_density(self, latents: np.ndarray) -> np.ndarray:
        """Log p(z) under the prior, in nats: (N, D) to (N,)."""

    def density_slope(self, latents: np.ndarray) -> np.ndarray:
        """Gradient of log p(z), per latent unit: (N, D) to (N, D)."""


class NetworkCodec:
    """The codec of a checkpoint.

    Args:
        checkpoint: The model.
        batch_size: Molecules encoded at a time.
        workers: Processes that read and write SELFIES; by default one a core.
        flat: Take stereo, isotopes and neutralisable charges away from all that is read or written.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        batch_size: int = 512,
        workers: int | None = None,
        flat: bool = False,
    ) -> None:
        self._checkpoint, self._network = checkpoint, checkpoint.network
        self._prior = checkpoint.prior
        self._batch_size, self._workers = batch_size, workers
        self._form = checkpoint.standard.flattened() if flat else None
        self._read: dict[tuple[str, ...], Decoded] = {}
        self.latent_dim = checkpoint.network.config.latent_dim
        self.knows_noise = checkpoint.network.config.knows_noise
        self.strict_alone = float(checkpoint.record.get("strict_alone", 0))
        self.property_names = tuple(scale.name for scale in checkpoint.properties)
        self._centre = np.array([scale.mean for scale in checkpoint.properties])
        self._scale = np.array([scale.deviation for scale in checkpoint.properties])

    def encode(self, smiles: Sequence[str], *, flat: bool = False) -> Encodings:
        """Encode molecules, a row each.

        Args:
            smiles: Any SMILES.
            flat: Take stereo, isotopes and neutralisable charges away too, whatever the model's
                own standard keeps.
        """
        rows = encodable(
            smiles,
            self._checkpoint.vocabulary,
            self._network.config.max_tokens,
            self._checkpoint.constraints,
            self._standard(flat),
            workers=self._workers,
        )
        return self._encodings(rows)

    def salvage(self, texts: Sequence[str], *, flat: bool = False) -> Encodings:
        """Encode what can be read of texts that may be no molecules, a row each.

        The encoder reads a mask where a symbol stands that the model has never seen.

        Args:
            texts: Any; see `molvae.chem.salvage.salvage`.
            flat: As in `encode`, for those that are molecules.

        Returns:
            A SMILES stands there only where the text is a molecule, and may be one that the
            model can't write; the tokens may be unknown to it.
        """
        rows = salvaged(
            texts,
            self._network.config.max_tokens,
            self._checkpoint.constraints,
            self._standard(flat),
            workers=self._workers,
        )
        return self._encodings(rows)

    def form(self, smiles: Sequence[str]) -> list[str]:
        """Canonical SMILES in the form of what is decoded, empty for what has none."""
        return standard_many(smiles, self._form) if self._form else list(smiles)

    def _standard(self, flat: bool) -> Standard:
        standard = self._form or self._checkpoint.standard
        return standard.flattened() if flat else standard

    def _encodings(self, rows: Sequence[Encoded | Salvaged]) -> Encodings:
        """Rows with the posteriors of their tokens."""
        tokens = [row.tokens for row in rows]
        mean = np.full((len(rows), self.latent_dim), np.nan, dtype=np.float32)
        deviation = mean.copy()
        for chosen, token_ids, lengths in self._batches(tokens):
            with torch.no_grad():
                posterior = self._network.inference(token_ids, lengths)
            mean[chosen] = posterior.mean.cpu().numpy()
            deviation[chosen] = posterior.stddev.cpu().numpy()
        return Encodings(
            [row.smiles for row in rows],
            tokens,
            mean,
            deviation,
            [row.reason for row in rows],
            [row.steps for row in rows],
        )

    def decode(
        self,
        latents: np.ndarray,
        *,
        temperature: float = 0.0,
        noise: float | np.ndarray = 0.0,
        seed: int = 0,
        first_block: int = 0,
    ) -> list[Decoded]:
        """Decode latents, a molecule each.

        Args:
            latents: (N, D); a row that isn't finite has no molecule.
            temperature: 0 takes the likeliest token each time; 1 draws from the model.
            noise: How noisy the latents are made before they are decoded, from 0 (not at all) to 1
                (nothing of them is left), one number or one a row, (N,). A decoder that knows
                noise is told of it.
            seed: Of the draws.
            first_block: The number of the first block of `BLOCK` rows; the draws of a block
                depend on the seed and its number.

        Raises:
            SettingsError: When the temperature, the noise or the seed is out of range.
        """
        temperature, seed = checks.temperature(temperature), checks.seed(seed)
        levels = np.broadcast_to(checks.noise(noise), len(latents))
        written = []
        for start in range(0, len(latents), BLOCK):
            rows, seeds = slice(start, start + BLOCK), [seed, first_block + start // BLOCK]
            written += self._write(latents[rows], levels[rows], temperature, seeds)
        found = self._molecules([tokens for tokens, _ in written])
        return [
            _unfinished(one) if not closed else one
            for one, (_, closed) in zip(found, written, strict=True)
        ]

    def _molecules(self, strings: Sequence[tuple[str, ...]]) -> list[Decoded]:
        """What strings hold, each of them read once."""
        read = self._read
        fresh = [one for one in dict.fromkeys(strings) if one not in read]
        if len(read) + len(fresh) > REMEMBERED:  # what isn't asked for now is forgotten
            read = {one: read[one] for one in strings if one in read}
        constraints = self._checkpoint.constraints
        work = partial(decode_many, constraints=constraints, standard=self._form)
        read.update(zip(fresh, ordered(work, fresh, self._workers), strict=True))
        self._read = read if len(read) <= REMEMBERED else {}
        return [read[one] for one in strings]

    def _write(
        self, block: np.ndarray, levels: np.ndarray, temperature: float, seeds: list[int]
    ) -> list[tuple[tuple[str, ...], bool]]:
        """The tokens of each latent and whether they were closed: (B, D) and (B,) to B pairs."""
        network, vocabulary = self._network, self._checkpoint.vocabulary
        device = network.device
        shape = (len(block), network.config.max_tokens + 1)
        uniforms = np.random.default_rng([*seeds, 1]).random(shape, dtype=np.float32)
        finite = np.isfinite(block).all(axis=1)
        if not finite.any():
            return [((), True)] * len(block)
        latent = torch.from_numpy(block[finite]).to(device)
        level = torch.tensor(levels[finite], dtype=torch.float32, device=device)
        if levels.any():
            random = np.random.default_rng([*seeds, 2])
            normals = random.standard_normal(block.shape, dtype=np.float32)[finite]
            latent = noisy(latent, level, torch.from_numpy(normals).to(device))
        chances = torch.from_numpy(uniforms[finite]).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bf16(device)):
            ids = iter(network.sample(latent, temperature, chances, level).tolist())
        rows = [next(ids) if good else [EOS] for good in finite]
        return [(tuple(vocabulary.tokens(row)), EOS in row) for row in rows]

    def distortion(self, encodings: Encodings, latents: np.ndarray) -> np.ndarray:
        """-log p(x | z) of molecules given latents, in nats: (N, D) to (N,)."""
        nats = np.full(len(latents), np.nan, dtype=np.float32)
        for chosen, token_ids, lengths in self._batches(encodings.tokens):
            latent = torch.from_numpy(latents[chosen]).to(self._network.device)
            with torch.no_grad():
                logits = self._network.generative(latent, token_ids)
                nats[chosen] = sequence_nats(logits, token_ids, lengths).cpu().numpy()
        return nats

    def predict(self, latents: np.ndarray) -> np.ndarray:
        """What the heads say, in the units of the properties: (N, D) to (N, P) float64."""
        with torch.no_grad():
            values = self._network.predict(torch.from_numpy(latents).to(self._network.device))
        predicted: np.ndarray = values.cpu().numpy() * self._scale + self._centre
        return predicted

    def slope(self, latents: np.ndarray, name: str) -> np.ndarray:
        """Gradient of a head, in its units per latent unit: (N, D) to (N, D) float32."""
        place = self.property_names.index(name)
        latent = torch.from_numpy(latents).to(self._network.device).requires_grad_()
        value = self._network.predict(latent)[:, place].sum()
        (gradient,) = torch.autograd.grad(value, latent)
        slope: np.ndarray = gradient.cpu().numpy() * np.float32(self._scale[place])
        return slope

    def draw(
        self, count: int, seed: int, first_block: int = 0, *, temperature: float = 1.0
    ) -> np.ndarray:
        """Draw latents from the prior of the model.

        Args:
            count: How many.
            seed: Of the draws.
            first_block: The number of the first block of `BLOCK` rows; the draws of a block
                depend on the seed and its number.
            temperature: What the normal numbers that a draw is made of are multiplied by.

        Returns:
            (N, D) float32.
        """
        parts = [
            self._drawn([checks.seed(seed), first_block + place], temperature)
            for place in range(-(-count // BLOCK))
        ]
        return np.concatenate(parts)[:count]

    def _drawn(self, seeds: list[int], temperature: float) -> np.ndarray:
        """A block of draws from the prior, (BLOCK, D)."""
        random = np.random.default_rng([*seeds, 0])
        shape = (BLOCK, self.latent_dim)
        noise = np.float32(temperature) * random.standard_normal(shape, dtype=np.float32)
        uniforms = random.random(BLOCK, dtype=np.float32)
        device = self._network.device
        with torch.no_grad():
            latents: Tensor = self._prior.transport(
                torch.from_numpy(noise).to(device), torch.from_numpy(uniforms).to(device)
            )
        drawn: np.ndarray = latents.cpu().numpy()
        return drawn

    def log_density(self, latents: np.ndarray) -> np.ndarray:
        """Log p(z) under the prior of the model, in nats: (N, D) to (N,) float32."""
        with torch.no_grad():
            nats: Tensor = self._prior.log_prob(torch.from_numpy(latents).to(self._network.device))
        density: np.ndarray = nats.cpu().numpy()
        return density

    def density_slope(self, latents: np.ndarray) -> np.ndarray:
        """Gradient of log p(z) by the latent, in nats per latent unit: (N, D) to (N, D) float32."""
        latent = torch.from_numpy(latents).to(self._network.device).requires_grad_()
        (gradient,) = torch.autograd.grad(self._prior.log_prob(latent).sum(), latent)
        slope: np.ndarray = gradient.cpu().numpy()
        return slope

    def _batches(
        self, tokens: Sequence[Sequence[str]]
    ) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
        """Places, ids (B, T) and lengths (B,) of the rows that have tokens, shortest first.

        Tokens that the vocabulary lacks, which only salvaged rows have, are masked.
        """
        device, vocabulary = self._network.device, self._checkpoint.vocabulary
        lengths = np.array([len(one) for one in tokens], dtype=np.int64)
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        for start in range(0, len(order), self._batch_size):
            chosen = order[start : start + self._batch_size]
            ids = pad([masked(tokens[row], vocabulary) for row in chosen])
            yield (
                chosen,
                torch.from_numpy(ids).to(device),
                torch.from_numpy(lengths[chosen]).to(device),
            )


def _unfinished(decoded: Decoded) -> Decoded:
    """A string cut at the longest length isn't strict, whatever it means."""
    return replace(decoded, strict=False)
