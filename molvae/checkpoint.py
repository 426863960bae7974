"""The one file format of a model: weights and JSON in a single safetensors file.

The metadata of the file hold one JSON text: what `Checkpoint` describes, and the SHA-256 of
that and of all tensors. Nothing in it is ever executed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from molvae.chem.identity import KnownMolecules
from molvae.chem.strings import Constraints
from molvae.corpus.vocabulary import Vocabulary
from molvae.errors import CheckpointError, SettingsError
from molvae.files import atomic_path
from molvae.network.config import NetworkConfig
from molvae.network.vae import SequenceVAE
from molvae.settings import from_mapping

FILE_NAME = "model.safetensors"
"""The name of a model in a run folder."""

FORMAT = 1
"""Raised when older programs can't read what is written."""

_METADATA, _NETWORK, _KNOWN = "molvae", "network.", "training_set.hashes"
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def _present_versions() -> dict[str, str]:
    return {name: version(name) for name in ("molvae", "torch", "rdkit", "selfies")}


@dataclass(frozen=True)
class PropertyScale:
    """A property that a head predicts, with the scale that makes it standard.

    Attributes:
        name: The column of the training table.
        mean: Of the training molecules that have a value.
        deviation: Likewise; 1 when all are the same.
        count: How many training molecules have a value.
    """

    name: str
    mean: float
    deviation: float
    count: int


@dataclass(frozen=True)
class Checkpoint:
    """All that a model is.

    Attributes:
        network: The weights, fp32.
        vocabulary: What the token ids mean.
        constraints: What selfies may bond.
        flat: Whether stereo, isotopes and charges were taken away from all molecules.
        properties: What the heads predict, in their order.
        known: The training molecules, to tell what is novel.
        record: How it was trained and what was measured on held-out molecules; JSON values.
        versions: Of the packages that it was trained with.
    """

    network: SequenceVAE
    vocabulary: Vocabulary
    constraints: Constraints
    flat: bool = False
    properties: tuple[PropertyScale, ...] = ()
    known: KnownMolecules = field(default_factory=KnownMolecules)
    record: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=_present_versions)


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint, atomically; the same model gives the same bytes.

    Raises:
        OutputError: When the place can't be written to.
    """
    weights = checkpoint.network.state_dict()
    tensors = {_NETWORK + name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    tensors[_KNOWN] = torch.from_numpy(checkpoint.known.hashes.view(np.int64))
    content = {
        "format": FORMAT,
        "network": dataclasses.asdict(checkpoint.network.config),
        "vocabulary": list(checkpoint.vocabulary.symbols),
        "constraints": dict(checkpoint.constraints),
        "flat": checkpoint.flat,
        "properties": [dataclasses.asdict(scale) for scale in checkpoint.properties],
        "versions": checkpoint.versions,
        "record": dict(checkpoint.record),
    }
    # One key: safetensors writes several in an order that changes from run to run.
    signed = json.dumps({"content": content, "sha256": _digest(content, tensors)}, sort_keys=True)
    content_bytes = to_bytes(tensors, {_METADATA: signed})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content_bytes)


def load(path: str | Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: A model file, or a run folder that holds one.
        device: Where the weights go.

    Raises:
        CheckpointError: When there is none, or it is damaged, foreign or too new.
    """
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    tensors, metadata = _read(path)
    if _METADATA not in metadata:
        raise CheckpointError(f"{path} is a safetensors file, but not a model of molvae.")
    content = _verified(path, metadata[_METADATA], tensors)
    if content["format"] > FORMAT:
        raise CheckpointError(
            f"{path} was written by molvae {content['versions']['molvae']}, which this "
            f"molvae {version('molvae')} can't read. Update molvae."
        )
    try:
        network = SequenceVAE(from_mapping(NetworkConfig, content["network"]))
        network.load_state_dict(
            {
                name.removeprefix(_NETWORK): tensor
                for name, tensor in tensors.items()
                if name.startswith(_NETWORK)
            }
        )
        properties = tuple(from_mapping(PropertyScale, one) for one in content["properties"])
    except (SettingsError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"{path} can't be used: {str(error).splitlines()[0]}") from None
    return Checkpoint(
        network=network.to(device).eval(),
        vocabulary=Vocabulary(content["vocabulary"]),
        constraints=content["constraints"],
        flat=content["flat"],
        properties=properties,
        known=KnownMolecules(tensors[_KNOWN].numpy().view(np.uint64).copy()),
        record=content["record"],
        versions=content["versions"],
    )


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except FileNotFoundError:
        raise CheckpointError(
            f"No model at {path}. Train one with `molvae train data.csv -o {path.parent}`."
        ) from None
    except OSError as error:
        raise CheckpointError(f"Can't read {path}: {(error.strerror or '').lower()}.") from None
    try:
        with safetensors.safe_open(path, framework="pt") as stream:
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118  (no mapping)
            return tensors, stream.metadata() or {}
    except (safetensors.SafetensorError, ValueError, OSError) as error:
        if start.startswith(_PICKLES):
            raise CheckpointError(
                f"{path} is a pickle, which could run any code and is never opened here. "
                f"A model of molvae is a file like {FILE_NAME}."
            ) from None
        raise CheckpointError(
            f"{path} is damaged or no model of molvae ({error}). Copy it anew."
        ) from None


def _verified(path: Path, signed: str, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    try:
        read = json.loads(signed)
        content: dict[str, Any] = read["content"]
        whole = read["sha256"] == _digest(content, tensors)
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise CheckpointError(
            f"{path} is damaged: its checksum doesn't fit its content. Copy it anew."
        )
    return content


def _digest(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
