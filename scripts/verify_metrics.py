"""Put `molvae evaluate` beside the original code of MOSES and GuacaMol, number by number.

    pip download molsets==0.3.1 --no-deps
    python scripts/make_moses_reference.py molsets-0.3.1-py3-none-any.whl
    python scripts/verify_metrics.py molsets-0.3.1-py3-none-any.whl

Installs the originals into an environment of their own (runs/originals), evaluates the same
molecules with both against the same references, and prints both columns, their relative difference
and both times. The molecules: training and test molecules of MOSES, odd ones made by exchanging
tokens of SELFIES, repeated ones, and rows that are no molecule. Use an idle machine.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

from make_moses_data import DATA, read_sets
from originals_environment import WORK, environment, moses_wheel

from molvae import benchmark, files
from molvae.chem.molecules import canonical_many
from molvae.chem.strings import decode, encode
from molvae.metrics.evaluation import Evaluation
from molvae.parallel import ordered

NAMES = {
    "KL/BertzCT": "KL/bertz_ct",
    "KL/MolLogP": "KL/logp",
    "KL/MolWt": "KL/mol_weight",
    "KL/TPSA": "KL/tpsa",
    "KL/NumHAcceptors": "KL/hba",
    "KL/NumHDonors": "KL/hbd",
    "KL/NumRotatableBonds": "KL/rotatable_bonds",
    "KL/NumAliphaticRings": "KL/aliphatic_rings",
    "KL/NumAromaticRings": "KL/aromatic_rings",
}
ALLOWED = {"FCD": 1e-4, "": 1e-6}


def main() -> None:
    """Compare, and exit with 1 when a number differs by more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=moses_wheel, help="molsets-0.3.1-py3-none-any.whl")
    parser.add_argument("--reference", type=Path, default=DATA / "full" / "moses.safetensors")
    parser.add_argument("--count", type=int, nargs="+", default=[10_000, 30_000])
    parser.add_argument("--only", choices=["moses", "guacamol"], help="one of the originals")
    arguments = parser.parse_args()
    python = environment(arguments.wheel)
    sets = read_sets(arguments.wheel)
    if not (WORK / "train.txt").exists():
        # Spelled as RDKit spells them today: MOSES compares novelty by spelling.
        train = ordered(canonical_many, sets["train"])
        files.write_text(WORK / "train.txt", "\n".join(train))
    agree = True
    for count in arguments.count:
        molecules = mixture(sets, count)
        ours, seconds = evaluated(molecules, arguments.reference)
        if arguments.only != "guacamol":
            theirs = original(python, "moses", molecules)
            agree &= compare(f"MOSES, {count:,} molecules", theirs, ours, seconds)
        # GuacaMol goes on drawing until it has 10,000 distinct molecules.
        if arguments.only != "moses" and count > 12_000:
            # It takes an empty row for a molecule without atoms, and counts it as one.
            theirs = original(python, "guacamol", [one for one in molecules if one])
            agree &= compare("GuacaMol, the first 10,000 molecules", theirs, ours, None)
    peak = max(resource.getrusage(who).ru_maxrss for who in (0, -1)) / 1e6
    print(f"\nPeak memory of one process, originals included: {peak:.2f} GB")
    print("All agree." if agree else "Some differ by more than they may.")
    sys.exit(not agree)


def mixture(sets: dict[str, list[str]], count: int) -> list[str]:
    """Molecules good and odd, repeated ones, and rows that hold none, in a random order."""
    generator = random.Random(0)
    train = generator.sample(sets["train"], count * 60 // 100)
    test = generator.sample(sets["test"], count * 5 // 100)
    odd = []
    for smiles in generator.sample(sets["test_scaffolds"], count * 30 // 100):
        tokens = encode(smiles).tokens
        tokens[generator.randrange(len(tokens))] = generator.choice(tokens)
        odd.append(decode(tokens).smiles)
    repeated = generator.sample(train, count * 4 // 100)
    broken = ["", "C(C", "c1ccc", "CN(C)(C)C", "no molecule"]
    rows = train + test + odd + repeated
    rows += generator.choices(broken, k=count - len(rows))
    generator.shuffle(rows)
    return rows


def evaluated(molecules: list[str], reference: Path) -> tuple[Evaluation, float]:
    """Our measures and the seconds they took, reading the reference included."""
    start = time.perf_counter()
    evaluation = benchmark.evaluate(molecules, reference)
    return evaluation, time.perf_counter() - start


def original(python: Path, which: str, molecules: list[str]) -> dict[str, float]:
    """What one of the originals finds."""
    files.write_text(WORK / "generated.txt", "\n".join(molecules))
    script = Path(__file__).with_name("originals.py")
    paths = [WORK / "generated.txt", WORK / "train.txt", WORK / f"{which}.json"]
    subprocess.run([str(python), str(script), which, *map(str, paths)], check=True, cwd=WORK)
    found: dict[str, float] = json.loads(paths[-1].read_text())
    return found


def compare(title: str, theirs: dict[str, float], ours: Evaluation, seconds: float | None) -> bool:
    """Print both columns; whether all differences are small enough."""
    print(f"\n{title}\n{'':<26}{'original':>16}{'molvae':>16}{'relative':>12}")
    agree = True
    for name, value in theirs.items():
        if name == "seconds" or name.endswith(" in floats"):
            continue
        right = theirs.get(f"{name} in floats", value)
        mine = ours[NAMES.get(name, name)]
        if mine is None:
            called = NAMES.get(name, name)
            (why,) = (one.note for one in ours.measures if one.name == called)
            # Of fewer than k molecules MOSES takes what there is, and warns.
            agree &= name.startswith("unique@")
            print(f"{name:<26}{value:>16.10f}{'-':>16}  {why}")
            continue
        difference = abs(mine - right) / abs(right) if right else abs(mine)
        small = difference <= ALLOWED["FCD" if "FCD" in name else ""]
        agree &= small
        note = "" if small else "  differs"
        if right != value and abs(value - right) > 1e-9 * abs(right):
            note += f"  the original overflows 64-bit integers: in floats it gives {right:.10f}"
        print(f"{name:<26}{value:>16.10f}{mine:>16.10f}{difference:>12.1e}{note}")
    print(f"{'seconds':<26}{theirs['seconds']:>16.1f}", end="")
    if seconds is not None:
        print(f"{seconds:>16.1f}{theirs['seconds'] / seconds:>11.1f}x", end="")
    print()
    return agree


if __name__ == "__main__":
    main()
