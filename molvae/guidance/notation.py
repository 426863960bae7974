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

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from molvae.errors import SettingsError, nearest
from molvae.files import near_file, reason_of
from molvae.guidance.objective import Objective, Term, placed
from molvae.guidance.shorthand import parsed
from molvae.guidance.terms import made
from molvae.settings import require

Written = Objective | str | Path | Iterable[str]
"""An objective, a TOML file, or shorthands."""

_MEAN = re.compile(r"mean\s*=\s*(.*)")
_KEYS = ("mean", "term")


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
    if isinstance(written, Path):
        return _of_file(written)
    several = [written] if isinstance(written, str) else written
    require(
        isinstance(several, Iterable) and not isinstance(several, bytes | Mapping),
        f"An objective is a TOML file, or shorthands such as qed:max, not {written!r:.60}. A "
        "function stands in a file: python=FILE.py:FUNCTION:max.",
    )
    texts = [str(one).strip() for one in several]
    if any(one.lower().endswith(".toml") for one in texts):
        require(len(texts) == 1, "A TOML file stands alone: put the other terms into it.")
        return _of_file(Path(texts[0]))
    means = [found[1] for one in texts if (found := _MEAN.match(one))]
    require(len(means) < 2, f"Two means: {' and '.join(means)}. Name one.")
    terms = [_shorthand(one) for one in texts if not _MEAN.match(one)]
    return Objective(tuple(terms), *means)


def written(objective: Objective) -> str:
    """An objective as a TOML file that `read` makes the same of, from any folder.

    Raises:
        SettingsError: For a term that was made in Python, from no keys.
    """
    lines = [f"mean = {_toml(objective.mean)}"]
    for term in objective.terms:
        require(
            bool(term.keys),
            f"{term.place}: A term made in Python can't be written down. Put a function into a "
            "file, and name it as python=FILE.py:FUNCTION.",
        )
        lines += ["", "[[term]]", *(f"{key} = {_toml(one)}" for key, one in term.keys.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """Texts, numbers, True, False and lists of them, which TOML writes as JSON does."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _of_file(path: Path) -> Objective:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"No file {path}.{near_file(path)}") from None
    except OSError as error:
        raise SettingsError(f"Can't read {path}: {reason_of(error)}.") from None
    except (ValueError, RecursionError) as error:  # of TOML or of UTF-8; of lists in lists
        raise SettingsError(f"{path} is no TOML: {error}.") from None
    tables: Any = content.get("term", [])
    with placed(str(path)):
        for key in content:
            require(key in _KEYS, f"No key {key!r}.{nearest(key, _KEYS)}")
        require(
            isinstance(tables, list) and all(isinstance(one, dict) for one in tables),
            "The terms are tables, each headed [[term]].",
        )
    terms = []
    for number, keys in enumerate(tables, 1):
        place = f"{path}, term {number}"
        with placed(place):
            terms.append(replace(made(keys, path.parent), place=place))
    with placed(str(path)):
        return Objective(tuple(terms), content.get("mean", "geometric"))


def _shorthand(text: str) -> Term:
    place = text or "''"
    with placed(place):
        try:
            return replace(made(parsed(text), Path()), place=place)
        except SettingsError:
            is_file = os.path.isfile(text)  # noqa: PTH113  # a text that is no path has no error
            require(not is_file, "The name of a file of terms ends in .toml.")
            raise
