"""Compounds that a verb starts from: all of them must be usable."""

from __future__ import annotations

from collections.abc import Sequence

from molvae.codec import Codec, Encodings
from molvae.errors import MoleculeError


def encoded(codec: Codec, compounds: Sequence[str], *, flat: bool = False) -> Encodings:
    """Encode compounds, a row each.

    Args:
        codec: The model.
        compounds: SMILES.
        flat: Take stereo, isotopes and neutralisable charges away too.

    Raises:
        MoleculeError: For the first compound that the model can't encode.
    """
    encodings = codec.encode(compounds, flat=flat)
    for given, reason in zip(compounds, encodings.reasons, strict=True):
        if reason:
            raise MoleculeError(f"{given}: {reason}.{'' if flat else _remedy(reason)}")
    return encodings


def _remedy(reason: str) -> str:
    return " --flatten drops stereo and charges." if "never seen" in reason else ""
