"""A trained model that another run starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from molvae import checkpoint as checkpoints
from molvae.checkpoint import Checkpoint, PropertyScale
from molvae.chem.strings import named
from molvae.corpus.vocabulary import SPECIAL, Vocabulary
from molvae.errors import SettingsError
from molvae.network.growth import NEW, grown
from molvae.network.vae import SequenceVAE

LEARNING_RATE = 1e-4
"""Of fine-tuning, unless another is asked for: the weights are to be moved, not forgotten."""


@dataclass(frozen=True)
class Base:
    """A trained model that another run starts from.

    Its standard, constraints and shape are those of the run.

    Args:
        checkpoint: The model.
        path: Its file.
    """

    checkpoint: Checkpoint
    path: Path

    @classmethod
    def load(cls, path: str | Path) -> Base:
        """Read a model.

        Raises:
            CheckpointError: When there is none, or it is damaged.
        """
        file = checkpoints.file_of(path)
        return cls(checkpoints.load(file), file)

    def refuse(self, given: Iterable[str]) -> None:
        """Refuse settings that the model brings.

        Raises:
            SettingsError: Naming the first of them.
        """
        for name in given:
            raise SettingsError(f"{name} is the model's own when training starts from one.")

    @property
    def constraints(self) -> str:
        """The name of what selfies may bond.

        Raises:
            SettingsError: When that has no name.
        """
        return named(self.checkpoint.constraints)

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of training: those given, over those that suit a model that knows something."""
        ended = self.checkpoint.record.get("outcome", {})
        beta = {"beta": ended["beta"]} if ended.get("beta") else {}  # where a controller left it
        return {"learning_rate": LEARNING_RATE, "beta_warmup": 0.0, **beta, **given}

    def network(
        self,
        vocabulary: Vocabulary,
        max_tokens: int,
        property_names: tuple[str, ...],
        *,
        knows_noise: bool,
    ) -> SequenceVAE:
        """The network with rows for the symbols and heads that are new."""
        old = self.checkpoint
        known = {symbol: place for place, symbol in enumerate(old.vocabulary.symbols, SPECIAL)}
        heads = [scale.name for scale in old.properties]
        return grown(
            old.network,
            ids=[*range(SPECIAL), *(known.get(one, NEW) for one in vocabulary.symbols)],
            max_tokens=max(max_tokens, old.network.config.max_tokens),
            heads=[heads.index(one) if one in heads else NEW for one in property_names],
            knows_noise=knows_noise,
        )

    def dropped(self, property_names: tuple[str, ...]) -> list[str]:
        """The heads that the new model won't have."""
        return [one.name for one in self.checkpoint.properties if one.name not in property_names]

    def scales(self, found: tuple[PropertyScale, ...]) -> tuple[PropertyScale, ...]:
        """The scales of properties, those of the heads that are kept as they were."""
        old = {scale.name: scale for scale in self.checkpoint.properties}
        return tuple(
            replace(old[scale.name], count=scale.count) if scale.name in old else scale
            for scale in found
        )

    def facts(self) -> dict[str, Any]:
        """What the record of the new model says of the old one."""
        record = self.checkpoint.record
        return {
            "molecules": len(self.checkpoint.known),
            "fingerprint": record.get("data", {}).get("fingerprint"),
            "symbols": len(self.checkpoint.vocabulary.symbols),
        }
