"""Molecules from the prior, or around others, taken or refused one by one in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.filters import known_filter, objection
from molvae.chem.fingerprints import BITS
from molvae.chem.identity import KnownMolecules
from molvae.chem.molecules import parse
from molvae.chem.properties import USUAL, compute_many
from molvae.chem.strings import Decoded
from molvae.codec import BLOCK, Codec, Encodings
from molvae.latent.outcomes import Outcome
from molvae.latent.sources import (
    ECHO,
    LIKE,
    Density,
    Latents,
    around,
    density_of,
    prior_of,
    usual_noise,
    usual_prior,
)
from molvae.metrics.description import fingerprints_of
from molvae.metrics.similarity import nearest
from molvae.parallel import ordered

BATCH = 4096
"""Strings drawn at a time, at most."""

ENOUGH, PATIENCE = 10_000, 20
"""Draws after which generation gives up, and further ones for each molecule asked for."""


@dataclass(frozen=True)
class Drawing:
    """How molecules are drawn.

    Attributes:
        prior: What latents are drawn from, one of `molvae.latent.sources.PRIORS`; by default
            `usual_prior` of the codec.
        prior_temperature: Of the prior, see `molvae.latent.sources.prior_of`, or what the
            deviations of molecules to be like are multiplied by.
        noise: How noisy the latents are made before they are decoded, from 0 to 1; see
            `molvae.codec.NetworkCodec.decode`. By default `usual_noise` of the codec.
        temperature: Of the decoder; 0 takes the likeliest token each time.
        seed: Of everything drawn.

    Raises:
        SettingsError: For a setting out of range.
    """

    prior: str | None = None
    prior_temperature: float = 1.0
    noise: float | None = None
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        checks.temperature(self.prior_temperature, "prior_temperature")
        checks.temperature(self.temperature)
        checks.seed(self.seed)
        if self.noise is not None:
            checks.level(self.noise)

    def settled(self, codec: Codec, *, like: bool) -> Drawing:
        """With a model's usual prior and noise where none is said; ``like`` others, or not.

        Raises:
            SettingsError: For both a prior and molecules to be like, or when nothing is random.
        """
        checks.require(
            self.prior is None or not like,
            "Molecules come from a prior, or are like others: not both.",
        )
        prior = LIKE if like else self.prior or usual_prior(codec)
        noise = usual_noise(codec, prior) if self.noise is None else self.noise
        checks.require(
            prior == ECHO or max(self.temperature, noise, self.prior_temperature) > 0,
            "Without any temperature and noise all molecules are the same. Raise one of them.",
        )
        return Drawing(  # of plain numbers, as tables have them
            prior,
            float(self.prior_temperature),
            checks.level(noise),
            float(self.temperature),
            checks.seed(self.seed),
        )


_PROVENANCE = (
    "novel", "strict", "prior", "prior_temperature", "noise", "temperature", "block", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which molecules are taken.

    Attributes:
        valid: Refuse what holds no molecule.
        strict: Refuse strings that SELFIES had to repair.
        unique: Refuse what was taken before.
        novel: Refuse training molecules and those of the reference.
        filters: Refuse what these filters object to.
    """

    valid: bool = True
    strict: bool = True
    unique: bool = True
    novel: bool = True
    filters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.filters:
            known_filter(name)


def refused(tally: Any) -> str:
    """The shares of the strings that a tally counts as refused; empty when there are none.

    Args:
        tally: A dataclass of counts: ``drawn`` first, then one a reason, at last what was taken.
    """
    shares = [
        f"{getattr(tally, field.name) / max(1, tally.drawn):.1%} {field.name}"
        for field in fields(tally)[1:-1]
        if getattr(tally, field.name)
    ]
    return f"; refused: {', '.join(shares)}" if shares else ""


