"""The one file format of a model: weights and JSON in a single safetensors file.

What `Checkpoint` describes, sealed by `molvae.sealed`: nothing in it is ever executed.
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
import torch
from torch import Tensor, nn

from molvae import sealed, shipped
from molvae.chem.identity import KnownMolecules
from molvae.chem.molecules import LONGEST_SMILES
from molvae.chem.standard import DEFAULT_STANDARD, Standard
from molvae.chem.strings import Constraints
from molvae.corpus.vocabulary import Vocabulary
from molvae.errors import CheckpointError, SettingsError
from molvae.network.config import NetworkConfig
from molvae.network.priors import Prior, StandardNormal, prior_of
from molvae.network.vae import SequenceVAE
from molvae.settings import from_mapping

FILE_NAME = "model.safetensors"
"""The name of a model in a run folder."""

FORMAT = 4
"""Raised when older programs can't read what is written; `_MIGRATIONS` reads what they wrote."""

_NETWORK, _PRIOR = "network.", "prior."
_BELOW, _UPPER = "training_set.below", "training_set.upper"
_TYPICAL = "typical."

COMPACT_BITS = 34
"""Of the hashes of a compact model: one in 11,000 molecules is taken for one of 1.6 million."""

_MODEL = sealed.Kind(
    "model",
    CheckpointError,
    "Train one with `molvae train data.csv -o {folder}`, or name one that ships: "
    f"{', '.join(shipped.NAMES)}.",
)


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
class Typical:
    """What tells whether a molecule is like those of the training set.

    Attributes:
        landmarks: Posterior means of training molecules, (M, D) float16.
        scores: The outlier scores of held-out molecules, ascending, (H,) float32; none where no
            molecule was held out.
        expected: Of these molecules, the surprise that is expected of a string: at no token, and
            for each one more, in nats, (2,) float64.
    """

    landmarks: np.ndarray
    scores: np.ndarray
    expected: np.ndarray


@dataclass(frozen=True)
class Checkpoint:
    """All that a model is.

    Attributes:
        network: The weights, fp32.
        prior: Of its latents.
        vocabulary: What the token ids mean.
        constraints: What selfies may bond.
        standard: How all molecules are standardised, in training and later.
        properties: What the heads predict, in their order.
        known: The training molecules, to tell what is novel.
        typical: What molecules are compared with to tell outliers, where training has ended.
        record: How it was trained and what was measured on held-out molecules; JSON values.
        versions: Of the packages that it was trained with.
    """

    network: SequenceVAE
    prior: Prior
    vocabulary: Vocabulary
    constraints: Constraints
    standard: Standard = DEFAULT_STANDARD
    properties: tuple[PropertyScale, ...] = ()
    known: KnownMolecules = field(default_factory=KnownMolecules)
    typical: Typical | None = None
    record: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=_present_versions)


def standard_before(flat: bool) -> Standard:
    """How molecules were treated when there was one switch, no limit on atoms, and salts stayed."""
    standard = Standard(salts="keep", max_heavy_atoms=LONGEST_SMILES)
    return standard.flattened() if flat else standard


_Read = tuple[dict[str, Any], dict[str, np.ndarray]]


