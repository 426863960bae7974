"""What sets of molecules are compared with: built once, stored in one sealed file, reused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from molvae import display, sealed
from molvae.chem.identity import KnownMolecules
from molvae.errors import MeasureError, TableError
from molvae.metrics import guacamol
from molvae.metrics.chemnet import activations
from molvae.metrics.description import COMPARED, SHIFTING, describe, fingerprints_of
from molvae.metrics.distribution import Moments

FORMAT = 1
"""Raised when older programs can't read what is written."""

PARTS = {
    "molecules": 1,
    "fingerprints": 1,
    "properties": 1,
    "rings": 1,
    "fragments": 1,
    "scaffolds": 1,
    "chemnet": 1,
    "descriptors": 1,
}
"""What a reference holds, each with a number that is raised when its meaning changes."""

SAMPLED = 200_000
"""Training molecules whose fingerprints are kept."""

FLOOR = 30_000
"""Training molecules whose ChemNet features are kept, for the floor of the FCD."""

_REFERENCE = sealed.Kind(
    "reference", TableError, "Build one with `molvae reference test.csv -o {path}`."
)

Part = TypeVar("Part")


@dataclass(frozen=True)
class ReferenceSet:
    """Molecules that generated ones are compared with; a part that is None is missing.

    Attributes:
        smiles: Canonical SMILES, N of them.
        fingerprints: Packed, as `describe` gives them, (N, BITS / 8) uint8.
        properties: (N,) float64 for each of `COMPARED` and `SHIFTING`.
        ring_sizes: Rings of 3, 4, 5, 6, 7, 8 and more atoms in all molecules, (6,) int64.
        fragments: How often each BRICS fragment occurs.
        scaffolds: How often each Murcko scaffold occurs.
        moments: Of ChemNet's features.
    """

    smiles: list[str] | None
    fingerprints: np.ndarray | None
    properties: dict[str, np.ndarray] | None
    ring_sizes: np.ndarray | None
    fragments: Mapping[str, int] | None
    scaffolds: Mapping[str, int] | None
    moments: Moments | None

    @classmethod
    def of(
        cls,
        smiles: Sequence[str],
        *,
        moments: Moments | None = None,
        device: str | torch.device = "cpu",
        workers: int | None = None,
    ) -> ReferenceSet:
        """Describe canonical SMILES; given moments spare the run of ChemNet."""
        facts = describe(smiles, workers=workers)
        once = [1] * len(smiles)
        return cls(
            smiles=list(smiles),
            fingerprints=facts.fingerprints,
            properties=facts.properties,
            ring_sizes=facts.ring_sizes.sum(axis=0),
            fragments=facts.fragment_counts(once),
            scaffolds=facts.scaffold_counts(once),
            moments=moments
            or _features_if_possible(lambda: Moments.of(activations(smiles, device))),
        )

    @cached_property
    def known(self) -> KnownMolecules:
        """The molecules, to ask whether one is among them."""
        return KnownMolecules.of(have(self.smiles, "molecules"))