ADVICE = {
    "invalid": "The model hardly writes molecules: longer training helps.",
    "repaired": "A lower temperature or longer training gives more strict strings.",
    "repeated": "A higher temperature or more noise gives more different molecules.",
    "known": "A higher temperature or more noise gives more novel molecules.",
    "filtered": "Fewer filters, or other molecules to be like, let more pass.",
}
"""By the field of `Tally` that most strings are in: what gives more molecules."""


@dataclass
class Tally:
    """What became of the strings drawn, each counted once.

    Attributes:
        drawn: Strings drawn, up to the last one taken.
        invalid: Held no molecule.
        repaired: Needed repair by SELFIES.
        repeated: Were taken before.
        known: Are training or reference molecules.
        filtered: Failed a filter.
        taken: The rest.
    """

    drawn: int = 0
    invalid: int = 0
    repaired: int = 0
    repeated: int = 0
    known: int = 0
    filtered: int = 0
    taken: int = 0

    def needed(self, count: int) -> int:
        """Strings to draw for so many molecules, if as many of them are taken as before."""
        return round((count - self.taken) * (self.drawn + 1) / (self.taken + 1))

    @property
    def advice(self) -> str:
        """What would give more molecules."""
        return ADVICE[max(ADVICE, key=lambda name: int(getattr(self, name)))]

    def __str__(self) -> str:
        return f"{self.taken:,} molecules from {self.drawn:,} strings{refused(self)}"


@dataclass(frozen=True)
class Generation:
    """Generated molecules.

    Attributes:
        table: ``smiles``, the usual properties, ``novel``, ``strict``, ``prior`` (`LIKE` for
            molecules drawn around others), ``prior_temperature``, ``noise``, ``temperature``,
            ``block`` and ``seed``; with a reference also ``nearest_reference`` and ``similarity``.
        latents: Where each row was decoded from, (N, D) float32.
        tally: What became of the strings drawn.
        notes: What to know of them.
        outcomes: What came of each condition that was given.
    """

    table: pd.DataFrame
    latents: np.ndarray
    tally: Tally = field(default_factory=Tally)
    notes: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


