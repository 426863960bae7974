"""Texts that RDKit may refuse to SELFIES symbols: what is left of a broken SMILES.

A molecule that can be read and written is written as ever. Of any other text those tokens of a
SMILES are kept that make sense behind the ones before them: atoms, bonds, ring closures that are
closed, parentheses that have a partner. What is left is written without asking for valences, for
these are what may be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import selfies

from molvae.chem.molecules import LONGEST_SMILES, parse, to_smiles
from molvae.chem.standard import DEFAULT_STANDARD, Standard, standardise
from molvae.chem.strings import DEFAULT_CONSTRAINTS, Constraints, encode_many, symbols
from molvae.errors import MoleculeError

UNKNOWN_ATOM = "[999C]"
"""An atom that can't be told, such as ``*`` or ``[Xx]``: an isotope that no vocabulary has."""

_TOKEN = re.compile(
    r"(?P<bond>[-=#/\\]?)"
    r"(?:(?P<atom>\[[^\[\]]*\]|\*|Br|Cl|[BCNOPSFIbcnops])|(?P<ring>%\d\d|\d))"
    r"|(?P<branch>[()])",
    re.ASCII,
)
_HYDROGEN = "[H]"
_AROMATIC = re.compile(r"^([-=#/\\]?(?:\[\d*)?)([a-z])", re.ASCII)
_BARE_NITROGEN = re.compile(r"^([-=#/\\]?)n$")

_DEEPEST = 50
"""Branches within branches that are kept: SELFIES goes into them by recursion."""

_TRIES = 100
"""Atoms of which each remedy for an aromatic system is tried, at most."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was read of a text.

    Attributes:
        tokens: SELFIES symbols, empty where nothing could be read.
        smiles: The canonical SMILES where the text is a molecule, else empty. It is standardised
            unless the standard refuses it.
        reason: Why nothing could be read, else empty.
        steps: The names of the steps of standardising that changed a molecule, in their order.
    """

    tokens: list[str]
    smiles: str = ""
    reason: str = ""
    steps: tuple[str, ...] = ()


def salvage(
    text: str,
    constraints: Constraints = DEFAULT_CONSTRAINTS,
    standard: Standard = DEFAULT_STANDARD,
) -> Salvaged:
    """Read what there is in a text; only one that is empty, or has no atom, or is too long, fails.

    Args:
        text: Anything. As in any SMILES, what stands behind white space doesn't belong to it.
        constraints: What selfies may bond, in the string of a molecule that can be read.
        standard: How such a molecule is standardised. Unless it keeps salts, the fragment of most
            symbols is taken of a text that is no molecule.

    >>> salvage("CC(C)C)O").tokens
    ['[C]', '[C]', '[Branch1]', '[C]', '[C]', '[C]', '[O]']
    """
    return salvage_many([text], constraints, standard)[0]


def salvage_many(
    texts: Sequence[str],
    constraints: Constraints = DEFAULT_CONSTRAINTS,
    standard: Standard = DEFAULT_STANDARD,
) -> list[Salvaged]:
    """`salvage` for a chunk of texts."""
    words = [(text.split() or [""])[0] for text in texts]
    encoded = encode_many(words, constraints, standard)
    return [
        Salvaged(one.tokens, one.smiles, steps=one.steps)
        if one.selfies
        else _salvaged(word, standard)
        for one, word in zip(encoded, words, strict=True)
    ]


def _salvaged(word: str, standard: Standard) -> Salvaged:
    if not word:
        return Salvaged([], reason="empty")
    if len(word) > LONGEST_SMILES:
        return Salvaged([], reason=f"longer than {LONGEST_SMILES} characters")
    name = _readable(word, standard)
    parts = [symbols(_written(part)) for part in (name or word).split(".")]
    parts = [part for part in parts if part]
    if not parts:
        return Salvaged([], name, "it has no atom in it")
    if standard.salts != "keep":
        return Salvaged(max(parts, key=len), name)
    joined = [symbol for part in parts for symbol in (".", *part)]
    return Salvaged(joined[1:], name)


def _readable(word: str, standard: Standard) -> str:
    """The SMILES of a molecule that can be read, though not be written; else empty."""
    try:
        molecule = parse(word)
    except MoleculeError:
        return ""
    try:
        return standardise(molecule, standard).smiles
    except MoleculeError:
        return to_smiles(molecule)


def _written(fragment: str) -> str:
    """The SELFIES string of what makes sense in a text without dots, empty when nothing does."""
    for pieces in _spellings(_pieces(fragment)):
        try:
            return str(selfies.encoder("".join(pieces), strict=False))
        except selfies.EncoderError:  # an aromatic system without a Kekulé structure, or no atom
            continue
    return ""


