"""A term on one line: ``WHAT:AIM,OPTION,...``.

::

    qed:max
    logp:target=2.5,width=0.5,weight=2
    similarity=CCOc1ccccc1:max=0.3..0.7,fingerprint=maccs
    smarts=[NX3;H2,H1]:present,constraint
    filters=moses,pains:constraint
    python=dock.py:affinity:min=-12..-6

WHAT ends at the last colon and its kind at the first ``=``; so SMILES, SMARTS, paths and names need
no quotes but those of the shell. A bare name is short for ``property=NAME``. Behind the colon
stand the keys that a term has in a file: a word alone is true, ``..`` is between numbers of a list,
``/`` between the two of a point.
"""

from __future__ import annotations

from typing import Any

from molvae.errors import SettingsError, nearest
from molvae.guidance.aims import AIMS
from molvae.guidance.quantities import if_compound
from molvae.guidance.terms import KINDS, OPTIONS
from molvae.settings import require


def parsed(text: str) -> dict[str, Any]:
    """The keys of a term and their values, as a file has them.

    >>> parsed("logp:range=1..3,width=0.5,constraint")
    {'property': 'logp', 'range': [1.0, 3.0], 'width': 0.5, 'constraint': True}
    >>> parsed("smarts=[C:1]=[N:2]:absent")
    {'smarts': '[C:1]=[N:2]', 'absent': True}

    Raises:
        SettingsError: Naming the piece that is no part of a term.
    """
    what, colon, wanted = text.strip().rpartition(":")
    if not colon:
        what, wanted = wanted, ""
    kind, equals, argument = (one.strip() for one in what.partition("="))
    if not equals:
        if kind in KINDS:
            raise SettingsError(f"Say of what: {kind}={KINDS[kind].written}.")
        kind, argument = "property", kind
        require(".py:" not in f"{argument}:", f"If it is a function, say python={argument}.")
    if kind not in KINDS:
        hint = if_compound(what.strip()) or nearest(kind, KINDS)
        raise SettingsError(f"No kind of term {kind!r}.{hint}")
    require(bool(argument), "It doesn't say of what. A term is WHAT:AIM, such as qed:max.")
    return {kind: argument} | (_keys(wanted) if wanted else {})


def between_dots(text: str, most: int = -1) -> list[str]:
    """What stands before, between and behind two dots, cut so often at most.

    Raises:
        SettingsError: For three dots, of which the last may belong to a number.
    """
    require("..." not in text, f"{text!r}: two dots stand between numbers, as in 0..3 or 0..0.3.")
    return text.split("..", most)


def _keys(text: str) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    known = [*AIMS, *OPTIONS]
    for piece in text.split(","):
        key, equals, value = (one.strip() for one in piece.partition("="))
        require(
            key in known,
            f"{piece.strip()!r} is no aim and no option.{nearest(key, known)} "
            "Behind the last colon stands what is wanted, as in qed:max.",
        )
        require(key not in keys, f"{key} stands there twice.")
        keys[key] = _value(value) if equals else True
    return keys


def _value(text: str) -> Any:
    if ".." in text:
        return [_point(one) for one in between_dots(text)]
    try:
        return float(text)
    except ValueError:
        return text


def _point(text: str) -> float | list[float]:
    try:
        numbers = [float(one) for one in text.split("/")]
    except ValueError:
        raise SettingsError(f"{text!r} is no number.") from None
    return numbers[0] if len(numbers) == 1 else numbers
