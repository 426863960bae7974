"""Kill a training run at random moments, go on each time, and compare with the run never killed.

    python scripts/kill_check.py --kills 20

kill -9 falls at random moments, some of them while a state point is being written: with
``state_every=1`` every step writes one. The final models are compared byte for byte.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data" / "moses_sample.csv.gz"


def main() -> None:
    """Run the check; exits with 1 when the models differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2000, help="molecules to train on")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        data = folder / "data.csv"
        rows = subprocess.run(["gzip", "-dc", str(DATA)], capture_output=True, check=True).stdout
        data.write_bytes(b"\n".join(rows.split(b"\n")[: arguments.rows + 1]) + b"\n")
        options = ["--size", "small", "--steps", str(arguments.steps), "--split-column", "split"]
        options += ["--precision", arguments.precision, "-q"]
        options += ["--set", "state_every=1", "--set", "state_seconds=0"]
        begin = [sys.executable, "-m", "molvae", "train", str(data), *options, "-o"]
        start = time.monotonic()
        subprocess.run([*begin, str(folder / "whole")], check=True)
        whole_seconds = time.monotonic() - start
        killed = folder / "killed"
        resume = [sys.executable, "-m", "molvae", "train", "--resume", str(killed), "-q"]
        kills = writes = 0
        command = [*begin, str(killed)]
        while kills < arguments.kills:
            run = subprocess.Popen(command)
            try:
                run.wait(timeout=generator.uniform(0.3, 1.0) * whole_seconds / 2)
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()
                kills += 1
                left = list(killed.glob(".*.state.safetensors"))
                writes += bool(left)
                for one in left:
                    one.unlink()
            else:
                if run.returncode != 0:
                    sys.exit(f"The run ended by itself with {run.returncode}.")
                break
            command = resume if (killed / "call.json").exists() else command
        ended = kills < arguments.kills
        if not ended:
            subprocess.run(resume, check=True)
        same = (killed / "model.safetensors").read_bytes() == (
            folder / "whole" / "model.safetensors"
        ).read_bytes()
    print(f"{kills} kills, {writes} of them inside the write of a state point")
    print("The models are the same, byte for byte." if same else "The models differ.")
    sys.exit(not same)


if __name__ == "__main__":
    main()
