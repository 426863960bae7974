"""A function of the user's, which may fail at any molecule."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from molvae.codec import Codec
from molvae.errors import SettingsError, nearest
from molvae.files import near_file
from molvae.guidance.quantities import Measured, Span

Function = Callable[[list[str]], Iterable[Any]]
"""From SMILES to a number for each."""


@dataclass(frozen=True)
class Own:
    """What a function of the user's says of molecules.

    It is asked for many molecules at once. Where it raises, or gives another number of values, it
    is asked for each of them alone, so that a molecule it can't do costs that molecule only. What
    it prints goes to standard error.

    Attributes:
        function: The function.
    """

    function: Function
    span: Span = field(default=None, init=False)

    @property
    def name(self) -> str:
        """The name of the function."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def check(self, codec: Codec) -> None:
        """Nothing to refuse: what it can do is known when it is called."""

    def measure(self, codec: Codec, smiles: Sequence[str]) -> Measured:
        """Call it; what is no finite number is none."""
        answers: list[Any]
        try:
            answers = self._asked(list(smiles))
        except Exception:  # noqa: BLE001  # whatever a user's function raises
            answers = [self._asked_alone(one) for one in smiles]
        pairs = [_value(answer) for answer in answers]
        return Measured(np.array([value for value, _ in pairs]), [reason for _, reason in pairs])

    def _asked(self, smiles: list[str]) -> list[Any]:
        with contextlib.redirect_stdout(sys.stderr):
            answers = list(self.function(smiles))
        if len(answers) != len(smiles):
            raise ValueError(f"{len(answers)} values for {len(smiles)} molecules")
        return answers

    def _asked_alone(self, smiles: str) -> Any:
        try:
            return self._asked([smiles])[0]
        except Exception as error:  # noqa: BLE001  # whatever a user's function raises
            return error


def _value(answer: Any) -> tuple[float, str]:
    """An answer as a number, or NaN and the reason why it is none."""
    if isinstance(answer, Exception):
        return math.nan, _described(answer)
    try:
        value = math.nan if isinstance(answer, str) else float(answer)
    except Exception:  # noqa: BLE001  # whatever it is that a user's function gave
        value = math.nan
    return (value, "") if math.isfinite(value) else (math.nan, f"{answer!r:.60} is no number")


def own_function(place: str, folder: Path) -> Function:
    """Load a function from a file of Python.

    Args:
        place: ``FILE:FUNCTION``.
        folder: Where a relative path begins.

    Raises:
        SettingsError: When there is no such file or function, or the file can't be run.
    """
    file, _, name = place.rpartition(":")
    if not (file and name):
        raise SettingsError(f"A function is named as FILE.py:FUNCTION, not {place!r}.")
    module = _module(folder / file)
    function = getattr(module, name, None)
    if not callable(function):
        known = [one for one, value in vars(module).items() if _is_own(value, module)]
        raise SettingsError(f"No function {name!r} in {file}.{nearest(name, known)}")
    loaded: Function = function
    return loaded


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise SettingsError(f"No file {path}.{near_file(path)}")
    name = f"molvae_own_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{path} is no file of Python: its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look there for the module of a class
    try:
        with contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except Exception as error:
        raise SettingsError(f"{path} can't be run: {_described(error)}.") from error
    return module


def _is_own(value: Any, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", "") == module.__name__


def _described(error: Exception) -> str:
    """An exception on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
