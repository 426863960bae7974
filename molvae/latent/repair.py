"""Clean molecules in place of broken or unusual ones, by the noisy channel of spelling correction.

What was written is taken for a molecule that came through a channel which exchanges symbols
(Kernighan, Church and Gale, 1990, doi:10.3115/997939.997975). Of the molecules that the model
decodes around what was written, the best are those with the highest log p(molecule) +
log p(written | molecule). The first is what the model says of the molecule. The second is a price
for each edit between the SELFIES symbols of the two.

The symbols of a text that is no molecule are compared in the order in which it has them, those
of a molecule in canonical order; the same molecule begun at another atom costs edits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.fingerprints import similarities
from molvae.chem.identity import KnownMolecules
from molvae.chem.strings import Decoded
from molvae.codec import BLOCK, Codec, Encodings
from molvae.latent.sources import block_noise
from molvae.latent.typicality import surprise

COUNT, DRAWS = 5, 32
"""Proposals for each row, and draws that they are chosen from, by default."""

ROWS = BLOCK
"""Rows repaired at a time: each is decoded many times over."""

LEVELS = (0.0, 0.3, 0.0, 0.6)
"""Noise of the draws in turn, where the decoder knows what to make of it."""

USUAL_CORRUPTION = 0.1
"""What is taken for the corruption of a model that was trained without any."""

_COLUMNS: dict[str, Any] = {
    "row": "int64",
    "input": str,
    "rank": "Int64",
    "smiles": str,
    "log_likelihood": float,
    "edits": "Int64",
    "similarity": float,
    "score": float,
    "known": bool,
    "reason": str,
    "seed": "int64",
}

_REPAIR = 4
"""What tells the random numbers of repair from others under the same seed."""

_NONE = "none of the strings drawn was a molecule without repair by SELFIES"


@dataclass(frozen=True)
class Asked:
    """What is asked of a repair.

    Attributes:
        price: Of an edit, in nats; see `edit_price`.
        count: Proposals for each row, at most.
        draws: Draws of each posterior, beside its mean.
        seed: Of the draws.

    Raises:
        SettingsError: When one is out of range.
    """

    price: float
    count: int = COUNT
    draws: int = DRAWS
    seed: int = 0

    def __post_init__(self) -> None:
        checks.count("count", self.count)
        checks.count("draws", self.draws)
        checks.seed(self.seed)


@dataclass(frozen=True)
class _Candidate:
    """A molecule that the model can encode, with its log-likelihood in nats."""

    smiles: str
    tokens: list[str]
    log_likelihood: float


@dataclass(frozen=True)
class _Proposal:
    """A candidate for one row, with the edits it needs and its score in nats."""

    candidate: _Candidate
    edits: int
    score: float


def edit_price(corruption: float, symbols: int) -> float:
    """What an edit costs: -log of the chance of one particular exchange, in nats.

    Training (`molvae.corpus.disguise.corrupted`) hits a token with a chance of ``corruption`` on
    the average, exchanges a third of those hit, and takes each of the symbols in their place alike:
    this token becomes that one with a chance of corruption / 3 / symbols. A drop or a mask,
    which name no symbol, are likelier; every edit costs the same here.

    Args:
        corruption: Of the training, a share; when 0, `USUAL_CORRUPTION` is taken.
        symbols: How many the vocabulary has.

    >>> round(edit_price(0.1, 30), 4)  # log 900
    6.8024
    """
    return math.log(3 * symbols / (corruption or USUAL_CORRUPTION))


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Levenshtein's: exchanges, insertions and deletions that turn one into the other.

    >>> edit_distance("kitten", "sitting")
    3
    """
    above = list(range(len(other) + 1))
    for line, symbol in enumerate(one, 1):
        here = [line]
        for place, opposite in enumerate(other):
            exchanged = above[place] + (symbol != opposite)
            here.append(min(exchanged, above[place + 1] + 1, here[place] + 1))
        above = here
    return above[-1]


def remark(corruption: float) -> str:
    """What a model lacks to propose well, and how to get it; empty when it lacks nothing."""
    if corruption:
        return ""
    return (
        "The model has never read a broken string: proposals are better from one that was trained "
        "with --corruption, such as 0.1."
    )


