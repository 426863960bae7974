"""How fast whole files are encoded, decoded and generated, beside what chemistry alone takes.

    python scripts/bench_throughput.py runs/moses

Times whole commands, from the start of the process to the last byte of the file: `molvae encode` of
held-out molecules of MOSES to latents, `molvae decode` of those latents and `molvae generate` to
CSVs of canonical molecules, each in one process and on all cores. Beside them stands the least that
anyone who has SELFIES strings must do: `selfies.decoder` and RDKit's canonical SMILES, alone in one
process, on the strings of the very molecules that the command wrote (or read). The ratio is of
molecules a second. What a command takes to start is told first, since it counts in all of them.
Use an idle machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import selfies
from make_moses_data import DATA

from molvae.chem.molecules import canonical
from molvae.chem.strings import encode_many
from molvae.parallel import available_cores, ordered

TEST = DATA / "full" / "moses_test.csv.gz"
BARE = 5_000
"""Strings that chemistry alone is timed on."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=TEST, help="A table of molecules.")
    parser.add_argument("--molecules", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        given, latents = Path(place, "given.csv"), Path(place, "latents.npy")
        molecules = pd.read_csv(asked.data)["smiles"]
        molecules.sample(asked.molecules, random_state=asked.seed).to_csv(given, index=False)
        print(f"starting, and telling the version: {seconds(['--version'], 1):.1f} s")
        print(f"{'':10} {'cores':>5} {'seconds':>8} {'a second':>9} {'alone':>7} {'ratio':>6}")
        count = ["-n", str(asked.molecules), "--seed", str(asked.seed)]
        for verb, what, output, wrote in (
            ("encode", [given], latents, given),
            ("decode", [latents], Path(place, "decoded.csv"), None),
            ("generate", count, Path(place, "generated.csv"), None),
        ):
            for cores in dict.fromkeys((1, available_cores())):
                command = [verb, "-m", asked.model, *what, "-o", output, "--workers", cores]
                show(verb, cores, seconds(command, cores), wrote or output)


def show(verb: str, cores: int, taken: float, table: Path) -> None:
    """Print what a command took for the molecules of a table."""
    smiles = pd.read_csv(table)["smiles"]
    alone, speed = chemistry(smiles.dropna()), len(smiles) / taken
    print(
        f"{verb:10} {cores:5} {taken:8.1f} {speed:9,.0f} {alone:7,.0f} {speed / alone:6.2f}",
        flush=True,
    )


def seconds(command: list[object], cores: int) -> float:
    """What a command takes, whole, when torch has so many threads."""
    threads = {**os.environ, "OMP_NUM_THREADS": str(cores)}
    start = time.perf_counter()
    words = [sys.executable, "-m", "molvae", *map(str, command)]
    done = subprocess.run(words, env=threads, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - start


def chemistry(smiles: pd.Series) -> float:
    """Molecules a second of `selfies.decoder` and canonical SMILES, for the strings of some."""
    some = smiles.sample(min(BARE, len(smiles)), random_state=0).tolist()
    strings = [one.selfies for one in ordered(encode_many, some) if one.selfies]
    start = time.perf_counter()
    for one in strings:
        canonical(selfies.decoder(one))
    return len(strings) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
