"""The shape of a network: one dial, from which the rest is derived."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from molvae.errors import SettingsError, nearest
from molvae.settings import from_mapping, require

LARGEST = 65_536
"""No number of a network's shape is larger."""


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network.

    Attributes:
        vocabulary_size: Ids that occur, the special ones included.
        max_tokens: The longest string that it writes.
        latent_dim: Numbers in a latent.
        embedding_dim: Numbers in the embedding of a token.
        encoder_hidden: Units of the encoder, in each direction.
        encoder_layers: Layers of the encoder.
        decoder_hidden: Units of the decoder.
        decoder_layers: Layers of the decoder.
        dropout: Share of the decoder's output units silenced in training.
        properties: Property heads, one a property.
        head_hidden: Units of the hidden layer that the heads share.
        knows_noise: Whether the decoder is told how noisy its latent is.
    """

    vocabulary_size: int
    max_tokens: int
    latent_dim: int = 64
    embedding_dim: int = 64
    encoder_hidden: int = 256
    encoder_layers: int = 1
    decoder_hidden: int = 512
    decoder_layers: int = 1
    dropout: float = 0.0
    properties: int = 0
    head_hidden: int = 128
    knows_noise: bool = False

    @property
    def told_dim(self) -> int:
        """Numbers that the decoder is told of a latent: the latent, and how noisy it is."""
        return self.latent_dim + self.knows_noise

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "dropout":
                require(0 <= value < 1, f"dropout is a share from 0 to below 1, not {value}.")
            elif field.name == "properties":
                require(value >= 0, f"properties can't be {value}.")
            elif field.name != "knows_noise":
                require(
                    1 <= value <= LARGEST, f"{field.name} is from 1 to {LARGEST:,}, not {value}."
                )


SIZES: dict[str, dict[str, int]] = {
    "small": {"latent_dim": 32, "embedding_dim": 32, "encoder_hidden": 128, "decoder_hidden": 256},
    "base": {"latent_dim": 64, "embedding_dim": 64, "encoder_hidden": 256, "decoder_hidden": 512},
    "large": {
        "latent_dim": 128,
        "embedding_dim": 128,
        "encoder_hidden": 512,
        "decoder_hidden": 1024,
    },
}
"""What ``--size`` means: about 0.4, 1.7 and 6.5 million parameters."""


def sized(
    size: str,
    *,
    vocabulary_size: int,
    max_tokens: int,
    properties: int = 0,
    knows_noise: bool = False,
    **chosen: Any,
) -> NetworkConfig:
    """A config of a named size, with single numbers chosen over it.

    Raises:
        SettingsError: For an unknown size or an unknown number.
    """
    if size not in SIZES:
        raise SettingsError(f"No size {size!r}.{nearest(size, SIZES)}")
    fixed = {
        "vocabulary_size": vocabulary_size,
        "max_tokens": max_tokens,
        "properties": properties,
        "knows_noise": knows_noise,
    }
    return from_mapping(NetworkConfig, {**SIZES[size], **chosen, **fixed})
