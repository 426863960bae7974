"""A search within a budget, with an honest account of what it spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.filters import known_filter
from molvae.chem.identity import KnownMolecules
from molvae.chem.strings import Decoded
from molvae.codec import Codec, Encodings
from molvae.errors import MoleculeError, SettingsError, nearest
from molvae.guidance.evaluations import Evaluations
from molvae.guidance.evolution import evolution
from molvae.guidance.moves import KINDS
from molvae.guidance.objective import Objective
from molvae.guidance.quantities import Descriptor, Predicted, check_head
from molvae.guidance.record import Record
from molvae.guidance.standing import Standing
from molvae.guidance.strategies import CovarianceAdaptation, GradientAscent, Strategy
from molvae.guidance.trust import caution
from molvae.guidance.tuning import Tuning
from molvae.latent.generation import draw

METHODS = ("auto", "cma", "evolution", "gradient")

SCOUTS = 0.2
"""The part of the budget spent on draws, of the prior or of a table, to start from them."""

WIDTH = 0.4
"""Standard deviation of the first steps around the start, in latent units."""

STALL = 50
"""A search that finds no new molecule in this many rounds is over."""


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        table: A row for each molecule evaluated, the best first: ``smiles``, ``score`` (see
            `molvae.guidance.objective.Objective`), the value of each term, its
            desirability (unless a lone goal has no scale), ``evaluation`` (from 1), ``novel``,
            ``strict``, ``objection`` (what the filters say, empty when nothing), ``reason`` (why
            a term has no value), the usual properties, ``seed``.
        good: The rows of it that are novel, to which no filter objects, and that have a score and
            break no constraint.
        evaluations: Distinct valid molecules evaluated; what the budget counts.
        ending: "complete", "stalled" or "interrupted".
        notes: What a reader should know, such as a head that is too weak to guide, or how often a
            function failed.
    """

    table: pd.DataFrame
    good: pd.DataFrame
    evaluations: int
    ending: str
    notes: tuple[str, ...] = ()


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
    moves: Sequence[str] = (),
    adapt: Callable[[], Tuning] | None = None,
    screen: bool = True,
    head_r2: Mapping[str, float | None] | None = None,
    record: Record | None = None,
    on_round: Callable[[Standing], None] = lambda standing: None,
) -> Search:
    """Search the latent space for molecules that do well.

    Args:
        codec: The model.
        objective: What to reach.
        known: The training molecules, to say what is novel.
        budget: Distinct valid molecules that may be evaluated.
        method: "cma", "evolution", "gradient" (along the head of the only goal), or "auto": the
            gradient for a lone term that a head predicts, else the evolution.
        start: SMILES to start from; by default the best of some draws from the prior.
        filters: Filters whose objection is named; they refuse nothing.
        strict: Pass over molecules of strings that SELFIES had to repair, free of charge.
        seed: Of everything random.
        moves: Kinds of move of an evolution, of `molvae.guidance.moves.KINDS`; by default all.
        adapt: Gives a copy of the model for an evolution, which learns from what is found; without
            it the model stays as it is.
        screen: Whether an evolution has a surrogate of the scores, which chooses among proposals
            and by which moves go ahead.
        head_r2: R2 of the heads on held-out molecules, of those that were measured; a note says
            when one that is used is too weak.
        record: Where molecules are written as they are evaluated, part by part. Those that it holds
            already aren't evaluated again: the search goes its way anew, in which all but the
            evaluations is a function of the seed and the scores.
        on_round: Told, after some evaluations, how far it has come.

    Raises:
        SettingsError: For an unknown method, move or property, a gradient without a head, moves
            of a method that has none, a term without a scale among several, or one that has no
            value for any molecule.
        MoleculeError: When a start compound can't be encoded.
    """
    objective, method, starts = checked(
        codec,
        objective,
        budget=budget,
        method=method,
        start=start,
        filters=filters,
        seed=seed,
        moves=moves,
    )
    evaluations = Evaluations(
        codec, objective, budget, strict=strict, record=record, on_part=on_round
    )
    ending = "complete"
    try:
        latents, scores = _started(codec, evaluations, starts, seed)
        if method == "evolution":
            strategy = _evolution(codec, evaluations, moves, adapt, screen, seed)
        else:
            strategy = _climb(codec, objective, method, latents, scores, seed)
        barren = 0
        while evaluations.left and barren < STALL:
            before = len(evaluations.asked)
            asked = strategy.ask()
            strategy.tell(evaluations.score(asked))
            barren = 0 if len(evaluations.asked) > before else barren + 1
        if evaluations.left:
            ending = "stalled"
    except KeyboardInterrupt:
        ending = "interrupted"
    notes = [*_cautions(objective, method, head_r2 or {}), *evaluations.notes()]
    table = evaluations.table(known, filters, seed)
    good = table["novel"] & (table["objection"] == "") & (table["score"] >= objective.lowest)
    return Search(table, table[good], len(evaluations.found), ending, tuple(notes))


def checked(
    codec: Codec,
    objective: Objective,
    *,
    budget: int,
    method: str,
    start: Sequence[str],
    filters: Sequence[str],
    seed: int,
    moves: Sequence[str],
) -> tuple[Objective, str, Encodings]:
    """The objective fitted to the model, the method, and the encoded starts; see `optimize`.

    Raises:
        SettingsError: As `optimize`, before anything is evaluated.
        MoleculeError: Likewise.
    """
    checks.count("budget", budget)
    checks.seed(seed)
    objective = objective.fitted(codec)
    for name in filters:
        known_filter(name)
    for move in moves:
        checks.choice("move", move, KINDS)
    method = _method(method, objective, codec)
    checks.require(
        not moves or method == "evolution",
        f"Moves are those of the method evolution, not of {method}.",
    )
    return objective, method, _encoded(codec, start)


