"""A term from its keys. A new kind is a line in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molvae.errors import nearest
from molvae.guidance import loading
from molvae.guidance.aims import AIMS
from molvae.guidance.objective import THRESHOLD, Term
from molvae.guidance.quantities import (
    Column,
    Filters,
    Predicted,
    Similarity,
    Substructure,
    of_property,
)
from molvae.guidance.quantity import Quantity
from molvae.settings import number, require, text


def _text(key: str, given: Any) -> str:
    found = text(key, given)
    require(bool(found.strip()), f"{key} is empty.")
    return found


def _names(key: str, given: Any) -> tuple[str, ...]:
    """A list of names, or a text in which commas are between them."""
    names = given if isinstance(given, list) else _text(key, given).split(",")
    require(bool(names), f"{key} is empty.")
    return tuple(_text(key, name).strip() for name in names)


@dataclass(frozen=True)
class Kind:
    """A kind of quantity, as it is written.

    Attributes:
        make: From its argument and the folder in which paths begin.
        written: What its argument is.
        meaning: What it is, in a few words.
        aim: What is wanted of it where nothing is said; empty where it has to be said.
        options: Further keys that it takes.
        read: From its key and what was given to the argument.
    """

    make: Callable[..., Quantity]
    written: str
    meaning: str
    aim: str = ""
    options: tuple[str, ...] = ()
    read: Callable[[str, Any], str | tuple[str, ...]] = _text


def _property(name: str, folder: Path) -> Quantity:
    return of_property(name)


def _similarity(smiles: str, folder: Path, fingerprint: str = "morgan2") -> Quantity:
    return Similarity(smiles, fingerprint)


FUNCTION = "python"
"""The kind that is a function in a file."""

KINDS: dict[str, Kind] = {
    "property": Kind(_property, "NAME",
                     "what RDKit computes, or else a head predicts; a bare NAME is short for it"),
    "predicted": Kind(lambda name, folder: Predicted(name), "NAME",
                      "what a head of the model predicts, though RDKit could compute it"),
    "similarity": Kind(_similarity, "SMILES", "Tanimoto similarity to a compound, 0 to 1",
                       options=("fingerprint",)),
    "smarts": Kind(lambda smarts, folder: Substructure(smarts), "SMARTS", "count of matches"),
    "filters": Kind(lambda names, folder: Filters(names), "NAME,NAME",
                    "1 for what passes all of them, else 0", aim="max", read=_names),
    "measured": Kind(lambda column, folder: Column(column), "COLUMN",
                     "measured values, for suggest; a bare NAME of a column that is no property "
                     "of RDKit's is short for it"),
    FUNCTION: Kind(loading.own, "FILE.py:FUNCTION",
                   "your function: a list of SMILES to a number for each"),
}  # fmt: skip
"""Name to kind; the names are also keys of a term."""

OPTIONS: dict[str, str] = {
    "width": "standard deviation of the Gaussian of target or range",
    "fingerprint": "of similarity; morgan2 unless said",
    "weight": "of a goal in the mean; 1 unless said",
    "constraint": "what falls short is no answer: a desirability of "
                  f"{THRESHOLD:g} is needed, or of the number given",
}  # fmt: skip
"""Further keys of a term, and their meaning."""


def made(keys: Mapping[str, Any], folder: Path) -> Term:
    """Make a term.

    Args:
        keys: One of `KINDS`, one of `AIMS`, and options.
        folder: Where relative paths begin.

    Raises:
        SettingsError: For keys that aren't known or don't go together, or a value out of range.
    """
    known = [*KINDS, *AIMS, *OPTIONS]
    for key in keys:
        require(key in known, f"No key {key!r}.{nearest(key, known)}")
    kind_name = _the_one(keys, KINDS, "what it is of")
    kind = KINDS[kind_name]
    if kind.aim and not AIMS.keys() & keys.keys():
        keys = {kind.aim: True, **keys}
    aim_name = _the_one(keys, AIMS, "what is wanted")
    aim = AIMS[aim_name]
    widths = ("width",) if aim.has_width else ()
    taken = (kind_name, *kind.options, aim_name, *widths, "weight", "constraint")
    for key in keys:
        require(key in taken, f"{key} doesn't go with {kind_name} and {aim_name}.")
    threshold = _threshold(keys.get("constraint", False))
    require(threshold is None or "weight" not in keys, "Goals have a weight, constraints don't.")
    named = {key: _text(key, keys[key]) for key in kind.options if key in keys}
    wide = {key: number(key, keys[key]) for key in widths if key in keys}
    quantity = kind.make(kind.read(kind_name, keys[kind_name]), folder, **named)
    require(quantity.is_count or not aim.of_counts, f"{aim_name} is for counts, as of smarts.")
    return Term(
        quantity,
        aim.make(keys[aim_name], **wide),
        number("weight", keys.get("weight", 1.0)),
        threshold,
        keys=_absolute(keys, folder),
    )


def _absolute(keys: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The keys of a term as they can be read from any folder."""
    if FUNCTION not in keys:
        return dict(keys)
    file, _, name = keys[FUNCTION].rpartition(":")
    return {**keys, FUNCTION: f"{(folder / file).resolve()}:{name}"}


def _the_one(keys: Mapping[str, Any], table: Collection[str], what: str) -> str:
    """The one key that is in a table."""
    there = [key for key in keys if key in table]
    require(bool(there), f"It doesn't say {what}. Add one of: {', '.join(table)}.")
    require(len(there) == 1, f"It says {what} twice: {' and '.join(there)}.")
    return there[0]


def _threshold(given: Any) -> float | None:
    if isinstance(given, bool):
        return THRESHOLD if given else None
    return number("constraint", given)
