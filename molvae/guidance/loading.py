"""A function of the user's from its file."""

from __future__ import annotations

import importlib.util
import os
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from molvae.errors import SettingsError, nearest
from molvae.files import near_file, reason_of
from molvae.guidance.hosting import Failed, hosted
from molvae.guidance.own import Own


def own(place: str, folder: Path) -> Own:
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
    path = folder / file
    try:
        changed = path.stat().st_mtime_ns
        module = _module(path.resolve(), changed)
    except FileNotFoundError:
        raise SettingsError(f"No file {path}.{near_file(path)}") from None
    except OSError as error:
        raise SettingsError(f"Can't read {path}: {reason_of(error)}.") from None
    except ValueError as error:  # a character that no path may have
        raise SettingsError(f"Can't read {path}: {error}.") from None
    except Failed as error:
        raise SettingsError(f"{path} can't be run: {error}.") from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [one for one, value in vars(module).items() if _is_function(value, module)]
        raise SettingsError(f"No function {name!r} in {file}.{nearest(name, known)}")
    return Own(function, name, path.resolve().parent)


@cache
def _module(path: Path, changed: int) -> ModuleType:
    """Load a file, once as long as it isn't changed."""
    name = f"molvae_own_{os.fsencode(path).hex()}"  # pickle takes a dot for a package
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{path} is no file of Python: its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look there for the module of a class
    try:
        with hosted(path.parent):
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _is_function(value: Any, module: ModuleType) -> bool:
    """Whether a module defines it, and not only imports it."""
    is_function = callable(value) and not isinstance(value, type)
    return is_function and getattr(value, "__module__", "") == module.__name__
