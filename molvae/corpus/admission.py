"""Which molecules a model that exists can read, and what it makes of broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from molvae.chem.salvage import Salvaged, salvage_many
from molvae.chem.standard import Standard
from molvae.chem.strings import Constraints, Encoded, encode_many
from molvae.corpus.vocabulary import Vocabulary
from molvae.parallel import GIVEN_UP, ordered


def encodable(
    smiles: Sequence[str],
    vocabulary: Vocabulary,
    max_tokens: int,
    constraints: Constraints,
    standard: Standard,
    *,
    workers: int | None = None,
) -> list[Encoded]:
    """Encode molecules for a model that exists, standardised as it was trained.

    A token that it has never seen, or more tokens than it ever saw, reject their row.
    """
    work = partial(encode_many, constraints=constraints, standard=standard)
    encoded = ordered(work, smiles, workers, given_up=Encoded("", "", GIVEN_UP))
    return [_if_known(one, vocabulary, max_tokens) for one in encoded]


def salvaged(
    texts: Sequence[str],
    max_tokens: int,
    constraints: Constraints,
    standard: Standard,
    *,
    workers: int | None = None,
) -> list[Salvaged]:
    """Read what there is in texts that may be no molecules, for a model that exists.

    A token that it has never seen rejects nothing; more tokens than it ever saw do.
    """
    work = partial(salvage_many, constraints=constraints, standard=standard)
    found = ordered(work, texts, workers, given_up=Salvaged([], reason=GIVEN_UP))
    return [
        replace(one, tokens=[], reason=_too_long(max_tokens))
        if len(one.tokens) > max_tokens
        else one
        for one in found
    ]


def _too_long(max_tokens: int) -> str:
    return f"longer than the {max_tokens} tokens that the model has seen"


def _if_known(one: Encoded, vocabulary: Vocabulary, max_tokens: int) -> Encoded:
    tokens = one.tokens
    unknown = vocabulary.unknown(tokens)
    if unknown:
        return Encoded("", "", f"the model has never seen {' '.join(unknown)}")
    if len(tokens) > max_tokens:
        return Encoded("", "", _too_long(max_tokens))
    return one
