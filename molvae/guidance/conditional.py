"""Molecules that meet conditions on properties, and what came of the conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from molvae import settings as checks
from molvae.chem.identity import KnownMolecules
from molvae.chem.properties import USUAL
from molvae.codec import BLOCK, Codec, Encodings
from molvae.guidance.conditions import Condition, Conditions
from molvae.guidance.quantities import of_property
from molvae.guidance.quantity import Quantity
from molvae.guidance.resampling import BLOCKS, narrowed
from molvae.guidance.trust import caution
from molvae.latent.generation import BATCH, Drawing, Generation, Wanted
from molvae.latent.generation import generate as plainly
from molvae.latent.outcomes import Fall, Outcome

COMPARED = 128
"""Molecules drawn without conditions, to compare with."""

NOISE = 0.0
"""Of the latents: what noise takes from a latent, a condition on it can't give."""


def generate(
    codec: Codec,
    count: int,
    known: KnownMolecules,
    wanted: Wanted,
    conditions: Conditions,
    drawing: Drawing,
    *,
    like: Encodings | None = None,
    reference: Sequence[str] = (),
    batch_size: int = BATCH,
    workers: int | None = None,
    head_r2: Mapping[str, float | None] | None = None,
    on_taken: Callable[[], object] = lambda: None,
) -> Generation:
    """Draw molecules that meet conditions.

    Latents come from p(z | conditions), in proportion to p(z) and to the likelihood of the
    conditions by the heads (see `molvae.guidance.resampling`), and are decoded as all others.
    Molecules aren't refused for a condition: ``outcomes`` tells how many meet it, and how many of
    `COMPARED` do that are drawn without conditions, at the same settings.

    Args:
        codec: The model.
        count: Molecules asked for.
        known: The training molecules.
        wanted: Which are taken.
        conditions: What is wanted of their properties.
        drawing: As there; noise is below 1, by default 0, and the temperature of a prior above 0.
        like: As there.
        reference: As there.
        batch_size: As there.
        workers: As there.
        head_r2: R2 of the heads on held-out molecules, of those that were measured; a note says
            when one is too weak.
        on_taken: As there.

    Returns:
        As `molvae.latent.generation.generate`; the table has one column more, ``where``.

    Raises:
        SettingsError: For a setting out of range, or conditions that no latent meets.
    """
    drawing = replace(drawing, noise=NOISE if drawing.noise is None else drawing.noise)
    checks.require(
        drawing.noise != 1,
        f"At noise 1 nothing of a latent is left, so {conditions} would do nothing. Lower it.",
    )
    checks.require(
        like is not None or drawing.prior_temperature != 0,
        "At prior_temperature 0 all latents are the same: there is none to choose. Raise it.",
    )
    worth: list[float] = []
    narrow = partial(
        narrowed,
        codec,
        conditions,
        on_block=lambda block, draws: worth.append(draws.effective),
    )
    drawn = partial(
        plainly,
        codec,
        known=known,
        wanted=wanted,
        drawing=drawing,
        like=like,
        reference=reference,
        batch_size=batch_size,
        workers=workers,
    )
    found = drawn(count, narrow=narrow, on_taken=on_taken)
    plain = drawn(COMPARED)
    outcomes = tuple(_outcome(codec, one, found.table, plain.table) for one in conditions.each)
    notes = [caution(one.name, head_r2 or {}) for one in conditions.each]
    notes += [_rarity(worth[0]), *map(str, outcomes)]
    return replace(
        found,
        table=found.table.assign(where=str(conditions)),
        notes=tuple(note for note in notes if note),
        outcomes=outcomes,
    )


def _rarity(worth: float) -> str:
    """A note on conditions that few latents meet; empty where enough do."""
    if worth >= BLOCK:
        return ""
    return (
        f"Few latents meet the conditions: {BLOCKS * BLOCK:,} are worth {worth:,.0f} "
        f"for {BLOCK} strings. Wider ones give more different molecules."
    )


def _outcome(
    codec: Codec, condition: Condition, given: pd.DataFrame, plain: pd.DataFrame
) -> Outcome:
    return Outcome(
        condition.text,
        of_property(condition.name).name,
        fall_of(codec, condition, given),
        fall_of(codec, condition, plain),
    )


def fall_of(codec: Codec, condition: Condition, table: pd.DataFrame) -> Fall:
    """How the property of a condition falls, for generated molecules.

    What RDKit can't compute is what the head says of a molecule encoded again.

    Args:
        codec: The model.
        condition: Whose property, and what is inside.
        table: That of a `Generation`.
    """
    there = table[table["smiles"] != ""]
    quantity: Quantity = of_property(condition.name)
    if quantity.name in USUAL:
        values = there[quantity.name].to_numpy(dtype=float)
    else:
        values = quantity.measure(codec, there["smiles"].tolist()).numbers
    return Fall.of(values, condition.holds(values))