def _spellings(pieces: list[str]) -> Iterator[list[str]]:
    """The pieces, then the same with remedies for an aromatic system, the mildest first.

    A nitrogen gets the hydrogen that it has in pyrrole; or one atom is none of an aromatic system;
    or none is.
    """
    yield pieces
    bare = (place for place, piece in enumerate(pieces) if _BARE_NITROGEN.match(piece))
    for place in islice(bare, _TRIES):
        yield [*pieces[:place], pieces[place].replace("n", "[nH]"), *pieces[place + 1 :]]
    aromatic = (place for place, piece in enumerate(pieces) if _AROMATIC.match(piece))
    for place in islice(aromatic, _TRIES):
        yield [*pieces[:place], _aliphatic(pieces[place]), *pieces[place + 1 :]]
    yield [_aliphatic(piece) for piece in pieces]


def _aliphatic(piece: str) -> str:
    return _AROMATIC.sub(lambda found: found[1] + found[2].upper(), piece)


def _pieces(fragment: str) -> list[str]:
    """The tokens of a text that make sense together."""
    found = [one for one in _TOKEN.finditer(fragment) if one["atom"] != _HYDROGEN]
    partners, chain = _partners(found), _Chain()
    for place, one in enumerate(found):
        if one["atom"]:
            chain.bond(one["bond"], _atom(one["atom"]))
        elif one["ring"]:
            chain.close(one["bond"], int(one["ring"].lstrip("%")))
        elif place in partners:
            chain.branch(partners[place])
        else:
            chain.end(place)
    return chain.pieces()


def _partners(found: Sequence[re.Match[str]]) -> dict[int, int]:
    """Where each parenthesis is closed that has a partner, and an atom within."""
    waiting: list[tuple[int, int]] = []
    partners, atoms = {}, 0
    for place, one in enumerate(found):
        atoms += bool(one["atom"])
        if one["branch"] == "(":
            waiting.append((place, atoms))
        elif one["branch"] and waiting:
            opened, before = waiting.pop()
            if atoms > before:
                partners[opened] = place
    return partners


@lru_cache(maxsize=4096)
def _atom(token: str) -> str:
    """The token of an atom, or of one unknown when SELFIES can't make out which."""
    try:
        selfies.encoder(token, strict=False)
    except selfies.EncoderError:
        return UNKNOWN_ATOM
    return token


@dataclass(frozen=True, slots=True)
class _Opening:
    """The first half of a ring closure: which piece it is, at which atom, with which bond."""

    piece: int
    atom: int
    bond: str


class _Chain:
    """A chain of atoms that grows token by token and leaves out what it can't have."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._atoms = 0
        self._ends: list[int | None] = [None]  # what the next atom is bonded to, by branch
        self._openings: dict[int, _Opening] = {}
        self._bonded: set[frozenset[int]] = set()
        self._closing: set[int] = set()

    def pieces(self) -> list[str]:
        """All that was taken, without ring closures that wait for their second half."""
        waiting = {one.piece for one in self._openings.values()}
        return [piece for place, piece in enumerate(self._pieces) if place not in waiting]

    def bond(self, bond: str, atom: str) -> None:
        """Put an atom behind the last one."""
        before = self._ends[-1]
        if before is not None:
            self._bonded.add(frozenset((before, self._atoms)))
        self._pieces.append(atom if before is None else bond + atom)
        self._ends[-1] = self._atoms
        self._atoms += 1

    def close(self, bond: str, label: int) -> None:
        """Begin a ring closure at the last atom, or end it there."""
        here = self._ends[-1]
        if here is None or self._pieces[-1] == "(":
            return
        start = self._openings.pop(label, None)
        if start is None:
            self._openings[label] = _Opening(len(self._pieces), here, bond)
            self._pieces.append(f"{bond}%{label:02d}")
            return
        ends = frozenset((start.atom, here))
        if len(ends) == 1 or ends in self._bonded:
            self._pieces[start.piece] = ""
            return
        self._bonded.add(ends)
        # Two bonds of one closure might contradict each other.
        self._pieces.append(f"{'' if start.bond else bond}%{label:02d}")

    def branch(self, end: int) -> None:
        """Begin a branch at the last atom, which the token at a place ends."""
        here = self._ends[-1]
        if here is None or self._pieces[-1] == "(" or len(self._ends) > _DEEPEST:
            return
        self._pieces.append("(")
        self._ends.append(here)
        self._closing.add(end)

    def end(self, place: int) -> None:
        """End the branch that the token at a place ends, if there is one."""
        if place in self._closing:
            self._pieces.append(")")
            self._ends.pop()
