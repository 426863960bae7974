"""A model of its own for a search, tuned on what the search finds."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from molvae.checkpoint import Checkpoint
from molvae.codec import NetworkCodec
from molvae.corpus.batches import Batch, pad
from molvae.guidance.moves import written
from molvae.training.adaptation import Tuner
from molvae.training.config import TrainingConfig
from molvae.training.precision import multiplies_bf16


class Tuning:
    """A copy of a model that learns; the model itself stays as it is.

    Among the molecules of a lesson stand some that the model wrote at the beginning, so that it
    doesn't forget what molecules are like.

    Args:
        checkpoint: The model.
        workers: Processes for chemistry; by default one a core.
        flat: Whether its codec takes stereo, isotopes and charges away.
        seed: Of everything random.

    Attributes:
        codec: Of the copy.
    """

    BATCH = 64
    REHEARSED, WRITTEN = 0.15, 1024
    """The share of a batch that the model wrote itself, and how many strings it writes for that."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        workers: int | None = None,
        flat: bool = False,
        seed: int = 0,
    ) -> None:
        self._checkpoint = replace(checkpoint, network=copy.deepcopy(checkpoint.network))
        self._original = copy.deepcopy(checkpoint.network.state_dict())
        self.codec = NetworkCodec(self._checkpoint, workers=workers, flat=flat)
        self._random = np.random.default_rng([seed, 1])
        self._ids: dict[str, np.ndarray] = {}
        self._tuner = self._begin()
        self._seed = seed

    def learn(self, molecules: Sequence[str]) -> None:
        """Take some steps on these molecules, each as often as it stands there."""
        own = self._own  # before the first step, when it is asked for the first time
        ids = self._ids_of(molecules)
        known = [one for one in molecules if len(ids[one])]
        for start in range(0, len(known), self.BATCH):
            lesson = known[start : start + self.BATCH]
            repeated = round(self.REHEARSED * len(lesson)) if own else 0
            places = self._random.integers(max(1, len(own)), size=repeated)
            chosen = [*lesson[repeated:], *(own[place] for place in places)]
            self._tuner.step(self._batch(chosen), int(self._random.integers(2**31)))

    def reset(self) -> None:
        """Go back to the model as it was."""
        self._checkpoint.network.load_state_dict(self._original)
        self._tuner = self._begin()

    def _begin(self) -> Tuner:
        beta = self._checkpoint.record.get("outcome", {}).get("beta") or TrainingConfig.beta
        network = self._checkpoint.network
        dtype = torch.bfloat16 if multiplies_bf16(network.device) else torch.float32
        return Tuner(network, beta, dtype)

    @cached_property
    def _own(self) -> list[str]:
        """Molecules that the model wrote before it learned, of strict strings.

        Found when they are first needed: a short search has no lesson.
        """
        decoded = written(self.codec, self.WRITTEN, self._seed, self._seed)
        molecules = [one.smiles for one in decoded if one.strict]
        ids = self._ids_of(molecules)
        return [one for one in molecules if len(ids[one])]

    def _ids_of(self, molecules: Sequence[str]) -> dict[str, np.ndarray]:
        """The token ids of molecules, none of one that the model can't write."""
        new = [one for one in dict.fromkeys(molecules) if one not in self._ids]
        if new:
            encodings = self.codec.encode(new)
            vocabulary = self._checkpoint.vocabulary
            for smiles, tokens in zip(new, encodings.tokens, strict=True):
                self._ids[smiles] = vocabulary.ids(tokens)
        return self._ids

    def _batch(self, molecules: Sequence[str]) -> Batch:
        ids = [self._ids[one] for one in molecules]
        lengths = np.array([len(one) for one in ids], dtype=np.int64)
        properties = len(self._checkpoint.properties)
        return Batch(pad(ids), lengths, np.full((len(ids), properties), np.nan, dtype=np.float32))
