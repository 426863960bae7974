"""SMILES to SELFIES tokens and back, under explicit constraints.

SELFIES (Krenn et al., 2020, doi:10.1088/2632-2153/aba947) decodes any sequence of its
symbols into a molecule, if need be by dropping or altering some of them. A *strict* string
is one that needed no such repair: it is exactly what the encoder writes for what it
decodes to.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import selfies
from rdkit import rdBase

from molvae.chem.molecules import canonical, flatten, parse, randomised, to_smiles
from molvae.errors import MoleculeError

Constraints = Mapping[str, int]
"""Bonding capacity of each kind of atom, as selfies knows them: ``{"C": 4, "N+1": 4, ...}``."""

DEFAULT_CONSTRAINTS: Constraints = selfies.get_preset_constraints("default")

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
        tokens: Its SELFIES symbols, empty when the molecule can't be used.
        reason: Why it can't be used, empty when it can.
        flattened: Whether stereo or charges were taken away.
    """

    smiles: str
    tokens: tuple[str, ...]
    reason: str = ""
    flattened: bool = False


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
    smiles: str, constraints: Constraints = DEFAULT_CONSTRAINTS, *, flat: bool = False
) -> Encoded:
    """Turn a SMILES into the symbols of its canonical form, and verify the way back.

    Args:
        smiles: Any SMILES.
        constraints: What selfies may bond.
        flat: Take stereo, isotopes and neutralisable charges away first.
    """
    with constrained(constraints):
        try:
            molecule = parse(smiles)
            name = to_smiles(molecule)
            flattened = False
            if flat:
                flat_name = to_smiles(flatten(molecule))
                flattened, name = flat_name != name, flat_name
            tokens = tokenise(name)
            if canonical(selfies.decoder("".join(tokens))) != name:
                return Encoded("", (), "SELFIES changes this molecule on the way back")
        except MoleculeError as error:
            return Encoded("", (), str(error))
    return Encoded(name, tokens, flattened=flattened)


def encode_many(
    smiles: Sequence[str], constraints: Constraints = DEFAULT_CONSTRAINTS, *, flat: bool = False
) -> list[Encoded]:
    """Encode a chunk of SMILES; what can't be used carries its reason."""
    return [encode(one, constraints, flat=flat) for one in smiles]


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


def tokenise(smiles: str) -> tuple[str, ...]:
    """The SELFIES symbols of a SMILES under the constraints in force.

    Raises:
        MoleculeError: When SELFIES has no symbols for it, with the reason.
    """
    try:
        return tuple(selfies.split_selfies(selfies.encoder(smiles)))
    except selfies.EncoderError as error:
        raise MoleculeError(f"SELFIES can't write it: {_short(error)}") from None


def reordered(
    smiles: str, seed: int, constraints: Constraints = DEFAULT_CONSTRAINTS
) -> tuple[str, ...]:
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
            return tokenise(randomised(parse(smiles), seed))
        except MoleculeError:
            return ()


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("Err")), lines[0] if lines else "?")
