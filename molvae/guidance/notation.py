"""An objective as a chemist writes it: a TOML file, or shorthands of terms.

::

    mean = "geometric"

    [[term]]
    property = "qed"
    max = true

    [[term]]
    similarity = "CCOc1ccccc1"
    max = [0.3, 0.7]
    weight = 2
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from molvae.errors import SettingsError, nearest
from molvae.files import near_file, reason_of
from molvae.guidance.objective import Objective, Term
from molvae.guidance.shorthand import parsed
from molvae.guidance.terms import made
from molvae.settings import require

Written = Objective | str | Path | Iterable[str]
"""An objective, a TOML file, or shorthands."""

_MEAN = "mean="


def read(written: Written) -> Objective:
    """Read an objective.

    Args:
        written: A TOML file, which stands alone and is named so, or shorthands (see
            `molvae.guidance.shorthand`), among which may be ``mean=arithmetic``.

    Raises:
        SettingsError: Naming the piece that can't be read, and the remedy.
    """
    if isinstance(written, Objective):
        return written
    several = [written] if isinstance(written, str | Path) else written
    texts = [str(one) for one in several]
    files = [one for one in texts if one.lower().endswith(".toml")]
    if isinstance(written, Path) or files:
        require(len(texts) == 1, "A TOML file stands alone: put the other terms into it.")
        return _of_file(Path(texts[0]))
    means = [one.removeprefix(_MEAN) for one in texts if one.startswith(_MEAN)]
    require(len(means) < 2, f"Two means: {' and '.join(means)}. Name one.")
    terms = [_term(one, one) for one in texts if not one.startswith(_MEAN)]
    return Objective(tuple(terms), *means)


def _of_file(path: Path) -> Objective:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"No file {path}.{near_file(path)}") from None
    except OSError as error:
        raise SettingsError(f"Can't read {path}: {reason_of(error)}.") from None
    except ValueError as error:  # of TOML or of UTF-8
        raise SettingsError(f"{path} is no TOML: {error}.") from None
    for key in content:
        require(key in ("mean", "term"), f"{path}: No key {key!r}.{nearest(key, ('mean', 'term'))}")
    tables: Any = content.get("term", [])
    require(
        isinstance(tables, list) and all(isinstance(one, dict) for one in tables),
        f"{path}: the terms are tables, each headed [[term]].",
    )
    terms = [
        _term(f"{path}, term {place}", keys, path.parent) for place, keys in enumerate(tables, 1)
    ]
    try:
        return Objective(tuple(terms), content.get("mean", "geometric"))
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def _term(place: str, written: str | dict[str, Any], folder: Path = Path()) -> Term:
    """A term; what is wrong with it is told with its place."""
    try:
        return made(parsed(written) if isinstance(written, str) else written, folder)
    except SettingsError as error:
        raise SettingsError(f"{place}: {error}") from None
