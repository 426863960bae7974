"""What a call of `train` asks for, told apart by whom it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from molvae import settings as checks
from molvae.chem.standard import Standard
from molvae.chem.strings import AUTO
from molvae.corpus.corpus import MAX_TOKENS, Corpus
from molvae.corpus.splits import HELD_OUT_SHARE, TRAIN, VALID
from molvae.corpus.vocabulary import Vocabulary
from molvae.errors import SettingsError, nearest
from molvae.network.config import NetworkConfig, sized
from molvae.network.vae import SequenceVAE
from molvae.run.base import Base
from molvae.settings import from_mapping
from molvae.training.config import TrainingConfig

DEFAULT_SIZE = "base"
"""Of a network, unless another is asked for."""

_DERIVED = ("vocabulary_size", "max_tokens", "properties", "knows_noise", "seed")
_SHAPE = [field.name for field in fields(NetworkConfig) if field.name not in _DERIVED]
_TRAINING = [field.name for field in fields(TrainingConfig) if field.name not in _DERIVED]
_STANDARD = [field.name for field in fields(Standard)]
PREPARING: Mapping[str, Any] = {
    "duplicates": "mean",
    "split_column": None,
    "split": "random",
    "held_out": HELD_OUT_SHARE,
    "test": 0.0,
    "max_tokens": MAX_TOKENS,
    "min_token_count": 1,
}
"""What `molvae.corpus.corpus.prepare` is told, and what runs begun before it could be meant."""

NUMBERS = (*_SHAPE, *_TRAINING)
"""The settings that `--set` takes: those of the network and of its training."""

SETTINGS = (*NUMBERS, *_STANDARD)
"""What `train` takes beside its own arguments."""

_ARGUMENTS = (
    *("output", "source", "base", "smiles_column", "properties", "constraints", "size", "seed"),
    *("device", "workers", "processes", "report", "overwrite", "quiet", *PREPARING),
)
"""The arguments of `train`, by which the settings in a call are known."""


@dataclass(frozen=True)
class Request:
    """What a call of `train` comes to.

    Attributes:
        standard: How molecules are standardised.
        constraints: The name of what selfies may bond, or ``auto``.
        size: The dial of the network's shape.
        shape: Single numbers of it that were given.
        training: How the network is trained.
        base: The model to start from, if there is one.
    """

    standard: Standard
    constraints: str
    size: str
    shape: Mapping[str, Any]
    training: TrainingConfig
    base: Base | None

    @classmethod
    def of(cls, call: Mapping[str, Any]) -> Request:
        """Tell the settings of the molecules, of the network and of its training apart.

        Raises:
            SettingsError: For an unknown one, or one that the model to start from brings.
        """
        given = {name: value for name, value in call.items() if name not in _ARGUMENTS}
        for name in given:
            if name not in SETTINGS:
                raise SettingsError(f"There is no setting {name!r}.{nearest(name, SETTINGS)}")
        shape = {name: value for name, value in given.items() if name in _SHAPE}
        standard = {name: value for name, value in given.items() if name in _STANDARD}
        training = {name: value for name, value in given.items() if name in _TRAINING}
        constraints, size, base = call.get("constraints", AUTO), call["size"], None
        if call.get("base") is not None:
            base = Base.load(call["base"])
            chosen = {"constraints": constraints != AUTO, "size": size is not None}
            base.refuse(
                [*shape, *standard, *(name for name, is_given in chosen.items() if is_given)]
            )
            training, constraints = base.settings(training), base.constraints
        else:
            sized(size or DEFAULT_SIZE, vocabulary_size=1, max_tokens=1, **shape)  # refused early
        return cls(
            standard=base.checkpoint.standard if base else from_mapping(Standard, standard),
            constraints=constraints,
            size=size or DEFAULT_SIZE,
            shape=shape,
            training=from_mapping(TrainingConfig, {**training, "seed": checks.seed(call["seed"])}),
            base=base,
        )

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The symbols that are known before."""
        return self.base.checkpoint.vocabulary if self.base else None

    def network(self, corpus: Corpus) -> SequenceVAE:
        """The network that training begins with."""
        longest = int(corpus.lengths(corpus.rows(TRAIN, VALID)).max())
        knows_noise = self.training.noise_share > 0
        if self.base is not None:
            names = corpus.property_names
            return self.base.network(corpus.vocabulary, longest, names, knows_noise=knows_noise)
        config = sized(
            self.size,
            vocabulary_size=len(corpus.vocabulary),
            max_tokens=longest,
            properties=len(corpus.property_names),
            knows_noise=knows_noise,
            **self.shape,
        )
        return SequenceVAE(config)