def drawn_starts(codec: Codec, molecules: Sequence[str], budget: int, seed: int) -> list[str]:
    """Random ones of some molecules, canonical, that the model can encode.

    So many that a fifth of the budget is spent on them, or all that there are.

    Raises:
        MoleculeError: When there is none.
    """
    wanted = max(1, round(SCOUTS * budget))
    order = np.random.default_rng([seed, 2]).permutation(len(molecules))
    found = dict[str, None]()
    reason = "the table is empty"
    for begin in range(0, len(order), wanted):
        encodings = codec.encode([molecules[place] for place in order[begin : begin + wanted]])
        found |= dict.fromkeys(encodings.taken(np.flatnonzero(encodings.usable)).smiles)
        if len(found) >= wanted:
            break
        reason = next((one for one in encodings.reasons if one), reason)
    if not found:
        raise MoleculeError(f"None of the molecules to start from can be used: {reason}.")
    return list(found)[:wanted]


def _encoded(codec: Codec, start: Sequence[str]) -> Encodings:
    """The compounds to start from, all of them usable."""
    encodings = codec.encode(start)
    for given, reason in zip(start, encodings.reasons, strict=True):
        if reason:
            place = given or "''"
            raise MoleculeError(f"{place}: {reason}.")
    return encodings


def _cautions(objective: Objective, method: str, head_r2: Mapping[str, float | None]) -> list[str]:
    """What to know of the heads that guide the search or say its values."""
    quantities = [term.quantity for term in objective.terms]
    heads = {one.head for one in quantities if isinstance(one, Predicted)}
    if method == "gradient":
        heads.add(_head(objective))
    notes = [caution(head, head_r2) for head in sorted(heads)]
    return [note for note in notes if note]


def _head(objective: Objective) -> str:
    """The property that the only goal is of; empty where there are several, or it is of none."""
    if len(objective.goals) != 1:
        return ""
    quantity = objective.goals[0].quantity
    if isinstance(quantity, Predicted):
        return quantity.head
    return quantity.name if isinstance(quantity, Descriptor) else ""


def _method(method: str, objective: Objective, codec: Codec) -> str:
    if method not in METHODS:
        raise SettingsError(f"No method {method!r}.{nearest(method, METHODS)}")
    if method == "auto":
        lone = len(objective.terms) == 1 and isinstance(objective.terms[0].quantity, Predicted)
        return "gradient" if lone and objective.goals else "evolution"
    if method != "gradient":
        return method
    head = _head(objective)
    if not head:
        raise SettingsError(
            "A gradient goes along one head: the objective has one goal then, a property, beside "
            "any constraints. Or use --method evolution."
        )
    check_head(head, codec, "use --method evolution")
    return method


def _started(
    codec: Codec, evaluations: Evaluations, starts: Encodings, seed: int
) -> tuple[np.ndarray, list[float]]:
    """The starting points and their scores: (N, D) and N."""
    if not starts.smiles:
        return _scout(codec, evaluations, seed)
    scores = evaluations.score([Decoded(one, strict=True) for one in starts.smiles])
    return starts.mean, scores


def _evolution(
    codec: Codec,
    evaluations: Evaluations,
    moves: Sequence[str],
    adapt: Callable[[], Tuning] | None,
    screen: bool,
    seed: int,
) -> Strategy:
    """Breed from all that was evaluated so far."""
    tuning = None if adapt is None else adapt()
    return evolution(
        codec if tuning is None else tuning.codec,
        [(smiles, one.score) for smiles, one in evaluations.found.items()],
        takes=evaluations.takes,
        kinds=moves or KINDS,
        adaptation=tuning,
        screened=screen,
        seed=seed,
    )


def _climb(
    codec: Codec,
    objective: Objective,
    method: str,
    latents: np.ndarray,
    scores: Sequence[float],
    seed: int,
) -> Strategy:
    """Begin at the best of the starting points."""
    order = np.argsort(scores, kind="stable")[::-1]
    if method == "cma":
        return CovarianceAdaptation(codec, latents[order[0]], scores[order[0]], WIDTH, seed)
    (goal,) = objective.goals
    return GradientAscent(codec, _head(objective), goal.aim, latents[order[:32]], seed)


def _scout(codec: Codec, evaluations: Evaluations, seed: int) -> tuple[np.ndarray, list[float]]:
    """Draws from the prior, decoded greedily, and their scores: (N, D) and N."""
    wanted = max(1, round(SCOUTS * evaluations.left))
    drawing = draw(codec, codec.draw, temperature=0.0, seed=seed, strings_at_once=lambda: 1)
    stream = islice(drawing, 50 * wanted)
    drawn = ((latent, one) for _, latent, one in stream if evaluations.takes(one))
    pairs = list(islice(drawn, wanted))
    if not pairs:
        return np.zeros((1, codec.latent_dim), dtype=np.float32), [-np.inf]
    latents, molecules = zip(*pairs, strict=True)
    return np.array(latents), evaluations.score(molecules)
