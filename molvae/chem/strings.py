"""SMILES to SELFIES tokens and back, under explicit constraints.

SELFIES (Krenn et al., 2020, doi:10.1088/2632-2153/aba947) decodes any sequence of its
symbols into a molecule, if need be by dropping or altering some of them. A *strict* string
is one that needed no such repair: it is exactly what the encoder writes for what it
decodes to.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import selfies
from rdkit import rdBase

from molvae.chem.molecules import canonical, parse, randomised, spells
from molvae.chem.standard import DEFAULT_STANDARD, Standard, standardise
from molvae.errors import MoleculeError

Constraints = Mapping[str, int]
"""Bonding capacity of each kind of atom, as selfies knows them: ``{"C": 4, "N+1": 4, ...}``."""

DEFAULT_CONSTRAINTS: Constraints = selfies.get_preset_constraints("default")

PRESETS: Mapping[str, Constraints] = {
    "octet_rule": selfies.get_preset_constraints("octet_rule"),
    "default": DEFAULT_CONSTRAINTS,
    "wide": {**DEFAULT_CONSTRAINTS, "I": 5},
    "hypervalent": selfies.get_preset_constraints("hypervalent"),
}
"""Constraints that have a name: those of selfies, and ``wide``.

``default`` admits for each kind of atom what RDKit's sanitising does, but for iodine: one bond
against five. ``wide`` has those too, and so admits iodanes, such as Koser's reagent.
``hypervalent`` goes beyond RDKit (chlorine with seven bonds): some of its strings decode to what
is no molecule.
"""

AUTO = "auto"
"""The narrowest of `LADDER` that admits all molecules that the widest admits."""

LADDER = ("default", "wide")
"""The presets that may be tried for a molecule, narrowest first."""

_SYMBOL = re.compile(r"\[[^\]]*\]|\.")
_constraints_lock = threading.RLock()


@contextlib.contextmanager
def constrained(constraints: Constraints) -> Iterator[None]:
    """Set the constraints of selfies for the length of the block, then restore them.

    selfies keeps them for the whole process, so threads wait here for each other.
    """
    with _constraints_lock:
        before = selfies.get_semantic_constraints()
        if before == dict(constraints):
            yield
            return
        selfies.set_semantic_constraints(dict(constraints))
        try:
            yield
        finally:
            selfies.set_semantic_constraints(before)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A molecule as training and encoding see it.

    Attributes:
        smiles: The canonical SMILES, empty when the molecule can't be used.
        selfies: Its SELFIES string, empty when the molecule can't be used.
        reason: Why it can't be used, empty when it can.
        steps: The names of the steps of standardising that changed it, in their order.
        admitted_by: When the constraints alone refuse it, the narrowest preset that doesn't.
    """

    smiles: str
    selfies: str
    reason: str = ""
    steps: tuple[str, ...] = ()
    admitted_by: str = ""

    @property
    def tokens(self) -> list[str]:
        """The symbols of its string."""
        return symbols(self.selfies)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a sequence of SELFIES symbols means.

    Attributes:
        smiles: The canonical SMILES, empty when the sequence holds no molecule.
        strict: Whether the sequence needed no repair.
        reason: Why it holds no molecule, empty when it does.
    """

    smiles: str
    strict: bool
    reason: str = ""


def encode(
    smiles: str,
    constraints: Constraints = DEFAULT_CONSTRAINTS,
    standard: Standard = DEFAULT_STANDARD,
    *,
    widen: bool = False,
) -> Encoded:
    """Turn a SMILES into the SELFIES of its standardised form, and verify the way back.

    Args:
        smiles: Any SMILES.
        constraints: What selfies may bond.
        standard: How the molecule is standardised first.
        widen: Write a molecule that these constraints refuse under the narrowest preset of
            `LADDER` that admits it; ``admitted_by`` names that.
    """
    try:
        found = standardise(parse(smiles), standard, smiles)
    except MoleculeError as error:
        return Encoded("", "", str(error))
    try:
        return Encoded(found.smiles, verified(found.smiles, constraints), steps=found.steps)
    except MoleculeError as error:
        reason = str(error)
    for name in LADDER:
        written = "" if PRESETS[name] == constraints else _admitted(found.smiles, PRESETS[name])
        if written and widen:
            return Encoded(found.smiles, written, steps=found.steps, admitted_by=name)
        if written:
            hint = f"{reason}; the constraints {name!r} admit it"
            return Encoded("", "", hint, admitted_by=name)
    return Encoded("", "", reason)


def encode_many(
    smiles: Sequence[str],
    constraints: Constraints = DEFAULT_CONSTRAINTS,
    standard: Standard = DEFAULT_STANDARD,
    *,
    widen: bool = False,
) -> list[Encoded]:
    """Encode a chunk of SMILES; what can't be used carries its reason."""
    return [encode(one, constraints, standard, widen=widen) for one in smiles]