def draw(
    codec: Codec,
    source: Latents,
    *,
    temperature: float,
    noise: float = 0.0,
    seed: int,
    strings_at_once: Callable[[], int],
) -> Iterator[tuple[int, np.ndarray, Decoded]]:
    """Draw latents without end: the block, the latent and what was decoded from it.

    What is drawn doesn't depend on how many are drawn at once, which only schedules.
    """
    first = 0
    while True:
        blocks_at_once = max(1, -(-strings_at_once() // BLOCK))
        latents = source(blocks_at_once * BLOCK, seed, first)
        decoded = codec.decode(
            latents, temperature=temperature, noise=noise, seed=seed, first_block=first
        )
        for place, one in enumerate(decoded):
            yield first + place // BLOCK, latents[place], one
        first += blocks_at_once


def generate(
    codec: Codec,
    count: int,
    known: KnownMolecules,
    wanted: Wanted,
    drawing: Drawing,
    *,
    like: Encodings | None = None,
    reference: Sequence[str] = (),
    batch_size: int = BATCH,
    workers: int | None = None,
    narrow: Callable[[Latents, Density | None], Latents] = lambda source, density: source,
    on_taken: Callable[[], object] = lambda: None,
) -> Generation:
    """Draw molecules, from the prior or around others, until enough are taken.

    Stops with fewer when too few strings are acceptable: after ten thousand draws and
    twenty more for each molecule asked for.

    Args:
        codec: The model.
        count: Molecules asked for.
        known: The training molecules.
        wanted: Which are taken.
        drawing: From what, and how.
        like: Molecules around which they are drawn in place of a prior; all of them usable.
        reference: Canonical SMILES that aren't novel either; the nearest is named.
        batch_size: Strings drawn at a time, at most; it doesn't change the result.
        workers: Processes that compute properties; by default one a core.
        narrow: From a source of latents, and its density where that is known, to the one of which
            they are drawn.
        on_taken: Called for each molecule taken.

    Raises:
        SettingsError: For a setting out of range, or both a prior and molecules to be like.
    """
    count, batch_size = checks.count("count", count), checks.count("batch_size", batch_size)
    drawing = drawing.settled(codec, like=like is not None)
    tally = Tally()
    stream = draw(
        codec,
        narrow(*_source(codec, drawing, like)),
        temperature=drawing.temperature,
        noise=drawing.noise or 0.0,
        seed=drawing.seed,
        strings_at_once=lambda: min(batch_size, tally.needed(count)),
    )
    rows: list[dict[str, Any]] = []
    latents: list[np.ndarray] = []
    known = known | KnownMolecules.of(reference)
    for block, latent, one in _taken(stream, count, wanted, known, tally):
        novel = one.smiles != "" and one.smiles not in known
        rows.append({"smiles": one.smiles, "novel": novel, "strict": one.strict, "block": block})
        latents.append(latent)
        on_taken()
    table = _table(rows, drawing, reference, workers)
    places = np.array(latents, dtype=np.float32).reshape(-1, codec.latent_dim)
    return Generation(table, places, tally)


def _source(
    codec: Codec, drawing: Drawing, like: Encodings | None
) -> tuple[Latents, Density | None]:
    """Where latents come from, and their density where that is known."""
    if like is not None:
        return around(like.mean, like.deviation, drawing.prior_temperature), None
    assert drawing.prior is not None  # it is settled
    settings = drawing.prior, codec, drawing.prior_temperature
    return prior_of(*settings), density_of(*settings)


def _taken(
    stream: Iterator[tuple[int, np.ndarray, Decoded]],
    count: int,
    wanted: Wanted,
    known: KnownMolecules,
    tally: Tally,
) -> Iterator[tuple[int, np.ndarray, Decoded]]:
    """What of a stream is taken, until there is enough or patience ends; all of it is counted."""
    taken = set[str]()
    for block, latent, decoded in stream:
        tally.drawn += 1
        refusal = _refusal(decoded, wanted, taken, known)
        setattr(tally, refusal, getattr(tally, refusal) + 1)
        if refusal == "taken":
            taken.add(decoded.smiles)
            yield block, latent, decoded
        # Asked here, not before the next string: drawing that could cost a whole block.
        if tally.taken == count or tally.drawn >= ENOUGH + PATIENCE * count:
            return


def _table(
    rows: list[dict[str, Any]],
    drawing: Drawing,
    reference: Sequence[str],
    workers: int | None,
) -> pd.DataFrame:
    """The table of what was taken: properties, provenance, and the nearest of the reference."""
    table = pd.DataFrame(rows, columns=["smiles", "novel", "strict", "block"]).assign(
        **asdict(drawing)
    )
    there = table.index[table["smiles"] != ""]
    properties = list(ordered(compute_many, table.loc[there, "smiles"].tolist(), workers))
    table = table.join(pd.DataFrame(properties, there, USUAL))[["smiles", *USUAL, *_PROVENANCE]]
    if reference:
        found = nearest(
            fingerprints_of(table.loc[there, "smiles"].tolist(), bits=BITS),
            fingerprints_of(reference, bits=BITS),
        )
        table["nearest_reference"] = pd.Series([reference[one] for one in found.places], there)
        table["similarity"] = pd.Series(found.similarities, there)
    return table


def _refusal(decoded: Decoded, wanted: Wanted, taken: set[str], known: KnownMolecules) -> str:
    """The field of the tally that a string belongs to."""
    if not decoded.smiles:
        return "invalid" if wanted.valid else "taken"
    if wanted.strict and not decoded.strict:
        return "repaired"
    if wanted.unique and decoded.smiles in taken:
        return "repeated"
    if wanted.novel and decoded.smiles in known:
        return "known"
    if wanted.filters and objection(parse(decoded.smiles), wanted.filters):
        return "filtered"
    return "taken"
