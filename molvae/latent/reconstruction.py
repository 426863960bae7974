"""Molecules beside what the model makes of their latents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from molvae.chem.fingerprints import tanimoto
from molvae.codec import Codec, Encodings


def reconstruct(
    codec: Codec, texts: Sequence[str], encodings: Encodings, latents: np.ndarray
) -> pd.DataFrame:
    """Decode latents greedily and compare with the molecules they stand for, a row each.

    Args:
        codec: Of the model.
        texts: The molecules as they were given.
        encodings: The molecules as the model sees them.
        latents: (N, D), means or draws of their posteriors.

    Returns:
        ``input``, ``smiles`` (canonical), ``reconstruction``, ``exact``, ``similarity`` (Tanimoto,
        Morgan 2), ``steps`` (of standardising that changed it), ``flattened``, ``reason``.
    """
    back = [one.smiles for one in codec.decode(latents)]
    pairs = list(zip(encodings.smiles, back, strict=True))
    return pd.DataFrame(
        {
            "input": texts,
            "smiles": encodings.smiles,
            "reconstruction": back,
            "exact": [bool(one) and one == other for one, other in pairs],
            "similarity": [
                tanimoto(one, other) if one and other else float("nan") for one, other in pairs
            ],
            "steps": [", ".join(steps) for steps in encodings.steps],
            "flattened": encodings.flattened,
            "reason": encodings.reasons,
        }
    )
