"""Kill a training run at random moments, go on each time, and compare with the run never killed.

    python scripts/kill_check.py --kills 20

kill -9 falls at random moments, and every other time as soon as a state point is seen being
written: with ``state_every=1`` every step writes one. The final models are compared byte for byte.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STATE = "state.safetensors"
DATA = Path(__file__).resolve().parent.parent / "data" / "moses_sample.csv.gz"


def main() -> None:
    """Run the check; exits with 1 when the models differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2000, help="molecules to train on")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--longest", type=float, default=1.0, help="seconds from start to kill")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        data = folder / "data.csv"
        rows = subprocess.run(["gzip", "-dc", str(DATA)], capture_output=True, check=True).stdout
        data.write_bytes(b"\n".join(rows.split(b"\n")[: arguments.rows + 1]) + b"\n")
        options = ["--size", "small", "--steps", str(arguments.steps), "--split-column", "split"]
        options += ["--precision", arguments.precision, "--no-report", "-q"]
        options += ["--set", "state_every=1", "--set", "state_seconds=0"]
        begin = [sys.executable, "-m", "molvae", "train", str(data), *options, "-o"]
        subprocess.run([*begin, str(folder / "whole")], check=True)
        killed = folder / "killed"
        resume = [sys.executable, "-m", "molvae", "train", "--resume", str(killed), "-q"]
        kills = writes = 0
        command = [*begin, str(killed)]
        while kills < arguments.kills:
            run = subprocess.Popen(command)
            wait_for_progress(killed / STATE, run)
            time.sleep(generator.uniform(0, arguments.longest))
            if kills % 2:
                wait_for_write(killed, run)
            run.kill()
            if run.wait() == 0:
                break  # it was faster
            kills += 1
            left = list(killed.glob(f".*.{STATE}"))
            writes += bool(left)
            for one in left:
                one.unlink()
            command = resume
        if (killed / STATE).exists():
            subprocess.run(resume, check=True)
        same = (killed / "model.safetensors").read_bytes() == (
            folder / "whole" / "model.safetensors"
        ).read_bytes()
    print(f"{kills} kills, {writes} of them inside the write of a state point")
    print("The models are the same, byte for byte." if same else "The models differ.")
    sys.exit(not same)


def wait_for_progress(state: Path, run: subprocess.Popen[bytes]) -> None:
    """Wait until a run has written a state point, or has ended."""
    before = state.stat().st_mtime_ns if state.exists() else 0
    while run.poll() is None:
        if state.exists() and state.stat().st_mtime_ns != before:
            return
        time.sleep(0.001)


def wait_for_write(folder: Path, run: subprocess.Popen[bytes]) -> None:
    """Wait until a state point is being written, or a run has ended."""
    while run.poll() is None:
        if any(folder.glob(f".*.{STATE}")):
            return


if __name__ == "__main__":
    main()
