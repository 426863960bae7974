"""Write the MOSES molecules that molvae uses, from the wheel of the `molsets` package.

    pip download molsets==0.3.1 --no-deps
    python scripts/make_moses_data.py molsets-0.3.1-py3-none-any.whl
    python scripts/make_moses_data.py molsets-0.3.1-py3-none-any.whl --full

The first writes data/moses_sample.csv.gz (100,000 molecules of the training set, 5,000 of the
test set, with properties). The second writes the complete sets, as SMILES alone, to data/full/,
which git ignores. Both give the same bytes each time.
"""

from __future__ import annotations

import argparse
import gzip
import io
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from molvae import files
from molvae.chem.molecules import canonical_many
from molvae.chem.properties import USUAL, compute_many
from molvae.parallel import ordered

WHEEL_SHA256 = "7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34"
DATA = Path(__file__).resolve().parent.parent / "data"
SETS = ("train", "test", "test_scaffolds")


def main() -> None:
    """Write the sample, or with --full the complete sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="molsets-0.3.1-py3-none-any.whl")
    parser.add_argument("--full", action="store_true", help="write the complete sets instead")
    parser.add_argument("--seed", type=int, default=0, help="which molecules the sample takes")
    arguments = parser.parse_args()
    if files.sha256(arguments.wheel) != WHEEL_SHA256:
        parser.error(f"{arguments.wheel} is not the wheel of molsets 0.3.1")
    sets = read_sets(arguments.wheel)
    if arguments.full:
        for name, smiles in sets.items():
            table = pd.DataFrame({"smiles": list(ordered(canonical_many, smiles))})
            write(table, DATA / "full" / f"moses_{name}.csv.gz")
    else:
        write(sample(sets, arguments.seed), DATA / "moses_sample.csv.gz")


def read_sets(wheel: Path) -> dict[str, list[str]]:
    """The SMILES of each set of the benchmark."""
    sets = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in SETS:
            packed = archive.read(f"moses/dataset/data/{name}.csv.gz")
            table = pd.read_csv(io.BytesIO(packed), compression="gzip")
            sets[name] = table["SMILES"].tolist()
    return sets


def sample(sets: dict[str, list[str]], seed: int) -> pd.DataFrame:
    """100,000 molecules of train and 5,000 of test, with a split column and properties."""
    generator = np.random.default_rng(seed)
    parts = []
    for name, count in (("train", 100_000), ("test", 5_000)):
        chosen = generator.choice(len(sets[name]), count, replace=False)
        smiles = list(ordered(canonical_many, [sets[name][row] for row in sorted(chosen)]))
        table = pd.DataFrame({"smiles": smiles, "split": name})
        parts.append(table.join(rounded_properties(smiles)))
    return pd.concat(parts, ignore_index=True)


def rounded_properties(smiles: list[str], names: tuple[str, ...] = USUAL) -> pd.DataFrame:
    """Properties of valid molecules, a column each, to four places."""
    return pd.DataFrame(ordered(partial(compute_many, names=names), smiles)).round(4)


def write(table: pd.DataFrame, target: Path) -> None:
    """Write a gzipped CSV whose bytes depend on the table alone."""
    content = table.to_csv(index=False, lineterminator="\n").encode()
    with files.atomic_path(target) as temporary:
        temporary.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
    print(f"{target}: {len(table):,} molecules, sha256 {files.sha256(target)}")


if __name__ == "__main__":
    main()