def _standard_in_place_of_flat(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> _Read:
    """Format 1 to 2."""
    content = dict(content)
    standard = dataclasses.asdict(standard_before(content.pop("flat")))
    return {**content, "standard": standard}, arrays


def _normal_prior(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> _Read:
    """Format 2 to 3."""
    latent_dim = content["network"]["latent_dim"]
    prior = {"name": StandardNormal.name, "shape": {"latent_dim": latent_dim}}
    return {**content, "prior": prior}, arrays


def _coded_hashes(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> _Read:
    """Format 3 to 4."""
    arrays = dict(arrays)
    known = KnownMolecules(arrays.pop("training_set.hashes").view(np.uint64))
    return {**content, "known_bits": known.bits}, arrays | _coded(known)


_MIGRATIONS = {1: _standard_in_place_of_flat, 2: _normal_prior, 3: _coded_hashes}
"""By the format that they read; each gives the next one."""


def save(checkpoint: Checkpoint, path: Path, *, compact: bool = False) -> None:
    """Write a checkpoint, atomically; the same model gives the same bytes.

    Args:
        checkpoint: The model.
        path: The file.
        compact: Write weights in half precision, and `COMPACT_BITS` of the hashes.

    Raises:
        OutputError: When the place can't be written to.
    """
    network, prior, known = checkpoint.network, checkpoint.prior, checkpoint.known
    arrays = {**_arrays(_NETWORK, network), **_arrays(_PRIOR, prior)}
    if compact:
        arrays = {
            name: one.astype(np.float16) if np.issubdtype(one.dtype, np.floating) else one
            for name, one in arrays.items()
            if one.dtype != bool  # the masks of a flow follow from its shape
        }
        known = known.coarse(COMPACT_BITS)
    arrays |= _coded(known)
    if checkpoint.typical is not None:
        arrays |= {_TYPICAL + name: one for name, one in vars(checkpoint.typical).items()}
    content = {
        "format": FORMAT,
        "network": dataclasses.asdict(network.config),
        "prior": {"name": prior.name, "shape": prior.shape()},
        "vocabulary": list(checkpoint.vocabulary.symbols),
        "constraints": dict(checkpoint.constraints),
        "standard": dataclasses.asdict(checkpoint.standard),
        "properties": [dataclasses.asdict(scale) for scale in checkpoint.properties],
        "known_bits": known.bits,
        "versions": checkpoint.versions,
        "record": dict(checkpoint.record),
    }
    sealed.write(path, _MODEL, content, arrays)


def fingerprint(checkpoint: Checkpoint) -> str:
    """64 hexadecimal digits for all that decides what a model reads and writes.

    Two models have the same only when each has the weights, the prior, the symbols, the
    constraints, the standard and the heads of the other.
    """
    told = [
        checkpoint.vocabulary.symbols,
        sorted(checkpoint.constraints.items()),
        dataclasses.asdict(checkpoint.standard),
        [dataclasses.asdict(scale) for scale in checkpoint.properties],
        checkpoint.prior.name,
    ]
    digest = hashlib.sha256(json.dumps(told).encode())
    for arrays in (_arrays(_NETWORK, checkpoint.network), _arrays(_PRIOR, checkpoint.prior)):
        for name, array in arrays.items():
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def file_of(path: str | Path) -> Path:
    """The file of a model: it, that in the run folder, or else the one of that name."""
    place = Path(path)
    inside = place / FILE_NAME
    if str(path) in shipped.NAMES and not (place.is_file() or inside.exists()):
        return shipped.file_of(str(path))
    return inside if place.is_dir() else place


def load(path: str | Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: A model file, a run folder that holds one, or a name in `molvae.shipped`.
        device: Where the weights go.

    Raises:
        CheckpointError: When there is none, or it is damaged, foreign or too new.
    """
    path = file_of(path)
    content, arrays = sealed.read(path, _MODEL)
    try:
        if content["format"] > FORMAT:
            raise CheckpointError(
                f"{path} was written by molvae {content['versions']['molvae']}, which this "
                f"molvae {version('molvae')} can't read. Update molvae."
            )
        for number in range(content["format"], FORMAT):
            content, arrays = _MIGRATIONS[number](content, arrays)
        return _built(content, arrays, device)
    except _UNFIT as error:
        told = next(iter(str(error).splitlines()), "")
        raise CheckpointError(f"{path} can't be used: {told}") from None


_UNFIT = (SettingsError, RuntimeError, LookupError, ValueError, TypeError, AttributeError)
"""What a file raises whose checksum is right, but which no version of molvae can have written."""


def _built(
    content: Mapping[str, Any], arrays: Mapping[str, np.ndarray], device: str | torch.device
) -> Checkpoint:
    """The checkpoint of a file in the present format."""
    network = SequenceVAE(from_mapping(NetworkConfig, content["network"]))
    network.load_state_dict(_tensors(_NETWORK, arrays))
    prior = prior_of(content["prior"]["name"], content["prior"]["shape"])
    masks = {name: one for name, one in prior.state_dict().items() if one.dtype == torch.bool}
    prior.load_state_dict(masks | _tensors(_PRIOR, arrays))
    return Checkpoint(
        network=network.to(device).eval(),
        prior=prior.to(device).eval(),
        vocabulary=Vocabulary(content["vocabulary"]),
        constraints=dict(content["constraints"]),
        standard=from_mapping(Standard, content["standard"]),
        properties=tuple(from_mapping(PropertyScale, one) for one in content["properties"]),
        known=KnownMolecules.decoded(arrays[_BELOW], arrays[_UPPER], content["known_bits"]),
        typical=_typical(arrays),
        record=dict(content["record"]),
        versions=dict(content["versions"]),
    )


def _typical(arrays: Mapping[str, np.ndarray]) -> Typical | None:
    """What outliers are told by, where a model has it."""
    if not any(name.startswith(_TYPICAL) for name in arrays):
        return None
    return Typical(*(arrays[_TYPICAL + one.name] for one in dataclasses.fields(Typical)))


def _coded(known: KnownMolecules) -> dict[str, np.ndarray]:
    return dict(zip((_BELOW, _UPPER), known.coded(), strict=True))


def _arrays(prefix: str, module: nn.Module) -> dict[str, np.ndarray]:
    return {prefix + name: one.cpu().numpy() for name, one in module.state_dict().items()}


def _tensors(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(array)
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
