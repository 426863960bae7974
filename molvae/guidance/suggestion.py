"""The next batch to make: a search that was told measured values, where the oracle is a bench."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.fingerprints import BITS
from molvae.chem.identity import KnownMolecules
from molvae.chem.properties import USUAL
from molvae.chem.standard import flat_forms
from molvae.codec import Codec
from molvae.guidance.batch import drawn, expected
from molvae.guidance.call import Call
from molvae.guidance.columns import NEAREST, deviation_of
from molvae.guidance.hopes import bound, features_of, hoped, learned, measured_columns
from molvae.guidance.measurements import Measurements
from molvae.guidance.objective import Objective
from molvae.guidance.own import Own
from molvae.guidance.quantities import Descriptor
from molvae.guidance.remarks import remarks
from molvae.guidance.search import Search, cautions, optimize
from molvae.guidance.standing import Standing
from molvae.guidance.surrogate import MOST, Surrogate, tanimoto
from molvae.guidance.trust import WEAK_R2
from molvae.metrics.description import fingerprints_of
from molvae.metrics.similarity import nearest

COUNT, BUDGET, MAX_SIMILARITY = 24, 2_000, 0.7
"""Proposals, candidates looked at, and how similar no two proposals are."""

METHOD = "cma"
"""How candidates are searched for: a prediction costs nothing, so no evaluation is saved."""

STARTS = 3
"""Searches that begin at one of the best measured molecules; one more begins anywhere."""

POOL = 1_000
"""Candidates that the batch is chosen from: those of the highest hopes."""


@dataclass(frozen=True)
class Suggestion:
    """The next batch.

    Attributes:
        table: A row for each proposal, the best first: ``smiles``, ``score`` (of the objective, at
            the means), the values of the terms, ``predicted_COLUMN`` and ``predicted_COLUMN_sd``
            (mean and standard deviation of what a measurement without noise would give, in the
            unit of the column) for measured ones, ``nearest_measured`` and ``nearest_similarity``
            (Tanimoto, Morgan 2), ``novel`` (to the training set), the usual properties, ``seed``.
        rows: What was read, a row for each row of the table; see `Measurements`.
        candidates: Molecules that were looked at, those of all searches together.
        notes: What a reader should know: rows that weren't used, how well each column can be
            predicted, why there are fewer proposals than asked for.
    """

    table: pd.DataFrame
    rows: pd.DataFrame
    candidates: int
    notes: tuple[str, ...]


def suggest(
    codec: Codec,
    objective: Objective,
    table: pd.DataFrame,
    known: KnownMolecules,
    *,
    count: int = COUNT,
    smiles: str | None = None,
    filters: Sequence[str] = ("moses",),
    novel: bool = True,
    max_similarity: float = MAX_SIMILARITY,
    budget: int = BUDGET,
    seed: int = 0,
    head_r2: Mapping[str, float | None] | None = None,
    on_round: Callable[[int], object] = lambda candidates: None,
) -> Suggestion:
    """Propose molecules to make next.

    Each measured column is learned by a Gaussian process on latents and fingerprints
    (`molvae.guidance.surrogate`). Searches look for molecules that may do well: to them a value is
    the best one within a standard deviation of its prediction. From what they found the batch is
    drawn (`molvae.guidance.batch`), so that it has what is likely good and what is worth knowing.

    Args:
        codec: The model, in the form that is looked for (flat or not).
        objective: What to reach; one term or more is of a column of the table.
        table: Measured molecules, as texts; see `molvae.corpus.table.as_table`.
        known: The training molecules.
        count: Proposals.
        smiles: The column of SMILES; found when absent.
        filters: Filters that a proposal passes.
        novel: Whether molecules of the training set are refused, as those of the table always are,
            their stereoisomers, salts and states of charge as well.
        max_similarity: Two proposals are less similar than that.
        budget: Candidates that are looked at.
        seed: Of everything random.
        head_r2: R2 of the heads on held-out molecules, of those that were measured.
        on_round: Told, after some candidates, how many there are so far.

    Raises:
        SettingsError: When no term is of a column, or a setting is out of range.
        TableError: For a column that can't be used, or too few measured molecules.
        KeyboardInterrupt: After a Ctrl-C: the batch of half a search would be another one.
    """
    count, budget = checks.count("count", count), checks.count("budget", budget)
    seed, max_similarity = checks.seed(seed), checks.number("max_similarity", max_similarity)
    checks.switch("novel", novel)
    checks.require(
        0 < max_similarity <= 1, f"max_similarity is above 0, 1 at most, not {max_similarity:g}."
    )
    present = [str(one) for one in table.columns]
    objective = bound(objective, present, codec)
    columns = measured_columns(objective)
    measured = Measurements.read(codec, table, columns, smiles=smiles)
    surrogates = learned(measured, columns, seed)
    wanted = hoped(objective, surrogates).fitted(codec)
    searches = _searched(
        codec,
        wanted,
        known if novel else KnownMolecules(),
        starts=[(), *_starts(codec, wanted, measured, max_similarity, seed)],
        budget=budget,
        filters=filters,
        seed=seed,
        on_round=on_round,
    )
    candidates = pd.concat([one.table for one in searches], ignore_index=True)
    pool = _pool(pd.concat([one.good for one in searches]), measured)
    features = features_of(codec.encode(pool["smiles"].tolist()))
    chosen = drawn(wanted, pool, features, count=count, max_similarity=max_similarity, seed=seed)
    rows = expected(wanted, pool, features).iloc[chosen]
    rows = rows.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    notes = [
        *measured.notes(),
        *cautions(wanted, METHOD, head_r2 or {}),
        *remarks(candidates, wanted),
        *_computed(objective, present),
        *(_judged(*one, measured) for one in zip(columns, surrogates.values(), strict=True)),
    ]
    if len(rows) < count:
        notes.append(
            f"Only {len(rows):,} of {count:,} proposals: {len(pool):,} of {len(candidates):,} "
            "candidates pass. A larger budget, a higher similarity or fewer filters give more."
        )
    return Suggestion(
        _table(rows, wanted, known, seed), measured.rows, len(candidates), tuple(notes)
    )


def _starts(
    codec: Codec, wanted: Objective, measured: Measurements, max_similarity: float, seed: int
) -> list[tuple[str]]:
    """Measured molecules of the highest hopes, no two of them alike; of many, some are drawn.

    Functions of the user's aren't asked: what they say is for candidates alone.
    """
    molecules = measured.molecules
    if len(molecules.smiles) > MOST:
        random = np.random.default_rng(seed)
        molecules = molecules.taken(random.choice(len(molecules.smiles), MOST, replace=False))
    names, bits = molecules.smiles, features_of(molecules).bits
    terms = [one for one in wanted.terms if not isinstance(one.quantity, Own)]
    told = replace(wanted, terms=tuple(terms)).judge(codec, names)
    scores = np.nan_to_num(told.scores, nan=-np.inf)
    starts = list[tuple[str]]()
    for _ in range(STARTS):
        best = int(np.argmax(scores))
        if np.isinf(scores[best]):
            break
        starts.append((names[best],))
        alike = tanimoto(bits[[best]], bits)[0] >= max_similarity
        scores = np.where(alike, -np.inf, scores)
    return starts


def _searched(
    codec: Codec,
    wanted: Objective,
    known: KnownMolecules,
    *,
    starts: Sequence[Sequence[str]],
    budget: int,
    filters: Sequence[str],
    seed: int,
    on_round: Callable[[int], object],
) -> list[Search]:
    """A search from each of several starts, which share the budget."""
    searches, looked = list[Search](), 0
    for number, start in enumerate(starts):
        share = budget * (number + 1) // len(starts) - budget * number // len(starts)
        if not share:
            continue
        before = looked

        def tell(standing: Standing, before: int = before) -> None:
            on_round(before + standing.evaluations)

        found = optimize(
            codec,
            wanted,
            known,
            Call(
                budget=share,
                method=METHOD,
                start=start,
                filters=filters,
                seed=(seed + number) % 2**32,
            ),
            on_round=tell,
        )
        if found.ending == "interrupted":
            raise KeyboardInterrupt
        searches.append(found)
        looked += found.evaluations
    return searches


def _pool(good: pd.DataFrame, measured: Measurements) -> pd.DataFrame:
    """Distinct candidates of the highest hopes, each with the measured molecule nearest to it."""
    good = good.drop_duplicates("smiles")
    forms = pd.Series(flat_forms(good["smiles"].tolist()), index=good.index, dtype=str)
    good = good[~forms.isin(measured.forms)]
    good = good.sort_values("score", ascending=False, kind="stable", ignore_index=True).head(POOL)
    names = measured.molecules.smiles
    found = nearest(
        fingerprints_of(good["smiles"].tolist(), bits=BITS, workers=1),
        fingerprints_of(names, bits=BITS, workers=1),
    )
    return good.assign(
        nearest_measured=[names[one] for one in found.places], nearest_similarity=found.similarities
    )


def _table(rows: pd.DataFrame, wanted: Objective, known: KnownMolecules, seed: int) -> pd.DataFrame:
    terms = []
    for column in wanted.columns:
        deviation = deviation_of(column)
        terms += [column, deviation] if deviation in rows.columns else [column]
    others = [name for name in USUAL if name not in terms]
    novel = [one not in known for one in rows["smiles"]]
    columns = ["smiles", "score", *terms, *NEAREST, "novel", *others]
    return rows.assign(novel=novel)[columns].assign(seed=seed)


def _computed(objective: Objective, columns: Sequence[str]) -> list[str]:
    """A note on each term that is computed though the table has a column of that name."""
    names = [one.quantity.name for one in objective.terms if isinstance(one.quantity, Descriptor)]
    return [
        f"{name} is what RDKit computes; measured={name} takes the column of the table."
        for name in names
        if name in columns
    ]


def _judged(name: str, surrogate: Surrogate, measured: Measurements) -> str:
    """How well a column can be predicted."""
    place = measured.columns.index(name)
    count = int(np.isfinite(measured.means[:, place]).sum())
    some = f"{count:,}" if count <= MOST else f"{MOST:,} of {count:,}"
    weak = " That is too weak to guide: the batch explores." if not surrogate.r2 >= WEAK_R2 else ""
    return f"{name} of {some} molecules, each predicted by the others: R2 {surrogate.r2:.2f}.{weak}"
