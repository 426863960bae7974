"""The errors that molvae raises, all of them children of one.

::

    MolVAEError              something went wrong; the command line exits with 1
    ├── UserError            the user can mend it; the command line exits with 2
    │   ├── SettingsError    an unknown setting, or one out of range
    │   ├── TableError       a file of molecules that can't be read or used
    │   ├── MoleculeError    one molecule that can't be read, encoded or drawn
    │   ├── MeasureError     a measure that can't be computed from the molecules there are
    │   ├── CheckpointError  a model file that is damaged, foreign or too new
    │   └── OutputError      a place that can't be written to
    └── TrainingError        training that can't go on (a loss that isn't finite)

Every message is one line that names the input, the place and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MolVAEError(Exception):
    """The base of all errors that molvae raises on purpose."""


class UserError(MolVAEError):
    """An error that the user can mend by another input or another setting."""


class SettingsError(UserError):
    """An unknown setting, or a value out of its range."""


class TableError(UserError):
    """A file of molecules that can't be read or used."""


class MoleculeError(UserError):
    """A molecule that can't be read, encoded or drawn."""


class MeasureError(UserError):
    """A measure that can't be computed from the molecules there are; the text says why."""


class CheckpointError(UserError):
    """A model file that is damaged, of a foreign format, or from a newer molvae."""


class OutputError(UserError):
    """A file or folder that can't be written."""


class TrainingError(MolVAEError):
    """Training that can't go on."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a name that isn't known, to be put behind an error message.

    Returns:
        ``" Did you mean 'smiles'?"`` when a known name is near, else the list of known
        names, else an empty string when there are none.

    >>> nearest("smilse", ["id", "smiles"])
    " Did you mean 'smiles'?"
    >>> nearest("x", ["id", "smiles"])
    ' Known: id, smiles.'
    """
    names = list(dict.fromkeys(str(one) for one in known))
    lowered = {one.lower(): one for one in reversed(names)}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {lowered[close[0]]!r}?"
    return f" Known: {', '.join(names)}." if names else ""
