"""The symbols a model knows, and their ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

PAD, BOS, EOS = 0, 1, 2
"""Ids of padding, of the beginning and of the end of a string."""

SPECIAL = 3
"""The number of ids that stand for no symbol."""

_MARKS = {"stereo": "@/\\", "charges": "+-"}
"""What is told by a sign in a symbol."""


class Vocabulary:
    """SELFIES symbols in sorted order, with ids from `SPECIAL` on.

    Args:
        symbols: Any symbols; repeated ones count once.

    >>> vocabulary = Vocabulary(["[O]", "[C]", "[C]"])
    >>> vocabulary.ids(["[C]", "[O]"])
    array([3, 4], dtype=uint16)
    >>> vocabulary.tokens([3, 4])
    ['[C]', '[O]']
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols: tuple[str, ...] = tuple(sorted(set(symbols)))
        self._ids = {symbol: place for place, symbol in enumerate(self.symbols, SPECIAL)}

    def __len__(self) -> int:
        """The number of ids, the special ones included."""
        return len(self.symbols) + SPECIAL

    @property
    def marks(self) -> list[str]:
        """Which of stereo and charges some symbol has.

        >>> Vocabulary(["[C]", "[C@@H1]", "[-/Ring1]", "[O-1]"]).marks, Vocabulary(["[C]"]).marks
        (['stereo', 'charges'], [])
        """
        signs = set("".join(one.strip("[]") for one in self.symbols))
        return [name for name, told in _MARKS.items() if not signs.isdisjoint(told)]

    def unknown(self, tokens: Iterable[str]) -> list[str]:
        """The tokens that the vocabulary lacks, each once, in order of appearance."""
        return list(dict.fromkeys(token for token in tokens if token not in self._ids))

    def ids(self, tokens: Sequence[str]) -> np.ndarray:
        """The ids of known tokens, (T,) uint16."""
        return np.array([self._ids[token] for token in tokens], dtype=np.uint16)

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens of ids, up to the first end or padding."""
        tokens = []
        for one in ids:
            if one in (PAD, EOS):
                break
            tokens.append(self.symbols[one - SPECIAL])
        return tokens