@dataclass(frozen=True)
class TrainingSet:
    """What is kept of the molecules that a generator was trained on.

    The sample is the beginning of one random order, which begins with the molecules that
    GuacaMol draws from the same set.

    Attributes:
        known: All of them.
        sample: Canonical SMILES of at most `SAMPLED` of them.
        fingerprints: Of the sample, packed.
        features: ChemNet's, of at most the first `FLOOR` of the sample, (n, 512) float16.
        baseline: At most the first `guacamol.SAMPLE` without stereo marks.
        descriptors: GuacaMol's, of the baseline.
    """

    known: KnownMolecules | None
    sample: list[str] | None
    fingerprints: np.ndarray | None
    features: np.ndarray | None
    baseline: list[str] | None
    descriptors: np.ndarray | None

    @classmethod
    def of(
        cls,
        smiles: Sequence[str],
        *,
        device: str | torch.device = "cpu",
        workers: int | None = None,
    ) -> TrainingSet:
        """Keep what the measures need of canonical SMILES."""
        # The generator that GuacaMol draws its sample with, seed included.
        order = np.random.RandomState(42).permutation(len(smiles))[:SAMPLED]
        sample = [smiles[place] for place in order]
        baseline = guacamol.flat_and_distinct(sample[: guacamol.SAMPLE], workers)
        return cls(
            known=KnownMolecules.of(smiles),
            sample=sample,
            fingerprints=fingerprints_of(sample, workers=workers),
            features=_features_if_possible(
                lambda: activations(sample[:FLOOR], device).astype(np.float16)
            ),
            baseline=baseline,
            descriptors=guacamol.descriptors(baseline, workers),
        )

    def moments(self, count: int, start: int = 0) -> Moments:
        """Of the ChemNet features of so many molecules of the sample.

        Raises:
            MeasureError: When so many aren't kept.
        """
        features = have(self.features, "chemnet")
        if start + count > len(features):
            raise MeasureError(f"features of {len(features):,} training molecules are kept")
        return Moments.of(features[start : start + count])


@dataclass(frozen=True)
class Reference:
    """All that generated molecules are compared with.

    Attributes:
        name: Of the benchmark, such as ``moses``; published values are looked up by it.
        test: Held-out molecules.
        scaffolds: Held-out molecules whose scaffolds aren't in the training set.
        train: The training molecules.
        versions: Of the packages that it was built with.
    """

    name: str
    test: ReferenceSet
    scaffolds: ReferenceSet | None = None
    train: TrainingSet | None = None
    versions: dict[str, str] = field(
        default_factory=lambda: {name: version(name) for name in ("molvae", "rdkit")}
    )


def have(part: Part | None, name: str) -> Part:
    """A part of a reference.

    Raises:
        MeasureError: When the reference doesn't have it, or as another version defined it.
    """
    if part is None:
        raise MeasureError(
            f"the reference has no {name!r} that this molvae can use: "
            "build it anew with `molvae reference`"
        )
    return part


def save(reference: Reference, path: Path) -> None:
    """Write a reference, atomically.

    Raises:
        OutputError: When the place can't be written to.
    """
    content = {
        "format": FORMAT,
        "name": reference.name,
        "versions": reference.versions,
        "parts": PARTS,
    }
    arrays = _set_arrays("test.", reference.test)
    if reference.scaffolds is not None:
        arrays |= _set_arrays("scaffolds.", reference.scaffolds)
    if reference.train is not None:
        arrays |= _train_arrays(reference.train)
    sealed.write(path, _REFERENCE, content, arrays)


def load(path: Path) -> Reference:
    """Read a reference. A part whose meaning another molvae changed is left out.

    Raises:
        TableError: When there is none, or it is damaged, foreign or too new.
    """
    content, arrays = sealed.read(path, _REFERENCE)
    try:
        return _from_parts(path, content, arrays)
    except (KeyError, ValueError, TypeError) as error:
        raise TableError(f"{path} is no whole reference ({error}). Build it anew.") from None


