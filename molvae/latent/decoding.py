"""Latents to tables of molecules, part by part."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.codec import BLOCK, Codec
from molvae.corpus.latents import LatentSource
from molvae.errors import SettingsError


def decode_parts(
    codec: Codec, source: LatentSource, *, temperature: float, seed: int, rows: int
) -> Iterator[pd.DataFrame]:
    """Decode latents; see `molvae.model.MolVAE.decode_chunks`.

    Args:
        codec: Of the model.
        source: The latents.
        temperature: Of the decoder.
        seed: Of the draws.
        rows: At most so many at a time, rounded up to whole blocks.

    Raises:
        SettingsError: When the latents have another width than the model's.
    """
    if len(source.shape) != 2 or source.shape[1] != codec.latent_dim:
        shape = " x ".join(map(str, source.shape)) or "a single number"
        raise SettingsError(
            f"The latents are {shape}; this model's have {codec.latent_dim} numbers a row."
        )
    blocks = -(-checks.count("rows", rows) // BLOCK)
    for part, latents in enumerate(source.chunks(blocks * BLOCK)):
        first_block = part * blocks
        decoded = codec.decode(latents, temperature=temperature, seed=seed, first_block=first_block)
        empty = ~np.isfinite(latents).all(axis=1)
        table = pd.DataFrame(
            {
                "smiles": [one.smiles for one in decoded],
                "strict": [one.strict for one in decoded],
                "reason": [
                    "no latent" if missing else one.reason
                    for one, missing in zip(decoded, empty, strict=True)
                ],
            }
        )
        yield table.assign(seed=seed) if temperature > 0 else table
