"""Arrays and JSON in one safetensors file under one checksum. Nothing in it is ever executed.

The metadata of the file hold one JSON text: the content, and the SHA-256 of it and of all arrays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors.numpy import save as to_bytes

from molvae.errors import UserError
from molvae.files import atomic_path

_METADATA = "molvae"
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class Kind:
    """A kind of sealed file, as its error messages call it.

    Attributes:
        name: Such as ``model``.
        error: What is raised when a file can't be used.
        remedy: What to do when there is none; ``{folder}`` and ``{path}`` are filled in.
    """

    name: str
    error: type[UserError]
    remedy: str


def write(
    path: Path, kind: Kind, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write a file, atomically; the same content gives the same bytes.

    Raises:
        OutputError: When the place can't be written to.
    """
    content = {"kind": kind.name, **content}
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # One key: safetensors writes several in an order that changes from run to run.
    sealed = json.dumps({"content": content, "sha256": _digest(content, whole)}, sort_keys=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_bytes(whole, {_METADATA: sealed}))


def read(path: Path, kind: Kind) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the content and the arrays of a file.

    Raises:
        UserError: Of the kind, when there is no file or it is damaged or foreign.
    """
    arrays, metadata = _read(path, kind)
    if _METADATA not in metadata:
        raise kind.error(f"{path} is a safetensors file, but not a {kind.name} of molvae.")
    try:
        sealed = json.loads(metadata[_METADATA])
        content: dict[str, Any] = sealed["content"]
        whole = sealed["sha256"] == _digest(content, arrays)
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise kind.error(f"{path} is damaged: its checksum doesn't fit its content. Copy it anew.")
    found = content.get("kind", "model")  # the first models didn't say so
    if found != kind.name:
        raise kind.error(f"{path} is a {found} of molvae, not a {kind.name}.")
    return content, arrays


def _read(path: Path, kind: Kind) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except FileNotFoundError:
        remedy = kind.remedy.format(folder=path.parent, path=path)
        raise kind.error(f"No {kind.name} at {path}. {remedy}") from None
    except OSError as error:
        raise kind.error(f"Can't read {path}: {(error.strerror or '').lower()}.") from None
    try:
        with safetensors.safe_open(path, framework="numpy") as stream:
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118  (no mapping)
            return arrays, stream.metadata() or {}
    except (safetensors.SafetensorError, ValueError, TypeError, OSError) as error:
        if start.startswith(_PICKLES):
            raise kind.error(
                f"{path} is a pickle, which could run any code and is never opened here. "
                f"A {kind.name} of molvae is a .safetensors file."
            ) from None
        raise kind.error(
            f"{path} is damaged or no {kind.name} of molvae ({error}). Copy it anew."
        ) from None


def _digest(content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        # The word torch stands for the tensors that the first files were written from.
        digest.update(f"{name} torch.{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
