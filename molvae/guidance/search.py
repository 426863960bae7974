"""A search within a budget, with an honest account of what it spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from molvae import settings as checks
from molvae.chem.identity import KnownMolecules
from molvae.chem.strings import Decoded
from molvae.codec import Codec, Encodings
from molvae.errors import MoleculeError, SettingsError
from molvae.guidance.call import Call
from molvae.guidance.evaluations import Evaluations
from molvae.guidance.evolution import evolution
from molvae.guidance.moves import KINDS, ask_model
from molvae.guidance.objective import Objective
from molvae.guidance.quantities import Descriptor, Predicted, check_head
from molvae.guidance.record import Record
from molvae.guidance.remarks import remarks
from molvae.guidance.standing import Standing
from molvae.guidance.strategies import CovarianceAdaptation, GradientAscent, Strategy
from molvae.guidance.trust import caution
from molvae.guidance.tuning import Tuning
from molvae.latent.generation import draw

SCOUTS, MOST_SCOUTS = 0.2, 100
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
    call: Call,
    *,
    tuning: Callable[[], Tuning] | None = None,
    head_r2: Mapping[str, float | None] | None = None,
    record: Record | None = None,
    on_round: Callable[[Standing], None] = lambda standing: None,
) -> Search:
    """Search for molecules that do well.

    Args:
        codec: The model, in the form that the call asks for (flat or not).
        objective: What to reach.
        known: The training molecules, to say what is novel.
        call: Within what budget, how, and from where.
        tuning: Gives a copy of the model for an evolution that adapts; without it the model stays
            as it is.
        head_r2: R2 of the heads on held-out molecules, of those that were measured; a note says
            when one that is used is too weak.
        record: Where molecules are written as they are evaluated, part by part. Those that it holds
            already aren't evaluated again: the search goes its way anew, in which all but the
            evaluations is a function of the seed and the scores.
        on_round: Told, after some evaluations, how far it has come.

    Raises:
        SettingsError: For an unknown property, a gradient without a head, settings that the method
            doesn't know, a term without a scale among several, or one that has no value for any
            molecule.
        MoleculeError: When a start compound can't be encoded.
    """
    objective, method, starts = checked(codec, objective, call)
    evaluations = Evaluations(
        codec, objective, call.budget, strict=call.strict, record=record, on_part=on_round
    )
    ending = "complete"
    try:
        latents, scores = _started(codec, evaluations, starts, call.seed)
        if method == "evolution":
            strategy = _evolution(codec, evaluations, call, tuning)
        else:
            strategy = _climb(codec, objective, method, latents, scores, call.seed)
        barren = 0
        while evaluations.left and barren < STALL:
            before = len(evaluations.asked)
            asked = strategy.ask()
            strategy.tell(evaluations.score(asked))
            strategy.hear(evaluations.unasked())
            barren = 0 if len(evaluations.asked) > before else barren + 1
        if evaluations.left:
            ending = "stalled"
            evaluations.require_values()
    except KeyboardInterrupt:
        ending = "interrupted"
    table = evaluations.table(known, call.filters, call.seed)
    notes = cautions(objective, method, head_r2 or {})
    if evaluations.strayed:
        notes.append(
            f"The search went another way than before it was interrupted, as on another "
            f"machine; {evaluations.strayed:,} molecules evaluated then are in the table all the "
            "same."
        )
    if ending == "stalled":
        notes.append(_why_stalled(codec, starts))
    notes += remarks(table, objective)
    good = table["novel"] & (table["objection"] == "") & (table["score"] >= objective.lowest)
    return Search(table, table[good], len(evaluations.found), ending, tuple(notes))


def checked(codec: Codec, objective: Objective, call: Call) -> tuple[Objective, str, Encodings]:
    """The objective fitted to the model, the method, and the encoded starts.

    Raises:
        SettingsError: As `optimize`, before anything is evaluated.
        MoleculeError: Likewise.
    """
    objective = objective.fitted(codec)
    method = _method(call.method, objective, codec)
    evolves = method == "evolution"
    checks.require(
        evolves or not call.moves, f"Moves are those of the method evolution, not of {method}."
    )
    checks.require(
        evolves or (call.adapt and call.screen),
        f"Only the method evolution learns and screens: {method} knows no adapt and no screen.",
    )
    return objective, method, _encoded(codec, call.start)


def drawn_starts(
    codec: Codec, molecules: Sequence[str], budget: int, seed: int
) -> tuple[list[str], str]:
    """Random ones of some molecules, canonical, that the model can encode.

    So many that a fifth of the budget is spent on them, a hundred at most, or all that there are.

    Returns:
        The molecules, and a note on those that were drawn and can't be used; empty without any.

    Raises:
        MoleculeError: When there is none.
    """
    wanted = _scouts(budget)
    order = np.random.default_rng([seed, 2]).permutation(len(molecules))
    found, bad, looked_at = dict[str, None](), list[str](), 0
    for begin in range(0, len(order), wanted):
        given = [molecules[place] for place in order[begin : begin + wanted]]
        encodings = codec.encode(given)
        looked_at += len(given)
        pairs = zip(given, encodings.reasons, strict=True)
        bad += [f"{one!r:.60}: {reason}" for one, reason in pairs if reason]
        found |= dict.fromkeys(encodings.taken(np.flatnonzero(encodings.usable)).smiles)
        if len(found) >= wanted:
            break
    if not found:
        why = bad[0] if bad else "the table is empty"
        raise MoleculeError(f"None of the molecules to start from can be used; {why}.")
    if not bad:
        return list(found)[:wanted], ""
    told = f"{len(bad):,} of {looked_at:,} molecules to start from can't be used; {bad[0]}."
    return list(found)[:wanted], told


def _scouts(budget: int) -> int:
    """How much of a budget is spent on draws to start from."""
    return max(1, min(round(SCOUTS * budget), MOST_SCOUTS))


def _encoded(codec: Codec, start: Sequence[str]) -> Encodings:
    """The compounds to start from, all of them usable."""
    encodings = codec.encode(start)
    for given, reason in zip(start, encodings.reasons, strict=True):
        if reason:
            place = given or "''"
            raise MoleculeError(f"{place}: {reason}.")
    return encodings


def cautions(objective: Objective, method: str, head_r2: Mapping[str, float | None]) -> list[str]:
    """What to know of the heads that guide the search or say its values."""
    quantities = [term.quantity for term in objective.terms]
    heads = {one.head for one in quantities if isinstance(one, Predicted)}
    if method == "gradient":
        heads.add(_head(objective))
    notes = [caution(head, head_r2) for head in sorted(heads)]
    return [note for note in notes if note]


def _why_stalled(codec: Codec, starts: Encodings) -> str:
    """What to know of a search that found nothing new any more."""
    note = f"The search stalled: {STALL} rounds brought no new molecule."
    back = codec.decode(starts.mean) if starts.smiles else []
    lost = [smiles for smiles, one in zip(starts.smiles, back, strict=True) if one.smiles != smiles]
    if lost:
        return f"{note} The model doesn't give {lost[0]} back, so no move of it starts there."
    return f"{note} Other moves or starts, or repaired strings, may bring more."


def _head(objective: Objective) -> str:
    """The property that the only goal is of; empty where there are several, or it is of none."""
    if len(objective.goals) != 1:
        return ""
    quantity = objective.goals[0].quantity
    if isinstance(quantity, Predicted):
        return quantity.head
    return quantity.name if isinstance(quantity, Descriptor) else ""


def _method(method: str, objective: Objective, codec: Codec) -> str:
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
    codec: Codec, evaluations: Evaluations, call: Call, tuning: Callable[[], Tuning] | None
) -> Strategy:
    """Breed from all that was evaluated so far."""
    kinds = call.moves or KINDS
    adapts = call.adapt and ask_model(kinds)
    adaptation = tuning() if tuning is not None and adapts else None
    return evolution(
        codec if adaptation is None else adaptation.codec,
        [(smiles, one.score) for smiles, one in evaluations.found.items()],
        takes=evaluations.takes,
        kinds=kinds,
        adaptation=adaptation,
        screened=call.screen,
        seed=call.seed,
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
    wanted = _scouts(evaluations.left)
    drawing = draw(codec, codec.draw, temperature=0.0, seed=seed, strings_at_once=lambda: 1)
    stream = islice(drawing, 50 * wanted)
    drawn = ((latent, one) for _, latent, one in stream if evaluations.takes(one))
    pairs = list(islice(drawn, wanted))
    if not pairs:
        return np.zeros((1, codec.latent_dim), dtype=np.float32), [-np.inf]
    latents, molecules = zip(*pairs, strict=True)
    return np.array(latents), evaluations.score(molecules)