def repair(
    codec: Codec,
    texts: Sequence[str],
    encodings: Encodings,
    known: KnownMolecules,
    asked: Asked,
    *,
    first_row: int = 0,
) -> pd.DataFrame:
    """Propose molecules; see `molvae.model.MolVAE.repair` for the columns.

    Args:
        codec: Of the model.
        texts: The rows as they were given.
        encodings: What could be read of them, as `molvae.codec.Codec.salvage` gives it.
        known: The training molecules.
        asked: What is asked for.
        first_row: Rows before these, whole blocks of `BLOCK`: what is drawn for a row depends on
            the seed and its place.
    """
    names = _drawn(codec, encodings, asked, first_row)
    judged = _judged(codec, (name for row in names for name in row))
    lines = []
    for row, text in enumerate(texts):
        there = {judged[name].smiles: judged[name] for name in names[row] if name in judged}
        chosen = _best(there.values(), encodings.tokens[row], asked)
        given = {"row": first_row + row + 1, "input": text, "seed": asked.seed}
        found = _lines(chosen, encodings.smiles[row], known)
        lines += [{**given, **line} for line in found or [_empty(encodings.reasons[row])]]
    return pd.DataFrame(lines, columns=list(_COLUMNS)).astype(_COLUMNS)


def _drawn(codec: Codec, encodings: Encodings, asked: Asked, first_row: int) -> list[list[str]]:
    """Distinct molecules for each row: itself, what its mean decodes to, and its draws."""
    first_block, draws = first_row * asked.draws // BLOCK, asked.draws
    levels = np.resize(LEVELS, draws) if codec.knows_noise else np.zeros(draws)
    means = codec.decode(encodings.mean)
    drawn = codec.decode(
        _around(encodings, asked, first_block),
        temperature=1.0,
        noise=np.tile(levels, len(means)),
        seed=asked.seed,
        first_block=first_block,
    )
    return [
        _distinct(own, [means[row], *drawn[row * draws : (row + 1) * draws]])
        for row, own in enumerate(encodings.smiles)
    ]


def _distinct(own: str, decoded: Sequence[Decoded]) -> list[str]:
    """The molecule itself, if it is one, and those of the decoded strings that are strict."""
    strict = (one.smiles for one in decoded if one.strict)
    return [name for name in dict.fromkeys([own, *strict]) if name]


def _around(encodings: Encodings, asked: Asked, first_block: int) -> np.ndarray:
    """Draws of each posterior, those of a row together, (N * draws, D) float32."""
    mean = encodings.mean.repeat(asked.draws, axis=0)
    noise = block_noise(len(mean), mean.shape[1], asked.seed, first_block, _REPAIR)
    deviation = encodings.deviation.repeat(asked.draws, axis=0)
    latents: np.ndarray = mean + deviation * noise
    return latents


def _judged(codec: Codec, names: Iterable[str]) -> dict[str, _Candidate]:
    """By its name, each molecule that the model can encode."""
    smiles = list(dict.fromkeys(names))
    encodings = codec.encode(smiles) if smiles else None
    if encodings is None or not encodings.usable.any():
        return {}
    there = np.flatnonzero(encodings.usable)
    molecules = encodings.taken(there)
    nats = (-surprise(codec, molecules)).tolist()
    parts = zip(there, molecules.smiles, molecules.tokens, nats, strict=True)
    return {smiles[place]: _Candidate(name, tokens, nat) for place, name, tokens, nat in parts}


def _best(
    candidates: Iterable[_Candidate], written: Sequence[str], asked: Asked
) -> list[_Proposal]:
    """The best of the candidates for what was written, the first by SMILES among like ones."""
    proposals = []
    for one in candidates:
        edits = edit_distance(written, one.tokens)
        proposals.append(_Proposal(one, edits, one.log_likelihood - asked.price * edits))
    proposals.sort(key=lambda one: (-one.score, one.candidate.smiles))
    return proposals[: asked.count]


def _lines(proposals: Sequence[_Proposal], own: str, known: KnownMolecules) -> list[dict[str, Any]]:
    """What the table says of the proposals for a row, whose own SMILES may be empty."""
    names = [one.candidate.smiles for one in proposals]
    alike = similarities(own, names) if own else [float("nan")] * len(names)
    return [
        {
            "rank": rank,
            "smiles": one.candidate.smiles,
            "log_likelihood": one.candidate.log_likelihood,
            "edits": one.edits,
            "similarity": similarity,
            "score": one.score,
            "known": one.candidate.smiles in known,
            "reason": "",
        }
        for rank, (one, similarity) in enumerate(zip(proposals, alike, strict=True), 1)
    ]


def _empty(reason: str) -> dict[str, Any]:
    """What the table says of a row without a proposal."""
    return {"smiles": "", "known": False, "reason": reason or _NONE}
