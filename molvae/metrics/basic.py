"""Measures of a set of molecules.

They take canonical SMILES, with an empty string for what is no molecule.
"""

from __future__ import annotations

from collections.abc import Container, Sequence


def validity(smiles: Sequence[str]) -> float:
    """The share of strings that are molecules.

    >>> validity(["CCO", "", "C", "CCO"])
    0.75
    """
    return _share(sum(map(bool, smiles)), len(smiles))


def uniqueness(smiles: Sequence[str]) -> float:
    """Distinct molecules among the valid ones, as a share.

    >>> uniqueness(["CCO", "", "C", "CCO"])
    0.6666666666666666
    """
    valid = [one for one in smiles if one]
    return _share(len(set(valid)), len(valid))


def novelty(smiles: Sequence[str], known: Container[str]) -> float:
    """The share of the distinct valid molecules that aren't known.

    >>> novelty(["CCO", "", "C", "CCO"], {"C"})
    0.5
    """
    distinct = {one for one in smiles if one}
    return _share(sum(one not in known for one in distinct), len(distinct))


def _share(count: int, total: int) -> float:
    return count / total if total else 0.0