def verified(smiles: str, constraints: Constraints) -> str:
    """The SELFIES of a canonical SMILES, which decodes to the very same.

    Raises:
        MoleculeError: When SELFIES can't write it, or writes another molecule.
    """
    with constrained(constraints):
        written = _written(smiles)
        if not spells(selfies.decoder(written), smiles):
            raise MoleculeError("SELFIES changes this molecule on the way back")
    return written


def _admitted(smiles: str, constraints: Constraints) -> str:
    """The SELFIES of a canonical SMILES, empty when the constraints don't admit it."""
    try:
        return verified(smiles, constraints)
    except MoleculeError:
        return ""


def symbols(text: str) -> list[str]:
    """The symbols of a SELFIES string.

    >>> symbols("[C][=C].[F]")
    ['[C]', '[=C]', '.', '[F]']
    """
    return _SYMBOL.findall(text)


def preset_of(constraints: Constraints) -> str:
    """The name of constraints, ``other`` when they have none.

    >>> preset_of(DEFAULT_CONSTRAINTS)
    'default'
    """
    return next((name for name, one in PRESETS.items() if one == constraints), "other")


def decode(tokens: Sequence[str], constraints: Constraints = DEFAULT_CONSTRAINTS) -> Decoded:
    """Turn SELFIES symbols into a molecule and tell whether they were strict.

    >>> decode(["[C]", "[=C]", "[F]"])
    Decoded(smiles='C=CF', strict=True, reason='')
    >>> decode(["[F]", "[=C]", "[F]"])
    Decoded(smiles='FCF', strict=False, reason='')
    """
    text = "".join(tokens)
    with constrained(constraints), rdBase.BlockLogs():
        try:
            spelled = selfies.decoder(text)
            name = canonical(spelled)
            strict = selfies.encoder(spelled) == text
        except MoleculeError as error:
            return Decoded("", False, str(error))
        except (selfies.DecoderError, selfies.EncoderError):
            return Decoded("", False, "not a SELFIES string")
    return Decoded(name, strict)


def decode_many(
    strings: Sequence[Sequence[str]], constraints: Constraints = DEFAULT_CONSTRAINTS
) -> list[Decoded]:
    """Decode a chunk of token sequences."""
    return [decode(tokens, constraints) for tokens in strings]


def _written(smiles: str) -> str:
    """The SELFIES of a SMILES under the constraints in force.

    Raises:
        MoleculeError: When SELFIES has no symbols for it, with the reason.
    """
    try:
        return str(selfies.encoder(smiles))
    except selfies.EncoderError as error:
        raise MoleculeError(f"SELFIES can't write it: {_short(error)}") from None
    except KeyError as error:  # how selfies fails at an aromatic bond of an element that has none
        raise MoleculeError(f"SELFIES can't write it: an aromatic bond of {error}") from None


def reordered(smiles: str, seed: int, constraints: Constraints = DEFAULT_CONSTRAINTS) -> list[str]:
    """The symbols of a molecule whose atoms are written in a random order.

    Args:
        smiles: Any SMILES.
        seed: Which order, from 1 on.
        constraints: What selfies may bond.

    Returns:
        No symbol when SELFIES can't write it in that order.
    """
    with constrained(constraints):
        try:
            return symbols(_written(randomised(parse(smiles), seed)))
        except MoleculeError:
            return []


def _short(error: selfies.EncoderError) -> str:
    """What selfies objects to, without the SMILES it repeats."""
    parser = getattr(error.__cause__, "reason", None)
    if parser:
        return str(parser)
    lines = [line.strip() for line in str(error).splitlines()]
    bonds = [line.strip("[]") for line in lines if line.startswith("[")]
    return bonds[0] if bonds else lines[0]
