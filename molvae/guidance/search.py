"""A search within a budget, with an honest account of what it spent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.filters import known_filter, objection
from molvae.chem.identity import KnownMolecules
from molvae.chem.molecules import parse
from molvae.chem.properties import USUAL, compute
from molvae.chem.strings import Decoded
from molvae.codec import Codec
from molvae.errors import MoleculeError, SettingsError, nearest
from molvae.guidance.objective import Objective
from molvae.guidance.strategies import CovarianceAdaptation, GradientAscent, Strategy
from molvae.guidance.trust import caution
from molvae.latent.generation import draw

METHODS = ("auto", "cma", "gradient")

SCOUTS = 0.2
"""The part of the budget spent on draws from the prior, to start from the best of them."""

WIDTH = 0.4
"""Standard deviation of the first steps around the start, in latent units."""

STALL = 50
"""A search that finds no new molecule in this many rounds is over."""


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        table: A row for each molecule evaluated, the best first: ``smiles``, the value of the
            objective, ``evaluation`` (from 1), ``novel``, ``strict``, ``objection`` (what the
            filters say, empty when nothing), the usual properties, ``seed``.
        evaluations: Distinct valid molecules evaluated; what the budget counts.
        ending: "complete", "stalled" or "interrupted".
        notes: What a reader should know, such as a head that is too weak to guide.
    """

    table: pd.DataFrame
    evaluations: int
    ending: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The value of a molecule, and whether its string needed no repair."""

    value: float
    strict: bool


class Evaluations:
    """Molecules evaluated so far: each distinct valid one once, within a budget.

    Args:
        codec: The model.
        objective: What to reach.
        budget: Evaluations allowed.
        strict: Whether molecules of strings that SELFIES had to repair are passed over.
    """

    def __init__(
        self, codec: Codec, objective: Objective, budget: int, *, strict: bool = True
    ) -> None:
        self._codec, self._objective, self._budget = codec, objective, budget
        self._strict = strict
        self.found: dict[str, Evaluated] = {}

    @property
    def left(self) -> int:
        """Evaluations left."""
        return self._budget - len(self.found)

    def score(self, molecules: Sequence[Decoded]) -> list[float]:
        """Scores, higher being better; -inf for what is passed over or beyond the budget."""
        new = {one.smiles: one for one in molecules if self._is_usable(one)}
        fresh = [one for one in new if one not in self.found][: self.left]
        values = self._objective.values(self._codec, fresh).tolist()
        for smiles, value in zip(fresh, values, strict=True):
            self.found[smiles] = Evaluated(value, new[smiles].strict)
        return [
            self._objective.score(self.found[one.smiles].value)
            if one.smiles in self.found
            else -np.inf
            for one in molecules
        ]

    def _is_usable(self, one: Decoded) -> bool:
        return bool(one.smiles) and (one.strict or not self._strict)


def optimize(
    codec: Codec,
    objective: Objective,
    known: KnownMolecules,
    *,
    budget: int = 1000,
    method: str = "auto",
    start: Sequence[str] = (),
    filters: Sequence[str] = ("moses",),
    strict: bool = True,
    seed: int = 0,
    head_r2: Mapping[str, float | None] | None = None,
    on_round: Callable[[int, float], None] = lambda evaluations, best: None,
) -> Search:
    """Search the latent space for molecules that do well.

    Args:
        codec: The model.
        objective: What to reach.
        known: The training molecules, to say what is novel.
        budget: Distinct valid molecules that may be evaluated.
        method: "cma", "gradient" (along a head of the model), or "auto": CMA-ES for what RDKit
            computes, the gradient for what only the model knows.
        start: SMILES to start from; by default the best of some draws from the prior.
        filters: Filters whose objection is named; they refuse nothing.
        strict: Pass over molecules of strings that SELFIES had to repair, free of charge.
        seed: Of everything random.
        head_r2: R2 of the heads on held-out molecules, of those that were measured; a note says
            when the one that is used is too weak.
        on_round: Told the evaluations so far and the best value.

    Raises:
        SettingsError: For an unknown method or property, or a gradient without a head.
        MoleculeError: When a start compound can't be encoded.
    """
    budget, seed = checks.count("budget", budget), checks.seed(seed)
    objective.check(codec)
    for name in filters:
        known_filter(name)
    method = _method(method, objective, codec)
    evaluations = Evaluations(codec, objective, budget, strict=strict)
    ending = "complete"
    try:
        strategy = _strategy(codec, objective, evaluations, method, start, seed)
        barren = 0
        while evaluations.left and barren < STALL:
            before = evaluations.left
            asked = strategy.ask()
            strategy.tell(evaluations.score(asked))
            barren = 0 if evaluations.left < before else barren + 1
            on_round(len(evaluations.found), _best(evaluations, objective))
        if evaluations.left:
            ending = "stalled"
    except KeyboardInterrupt:
        ending = "interrupted"
    table = _table(evaluations, objective, known, filters, seed)
    return Search(table, len(evaluations.found), ending, _notes(objective, method, head_r2 or {}))


def _notes(
    objective: Objective, method: str, head_r2: Mapping[str, float | None]
) -> tuple[str, ...]:
    """What to know of the head, where one guides the search or says the values."""
    if objective.computed and method != "gradient":
        return ()
    note = caution(objective.name, head_r2)
    return (note,) if note else ()


def _method(method: str, objective: Objective, codec: Codec) -> str:
    if method not in METHODS:
        raise SettingsError(f"No method {method!r}.{nearest(method, METHODS)}")
    if method == "auto":
        return "cma" if objective.computed else "gradient"
    if method == "gradient" and objective.name not in codec.property_names:
        have = ", ".join(codec.property_names) or "none"
        raise SettingsError(
            f"The model has no head for {objective.name!r} (heads: {have}). "
            f"Train one with --property {objective.name}, or use --method cma."
        )
    return method


def _strategy(
    codec: Codec,
    objective: Objective,
    evaluations: Evaluations,
    method: str,
    start: Sequence[str],
    seed: int,
) -> Strategy:
    """Score the starting points, and begin at the best of them."""
    if start:
        encodings = codec.encode(start)
        for given, reason in zip(start, encodings.reasons, strict=True):
            if reason:
                raise MoleculeError(f"{given}: {reason}.")
        latents = encodings.mean
        scores = evaluations.score([Decoded(one, strict=True) for one in encodings.smiles])
    else:
        latents, scores = _scout(codec, evaluations, seed)
    order = np.argsort(scores, kind="stable")[::-1]
    if method == "cma":
        return CovarianceAdaptation(codec, latents[order[0]], scores[order[0]], WIDTH, seed)
    return GradientAscent(codec, objective, latents[order[:32]], seed)


def _scout(codec: Codec, evaluations: Evaluations, seed: int) -> tuple[np.ndarray, list[float]]:
    """Draws from the prior, decoded greedily, and their scores: (N, D) and N."""
    wanted = max(1, round(SCOUTS * evaluations.left))
    drawing = draw(codec, codec.draw, temperature=0.0, seed=seed, strings_at_once=lambda: 1)
    stream = islice(drawing, 50 * wanted)
    drawn = ((latent, one) for _, latent, one in stream if one.smiles and one.strict)
    pairs = list(islice(drawn, wanted))
    if not pairs:
        return np.zeros((1, codec.latent_dim), dtype=np.float32), [-np.inf]
    latents, molecules = zip(*pairs, strict=True)
    return np.array(latents), evaluations.score(molecules)


def _best(evaluations: Evaluations, objective: Objective) -> float:
    values = [one.value for one in evaluations.found.values()]
    return max(values, key=objective.score, default=math.nan)


def _table(
    evaluations: Evaluations,
    objective: Objective,
    known: KnownMolecules,
    filters: Sequence[str],
    seed: int,
) -> pd.DataFrame:
    others = [name for name in USUAL if name != objective.name]
    facts = ["evaluation", "novel", "strict", "objection"]
    columns = ["smiles", objective.column, *facts, *others, "seed"]
    numbered = list(enumerate(evaluations.found.items(), 1))
    numbered.sort(key=lambda one: objective.score(one[1][1].value), reverse=True)
    rows = [
        {
            "smiles": smiles,
            objective.column: evaluated.value,
            "evaluation": number,
            "novel": smiles not in known,
            "strict": evaluated.strict,
            "objection": objection(parse(smiles), filters),
            **compute(parse(smiles), others),
            "seed": seed,
        }
        for number, (smiles, evaluated) in numbered
    ]
    return pd.DataFrame(rows, columns=columns)
