"""Strings with errors in them, from which a denoising model learns to write the clean ones."""

from __future__ import annotations

import numpy as np

from molvae.corpus.vocabulary import BOS, EOS

MASK = BOS
"""What a masked token becomes: the beginning, which the encoder never reads otherwise."""

_FIRST = EOS + 1


def corrupted(
    token_ids: np.ndarray, share: float, symbols: int, generator: np.random.Generator
) -> np.ndarray:
    """A string in which some tokens are exchanged, dropped or masked, a third each.

    Args:
        token_ids: (T,), at least one.
        share: How likely each token is hit, 0 to 1.
        symbols: Ids that occur, the special ones included.
        generator: Of what happens where.

    Returns:
        (T',), at least one token.
    """
    hit = generator.random(len(token_ids)) < share
    what = generator.integers(3, size=len(token_ids))
    others = generator.integers(_FIRST, symbols, size=len(token_ids))
    changed = np.where(hit & (what == 0), others, token_ids)
    changed = np.where(hit & (what == 1), MASK, changed)
    kept = changed[~(hit & (what == 2))]
    return kept if len(kept) else changed[:1]
