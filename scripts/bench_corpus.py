"""How fast and in how much memory a table becomes a corpus, and how soon a second start trains.

    pip download molsets==0.3.1 --no-deps
    python scripts/make_moses_data.py molsets-0.3.1-py3-none-any.whl --full
    python scripts/bench_corpus.py speed
    python scripts/bench_corpus.py memory --workers 1

`speed` encodes the MOSES training set: it is read, standardised, written as canonical SMILES and as
SELFIES, each string is decoded and compared, and all of it is kept on disk. Beside it stands a
bare loop of `selfies.encoder` in one process over 20,000 of the same molecules, taken before and
after; the ratio is of molecules a second. Then a second start is timed: the command `molvae train`
for one step, from the start of the process until it trains, and to its end. Use an idle machine.

`memory` does the same with 0.1, 1 and 10 million distinct molecules: windows of 9 SELFIES symbols
of the training set that begin with an atom that can bond, with a chain of so many atoms in front as
make them new. They are small, which only saves time; some more rows are written than molecules
are asked for, since some are rejected. Told is the most memory of the
main process and of all processes together, and by how much the first grows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import chain, islice
from pathlib import Path

import pandas as pd
import selfies

from molvae import files
from molvae.chem.molecules import canonical_many, parse
from molvae.corpus.cache import VARIABLE
from molvae.parallel import available_cores, ordered

DATA = Path(__file__).resolve().parent.parent / "data"
TRAIN = DATA / "full" / "moses_train.csv.gz"
BARE = 20_000
SIZES = (100_000, 1_000_000, 10_000_000)
HEADS = ("C", "O", "N", "F", "Cl", "Br", "S", "C#C", "C=C", "N#C", "O=C", "OS", "C1CC1", "C1CCC1")
LINKS = (
    "C",
    "CC",
    "O",
    "N",
    "CO",
    "CN",
    "CS",
    "CCC",
    "COC",
    "CNC",
    "CCO",
    "CCN",
    "C=C",
    "C#C",
    "OC",
    "NC",
    "SC",
    "SCC",
)
CHAINS = tuple(
    dict.fromkeys(
        (
            "",
            *HEADS,
            *(head + one + other for other in ("", *LINKS) for one in LINKS for head in HEADS),
        )
    )
)
"""What is put in front of a molecule's SMILES: a chain that is bound to its first atom."""
WINDOW, STRIDE = 9, 2
"""Symbols of a small molecule, and from the beginning of one to that of the next."""
MORE = 1.03
"""Rows that are written for a molecule that is asked for."""
COUNTED = ("kept", "merged", "rejected")
"""What may become of a row."""
CUT = 400_000
"""Molecules of the training set that are cut into small ones."""

PREPARE = """
import json, sys, time
from pathlib import Path
from molvae.corpus.corpus import prepare
start = time.monotonic()
prepared = prepare(sys.argv[1], workers=int(sys.argv[2]) or None)
status = Path("/proc/self/status").read_text()  # getrusage would tell of this script's memory too
told = {"seconds": time.monotonic() - start, "kept": prepared.account.kept,
        "rejected": sum(prepared.account.rejected.values()), "merged": prepared.account.merged,
        "peak": 1024 * int(status.partition("VmHWM:")[2].split()[0])}
print(json.dumps(told))
"""


