"""Write what molecules are compared with on MOSES, from the wheel of the `molsets` package.

    pip download molsets==0.3.1 --no-deps
    python scripts/make_moses_reference.py molsets-0.3.1-py3-none-any.whl

Writes data/full/moses.safetensors (about 160 MB, ten minutes on two cores), which git ignores:
test set, scaffold test set and training set. The statistics of the test sets that the wheel ships
are used as they are, so that `molvae evaluate` compares with what the published values were
compared with; how far they are from what RDKit finds today is printed. They are pickled: this
script reads them from a wheel with the right checksum, and the package never does.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from make_moses_data import DATA, WHEEL_SHA256, read_sets

from molvae import files
from molvae.chem.molecules import canonical_many
from molvae.metrics.distribution import Moments, cosine_similarity
from molvae.metrics.reference import Reference, ReferenceSet, TrainingSet, save
from molvae.parallel import ordered

PROPERTIES = {"logp": "logP", "sa_score": "SA", "qed": "QED", "mol_weight": "weight"}


def main() -> None:
    """Write the reference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="molsets-0.3.1-py3-none-any.whl")
    parser.add_argument("-o", "--output", type=Path, default=DATA / "full" / "moses.safetensors")
    arguments = parser.parse_args()
    if files.sha256(arguments.wheel) != WHEEL_SHA256:
        parser.error(f"{arguments.wheel} is not the wheel of molsets 0.3.1")
    smiles = {
        name: list(ordered(canonical_many, one)) for name, one in read_sets(arguments.wheel).items()
    }
    reference = Reference(
        name="moses",
        test=test_set(arguments.wheel, "test", smiles["test"]),
        scaffolds=test_set(arguments.wheel, "test_scaffolds", smiles["test_scaffolds"]),
        train=TrainingSet.of(smiles["train"]),
    )
    shipped_by = {"statistics of the test sets": "molsets 0.3.1"}
    reference = replace(reference, versions={**reference.versions, **shipped_by})
    save(reference, arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.0f} MB")


def test_set(wheel: Path, name: str, smiles: list[str]) -> ReferenceSet:
    """A set described by RDKit, with the statistics that the wheel ships in place of its own."""
    shipped = shipped_statistics(wheel, name)
    moments = Moments(shipped["FCD"]["mu"].astype(np.float64), shipped["FCD"]["sigma"], len(smiles))
    found = ReferenceSet.of(smiles, moments=moments)
    assert found.properties is not None
    assert found.fingerprints is not None
    fingerprints = np.packbits(shipped["SNN"]["fps"], axis=1)
    values = {ours: np.array(shipped[theirs]["values"]) for ours, theirs in PROPERTIES.items()}
    changed = int((fingerprints != found.fingerprints).any(axis=1).sum())
    print(f"{name}: {len(smiles):,} molecules; RDKit today against the shipped statistics:")
    print(f"  fingerprints that differ  {changed:,}")
    for ours, shipped_values in values.items():
        gap = np.abs(found.properties[ours] - shipped_values).max()
        print(f"  largest gap of {ours:<11}{gap:.1e}")
    for part in ("fragments", "scaffolds"):
        counts = shipped[part[:4].title()][part[:4]]
        similarity = cosine_similarity(counts, getattr(found, part) or {})
        print(f"  1 - cosine of {part:<12}{1 - similarity:.1e}")
    return replace(
        found,
        fingerprints=fingerprints,
        properties={**found.properties, **values},
        fragments=shipped["Frag"]["frag"],
        scaffolds=shipped["Scaf"]["scaf"],
    )


def shipped_statistics(wheel: Path, name: str) -> dict[str, Any]:
    """The statistics of a test set in the wheel. The caller has checked its checksum."""
    with zipfile.ZipFile(wheel) as archive:
        packed = io.BytesIO(archive.read(f"moses/dataset/data/{name}_stats.npz"))
    statistics: dict[str, Any] = np.load(packed, allow_pickle=True)["stats"].item()
    return statistics


if __name__ == "__main__":
    main()