def _from_parts(
    path: Path, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> Reference:
    if content["format"] > FORMAT:
        raise TableError(
            f"{path} was written by molvae {content['versions']['molvae']}, which this "
            f"molvae {version('molvae')} can't read. Update molvae, or build it anew."
        )
    if "rdkit" not in content["versions"]:
        raise KeyError("rdkit")
    usable = {name for name, number in content["parts"].items() if PARTS.get(name) == number}
    names = {name.split(".", 1)[0] for name in arrays}
    return Reference(
        name=content["name"],
        test=_read_set("test.", arrays, usable),
        scaffolds=_read_set("scaffolds.", arrays, usable) if "scaffolds" in names else None,
        train=_read_train(arrays, usable) if "train" in names else None,
        versions=content["versions"],
    )


def _set_arrays(prefix: str, one: ReferenceSet) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray | None] = {
        "molecules": _packed(one.smiles),
        "fingerprints": one.fingerprints,
        "rings": one.ring_sizes,
    }
    for name, values in (one.properties or {}).items():
        arrays[f"properties.{name}"] = values
    for name, counts in (("fragments", one.fragments), ("scaffolds", one.scaffolds)):
        if counts is not None:
            arrays[f"{name}.names"] = _packed(list(counts))
            arrays[f"{name}.counts"] = np.array(list(counts.values()), dtype=np.int64)
    if one.moments is not None:
        arrays["chemnet.mean"] = one.moments.mean
        arrays["chemnet.covariance"] = one.moments.covariance
        arrays["chemnet.count"] = np.array([one.moments.count])
    return {prefix + name: array for name, array in arrays.items() if array is not None}


def _read_set(prefix: str, arrays: Mapping[str, np.ndarray], usable: set[str]) -> ReferenceSet:
    part = _reader(prefix, arrays, usable)
    kept = {name: part("properties", f".{name}") for name in (*COMPARED, *SHIFTING)}
    properties = {name: one for name, one in kept.items() if one is not None}
    mean, covariance = part("chemnet", ".mean"), part("chemnet", ".covariance")
    count = part("chemnet", ".count")
    return ReferenceSet(
        smiles=_lines(part("molecules")),
        fingerprints=part("fingerprints"),
        properties=properties if len(properties) == len(kept) else None,
        ring_sizes=part("rings"),
        fragments=_counts(part("fragments", ".names"), part("fragments", ".counts")),
        scaffolds=_counts(part("scaffolds", ".names"), part("scaffolds", ".counts")),
        moments=None
        if mean is None or covariance is None or count is None
        else Moments(mean.astype(np.float64), covariance, int(count[0])),
    )


def _train_arrays(one: TrainingSet) -> dict[str, np.ndarray]:
    arrays = {
        "molecules": None if one.known is None else one.known.hashes,
        "molecules.sample": _packed(one.sample),
        "fingerprints": one.fingerprints,
        "chemnet": one.features,
        "descriptors.molecules": _packed(one.baseline),
        "descriptors": one.descriptors,
    }
    return {"train." + name: array for name, array in arrays.items() if array is not None}


def _read_train(arrays: Mapping[str, np.ndarray], usable: set[str]) -> TrainingSet:
    part = _reader("train.", arrays, usable)
    hashes = part("molecules")
    return TrainingSet(
        known=None if hashes is None else KnownMolecules(hashes),
        sample=_lines(part("molecules", ".sample")),
        fingerprints=part("fingerprints"),
        features=part("chemnet"),
        baseline=_lines(part("descriptors", ".molecules")),
        descriptors=part("descriptors"),
    )


def _reader(
    prefix: str, arrays: Mapping[str, np.ndarray], usable: set[str]
) -> Callable[..., np.ndarray | None]:
    def part(name: str, suffix: str = "") -> np.ndarray | None:
        return arrays.get(prefix + name + suffix) if name in usable else None

    return part


def _packed(lines: Sequence[str] | None) -> np.ndarray | None:
    if lines is None:
        return None
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)


def _lines(packed: np.ndarray | None) -> list[str] | None:
    if packed is None:
        return None
    text = packed.tobytes().decode()
    return text.split("\n") if text else []


def _counts(names: np.ndarray | None, counts: np.ndarray | None) -> Mapping[str, int] | None:
    keys = _lines(names)
    if keys is None or counts is None:
        return None
    return Counter(dict(zip(keys, counts.tolist(), strict=True)))


def _features_if_possible(compute: Callable[[], Part]) -> Part | None:
    """What is computed, or None, with a note, when the molecules or the packages don't suffice."""
    try:
        return compute()
    except MeasureError as reason:
        display.note(f"The reference gets no features of ChemNet, so no FCD: {reason}.")
        return None
