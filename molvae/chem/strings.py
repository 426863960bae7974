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
from dataclasses import dataclass, replace

import selfies
from rdkit import rdBase

from molvae.chem.molecules import is_radical, parse, randomised, spells, to_smiles
from molvae.chem.standard import DEFAULT_STANDARD, Standard, Standardised, standardise
from molvae.errors import MoleculeError, SettingsError

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
        strict: Whether it is a molecule that needed no repair, and leaves no atom with an unpaired
            electron: a symbol that names its hydrogens, such as ``[NH1+1]``, gets them whether or
            not the bonds that it lacks are written.
        reason: Why it holds no molecule, empty when it does.
    """

    smiles: str
    strict: bool
    reason: str = ""

    def suits(self, strict: bool) -> bool:
        """Whether it is a molecule, and a strict one where that is asked.

        >>> [Decoded("C[CH]F", strict=False).suits(asked) for asked in (True, False)]
        [False, True]
        """
        return bool(self.smiles) and (self.strict or not strict)


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
    return encode_many([smiles], constraints, standard, widen=widen)[0]


def encode_many(
    smiles: Sequence[str],
    constraints: Constraints = DEFAULT_CONSTRAINTS,
    standard: Standard = DEFAULT_STANDARD,
    *,
    widen: bool = False,
) -> list[Encoded]:
    """Encode a chunk of SMILES; what can't be used carries its reason.

    Each step is taken for the whole chunk: its code and its data then stay in the processor's
    cache, which is worth a sixth of the time.
    """
    found = [_standardised(one, standard) for one in smiles]
    names = [one.smiles for one in found if isinstance(one, Standardised)]
    written = iter(verified(names, constraints))
    return [
        Encoded("", "", one)
        if isinstance(one, str)
        else _encoded(one, next(written), constraints, widen)
        for one in found
    ]


@dataclass(frozen=True, slots=True)
class Written:
    """A SELFIES string, or why there is none.

    Attributes:
        selfies: The string, empty when there is none.
        reason: Why, else empty.
    """

    selfies: str
    reason: str = ""


def verified(smiles: Sequence[str], constraints: Constraints) -> list[Written]:
    """The SELFIES of canonical SMILES, each of which decodes to the very same."""
    with constrained(constraints):
        written = [_written(one) for one in smiles]
        back = [selfies.decoder(one.selfies) for one in written]
    with rdBase.BlockLogs():
        return [
            one if one.reason or spells(text, name) else Written("", _CHANGED)
            for one, text, name in zip(written, back, smiles, strict=True)
        ]


_CHANGED = "SELFIES changes this molecule on the way back"


def _standardised(smiles: str, standard: Standard) -> Standardised | str:
    """The molecule of a SMILES, or why there is none."""
    try:
        return standardise(parse(smiles), standard, smiles)
    except MoleculeError as error:
        return str(error)


def _encoded(
    found: Standardised, written: Written, constraints: Constraints, widen: bool
) -> Encoded:
    """A molecule with its string; or another string, or a hint, where wider constraints help."""
    if not written.reason:
        return Encoded(found.smiles, written.selfies, steps=found.steps)
    for name in LADDER:
        if PRESETS[name] == constraints:
            continue
        (other,) = verified([found.smiles], PRESETS[name])
        if not other.reason and widen:
            return Encoded(found.smiles, other.selfies, steps=found.steps, admitted_by=name)
        if not other.reason:
            hint = f"{written.reason}; the constraints {name!r} admit it"
            return Encoded("", "", hint, admitted_by=name)
    return Encoded("", "", written.reason)


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


def named(constraints: Constraints) -> str:
    """The name of constraints that have one.

    Raises:
        SettingsError: When they have none.
    """
    name = preset_of(constraints)
    if name not in PRESETS:
        raise SettingsError(f"The model's constraints are none of {', '.join(PRESETS)}.")
    return name


def decode(tokens: Sequence[str], constraints: Constraints = DEFAULT_CONSTRAINTS) -> Decoded:
    """Turn SELFIES symbols into a molecule and tell whether they were strict.

    >>> decode(["[C]", "[=C]", "[F]"])
    Decoded(smiles='C=CF', strict=True, reason='')
    >>> decode(["[F]", "[=C]", "[F]"])
    Decoded(smiles='FCF', strict=False, reason='')
    >>> decode(["[C]", "[C@@H1]", "[F]"])
    Decoded(smiles='C[CH]F', strict=False, reason='')
    """
    text = "".join(tokens)
    with constrained(constraints), rdBase.BlockLogs():
        try:
            spelled = selfies.decoder(text)
            molecule = parse(spelled)
            strict = selfies.encoder(spelled) == text and not is_radical(molecule)
        except MoleculeError as error:
            return Decoded("", False, str(error))
        except (selfies.DecoderError, selfies.EncoderError):
            return Decoded("", False, "not a SELFIES string")
    return Decoded(to_smiles(molecule), strict)


def decode_many(
    strings: Sequence[Sequence[str]],
    constraints: Constraints = DEFAULT_CONSTRAINTS,
    standard: Standard | None = None,
) -> list[Decoded]:
    """Decode a chunk of token sequences, to molecules as they are written or in a standard form."""
    found = [decode(tokens, constraints) for tokens in strings]
    if standard is None:
        return found
    return [_in_form(one, standard) for one in found]


def _in_form(one: Decoded, standard: Standard) -> Decoded:
    """A molecule in its standard form, or none where the standard refuses it."""
    if not one.smiles:
        return one
    form = _standardised(one.smiles, standard)
    return Decoded("", False, form) if isinstance(form, str) else replace(one, smiles=form.smiles)


def _written(smiles: str) -> Written:
    """The SELFIES of a SMILES under the constraints in force."""
    try:
        return Written(str(selfies.encoder(smiles)))
    except selfies.EncoderError as error:
        return Written("", f"SELFIES can't write it: {_short(error)}")
    except KeyError as error:  # how selfies fails at an aromatic bond of an element that has none
        return Written("", f"SELFIES can't write it: an aromatic bond of {error}")


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
            return symbols(_written(randomised(parse(smiles), seed)).selfies)
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