def main() -> None:
    """Measure one of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "memory"))
    parser.add_argument("--rows", type=int, help="of the training set, in place of all")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--workers", type=int, default=0, help="0 for one a core")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if arguments.what == "speed":
            speed(arguments.rows, arguments.workers, Path(place))
        else:
            memory(arguments.sizes, arguments.workers, Path(place))


def speed(rows: int | None, workers: int, place: Path) -> None:
    """Print molecules a second, beside `selfies.encoder` alone, and the time of a second start."""
    table = TRAIN
    if rows is not None:
        table = place / "some.csv"
        pd.read_csv(TRAIN, nrows=rows).to_csv(table, index=False)
    sample = pd.read_csv(table)["smiles"].sample(BARE, random_state=0).tolist()
    before = bare(sample)
    told = prepared(table, workers, place)
    after = bare(sample)
    encoder, whole = (before + after) / 2, told["kept"] / told["seconds"]
    print(f"{available_cores()} cores, {told['kept']:,} molecules in {told['seconds']:.0f} s")
    print(f"  selfies.encoder alone, one process   {encoder:8,.0f}/s ({before:,.0f}, {after:,.0f})")
    print(f"  the whole path                       {whole:8,.0f}/s")
    print(f"  ratio                                {whole / encoder:8.2f}")
    again = prepared(table, workers, place)
    print(f"  the same table again                 {again['seconds']:8.1f} s")
    begun, whole = second_start(table, place)
    print(f"  a second start, until it trains      {begun:8.1f} s, one step and all {whole:.0f} s")


def second_start(table: Path, place: Path) -> tuple[float, float]:
    """Seconds until `molvae train` says that it trains, and until it has trained one step."""
    command = [
        *(sys.executable, "-m", "molvae", "train", str(table), "-o", str(place / "run")),
        *("--steps", "1", "--size", "small", "--no-report"),
    ]
    pipe, start = subprocess.PIPE, time.monotonic()
    process = subprocess.Popen(command, stderr=pipe, text=True, env=environment(place))
    assert process.stderr is not None
    timed = ((time.monotonic() - start, line) for line in process.stderr)
    begun = [seconds for seconds, line in timed if line.startswith("Training ")]
    if process.wait():
        raise SystemExit("molvae train failed.")
    return begun[0], time.monotonic() - start


def bare(smiles: list[str]) -> float:
    """Molecules a second of `selfies.encoder` alone."""
    start = time.perf_counter()
    for one in smiles:
        selfies.encoder(one)
    return len(smiles) / (time.perf_counter() - start)


def memory(sizes: list[int], workers: int, place: Path) -> None:
    """Print the most memory that tables of several sizes take."""
    peaks = []
    print(f"{'rows':>12} {'kept':>12} {'merged':>9} {'rejected':>9} {'seconds':>8} "
          f"{'main process':>13} {'all processes':>14}")  # fmt: skip
    small = pieces()
    for size in sizes:
        table = place / "many.csv"
        write(table, round(MORE * size), small)
        told = prepared(table, workers, place)
        peaks.append(told["peak"])
        print(
            f"{sum(told[name] for name in COUNTED):12,} "
            f"{told['kept']:12,} {told['merged']:9,} {told['rejected']:9,} "
            f"{told['seconds']:8.0f} {told['peak'] / 2**20:10.0f} MB "
            f"{told['all'] / 2**20:11.0f} MB",
            flush=True,
        )
    print(f"the main process grew by {(peaks[-1] - peaks[0]) / 2**20:.0f} MB")


def write(table: Path, size: int, small: list[str]) -> None:
    """Write a table of so many molecules, nearly all of them distinct."""
    every = (front + one for front in CHAINS for one in small)
    with files.atomic_path(table) as temporary, temporary.open("w") as stream:
        stream.write("smiles\n")
        stream.writelines(f"{one}\n" for one in islice(every, size))


def pieces() -> list[str]:
    """Small molecules, cut out of those of the training set, that differ when a chain is added."""
    smiles = pd.read_csv(TRAIN, nrows=CUT)["smiles"].tolist()
    small = list(dict.fromkeys(chain.from_iterable(ordered(cut, smiles))))
    bound = dict(zip(ordered(with_bond, small), small, strict=True))
    return [one for name, one in bound.items() if name]


def cut(smiles: list[str]) -> list[list[str]]:
    """The small molecules in each of a chunk of molecules."""
    found = []
    for one in smiles:
        symbols = list(selfies.split_selfies(selfies.encoder(one)))
        starts = range(0, len(symbols) - WINDOW + 1, STRIDE)
        found.append([selfies.decoder("".join(symbols[at : at + WINDOW])) for at in starts])
    return found


def with_bond(smiles: list[str]) -> list[str]:
    """Each of a chunk of molecules with a dummy atom in front, in its canonical spelling.

    Empty where the first atom can't bond, or is in no ring: there a chain would go on in a chain,
    and the same molecule would come about in several ways.
    """
    rings = [one if parse(one).GetAtomWithIdx(0).IsInRing() else "" for one in smiles]
    return canonical_many([one and f"*{one}" for one in rings])


def prepared(table: Path, workers: int, place: Path) -> dict[str, float]:
    """Prepare a table in a process of its own; what it tells, and the most memory of all."""
    command = [sys.executable, "-c", PREPARE, str(table), str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(place))
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(map(resident, family(process.pid))))
        time.sleep(0.5)
    told: dict[str, float] = json.loads(process.communicate()[0])
    return {**told, "all": peak}


def environment(place: Path) -> dict[str, str]:
    """That of this process, with a cache of its own."""
    return {**os.environ, VARIABLE: str(place / "cache")}


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def resident(pid: int) -> int:
    """Bytes that a process has in memory; what it shares with others counts in each."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


if __name__ == "__main__":
    main()
