"""Kinds of move: how a search comes from the best molecules so far to others."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from molvae.chem.breeding import child, mutant
from molvae.chem.molecules import parse
from molvae.chem.strings import Decoded
from molvae.codec import Codec
from molvae.guidance.archive import Archive
from molvae.latent.sources import written_alone

Random = np.random.Generator


OF_MODEL = ("nearby", "between", "samples")
"""The kinds of move that the model makes."""

KINDS = (*OF_MODEL, "graphs")
"""The kinds of move there are."""


def ask_model(kinds: Sequence[str]) -> bool:
    """Whether moves of some kinds need the model, so that it is of use when it learns."""
    return not set(kinds).isdisjoint(OF_MODEL)


class Move(Protocol):
    """A kind of move.

    Attributes:
        name: What it is called by where moves are switched off.
        breeds: Whether what it proposes is like the molecules that it is given.
    """

    name: str
    breeds: bool

    def propose(self, archive: Archive, count: int, random: Random) -> list[Decoded]:
        """Some molecules, about so many; the empty, the repaired and the known are no loss."""

    def told(self, new: float) -> None:
        """The share that was new, of those last proposed that could be evaluated."""

    def widen(self) -> None:
        """Go further from here on: the search has found nothing better for a while."""


class Steady:
    """What moves have in common that have no width."""

    def told(self, new: float) -> None:
        """Nothing depends on it."""

    def widen(self) -> None:
        """There is nothing to widen."""


class Anchors:
    """Latents of molecules, of those alone that the model gives back from them.

    What is decoded around the latent of a molecule that the model takes for another one has little
    to do with it.

    Args:
        codec: The model.
    """

    MEMORY = 4096
    """Latents that are kept."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._latents: dict[str, np.ndarray] = {}

    def of(self, molecules: Sequence[str]) -> np.ndarray:
        """The latents of those that are given back, (M, D) with M from 0."""
        new = [one for one in dict.fromkeys(molecules) if one not in self._latents]
        if len(self._latents) + len(new) > self.MEMORY:
            self.forget()
            new = list(dict.fromkeys(molecules))
        if new:
            encodings = self._codec.encode(new)
            back = self._codec.decode(encodings.mean)
            for smiles, name, latent, one in zip(
                new, encodings.smiles, encodings.mean, back, strict=True
            ):
                given_back = bool(one.smiles) and one.smiles == name
                self._latents[smiles] = latent if given_back else np.full_like(latent, np.nan)
        latents = np.array([self._latents[one] for one in molecules], dtype=np.float32)
        latents = latents.reshape(-1, self._codec.latent_dim)
        return latents[np.isfinite(latents).all(axis=1)]

    def forget(self) -> None:
        """Encode anew from here on: the model has changed."""
        self._latents.clear()


class Nearby:
    """The neighborhood of good molecules: their latents with noise in them, decoded.

    The noise is widened while nearly all that comes out is known, and narrowed while most is new.

    Args:
        codec: The model.
        anchors: Of the model.
    """

    name, breeds = "nearby", True
    FIRST, NARROWEST, STEP = 0.3, 0.02, 1.25
    MANY_KNOWN, FEW_KNOWN = 0.9, 0.5

    def __init__(self, codec: Codec, anchors: Anchors) -> None:
        self._codec, self._anchors = codec, anchors
        self.noise = self.FIRST

    def propose(self, archive: Archive, count: int, random: Random) -> list[Decoded]:
        """Decode the latents of parents, each with noise at a level around the present one."""
        latents = self._anchors.of(archive.parents(count, random))
        levels = np.clip(self.noise * random.uniform(0.5, 1.5, len(latents)), 0, 1)
        return self._codec.decode(latents, temperature=1.0, noise=levels, seed=_seed(random))

    def told(self, new: float) -> None:
        """Widen or narrow the noise."""
        if new < 1 - self.MANY_KNOWN:
            self.noise = min(1.0, self.noise * self.STEP)
        elif new > 1 - self.FEW_KNOWN:
            self.noise = max(self.NARROWEST, self.noise / self.STEP)

    def widen(self) -> None:
        """Double the noise."""
        self.noise = min(1.0, 2 * self.noise)


class Between(Steady):
    """What lies between two good molecules: points on the lines between their latents, decoded.

    Args:
        codec: The model.
        anchors: Of the model.
    """

    name, breeds = "between", True
    ENDS = 0.1
    """Of a line, at either end, which isn't between."""

    def __init__(self, codec: Codec, anchors: Anchors) -> None:
        self._codec, self._anchors = codec, anchors

    def propose(self, archive: Archive, count: int, random: Random) -> list[Decoded]:
        """Decode a point between each two of some parents."""
        latents = self._anchors.of(archive.parents(2 * count, random))
        starts, ends = latents[0::2], latents[1::2]
        starts = starts[: len(ends)]
        share = random.uniform(self.ENDS, 1 - self.ENDS, (len(ends), 1)).astype(np.float32)
        points = (1 - share) * starts + share * ends
        return self._codec.decode(points, temperature=1.0, seed=_seed(random))


class Samples(Steady):
    """What the model writes by itself, told little or nothing of a latent.

    Args:
        codec: The model.
    """

    name, breeds = "samples", False

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def propose(self, archive: Archive, count: int, random: Random) -> list[Decoded]:
        """Decode draws of the prior; by a decoder that knows noise, with nothing left of them."""
        return written(self._codec, count, _seed(random), _seed(random))


def written(codec: Codec, count: int, seed: int, decoding_seed: int) -> list[Decoded]:
    """Draws of the prior, decoded with nothing left of them by a decoder that knows noise."""
    if codec.knows_noise:  # what was drawn would leave no trace
        return written_alone(codec, count, decoding_seed)
    return codec.decode(codec.draw(count, seed), temperature=1.0, seed=decoding_seed)


class Graphs(Steady):
    """Crossover and mutation of molecular graphs; the model has no part in it.

    Args:
        form: Brings molecules into the form that is looked for, to nothing where it can't.
    """

    name, breeds = "graphs", True
    MUTATED = 0.1
    """The share that is a parent's mutant, and no child of two."""

    MOST_ATOMS = 60
    """Heavy atoms: crossover makes molecules larger and larger."""

    def __init__(self, form: Callable[[Sequence[str]], list[str]] = list) -> None:
        self._form = form

    def propose(self, archive: Archive, count: int, random: Random) -> list[Decoded]:
        """Children of some parents, and mutants."""
        generator = _generator(random)
        parents = archive.parents(2 * count, random)
        children = [
            mutant(one, generator)
            if generator.random() < self.MUTATED
            else child(one, other, generator)
            for one, other in zip(parents[0::2], parents[1::2], strict=True)
        ]
        fitting = [one for one in children if one and self._fits(one)]
        return [Decoded(one, strict=True) for one in self._form(fitting) if one]

    def _fits(self, smiles: str) -> bool:
        return "." not in smiles and parse(smiles).GetNumHeavyAtoms() <= self.MOST_ATOMS


def moves_of(codec: Codec, anchors: Anchors, kinds: Sequence[str] = KINDS) -> list[Move]:
    """The moves of some kinds."""
    every: list[Move] = [
        Nearby(codec, anchors),
        Between(codec, anchors),
        Samples(codec),
        Graphs(codec.form),
    ]
    return [move for move in every if move.name in kinds]


def _seed(random: Random) -> int:
    return int(random.integers(2**31))


def _generator(numbers: Random) -> random.Random:
    """A generator of the kind that `mol_ga` takes."""
    return random.Random(_seed(numbers))
