"""Check on a machine with a GPU all that only a GPU can show, in about five minutes.

    python scripts/gpu_check.py
    python scripts/gpu_check.py --device cpu     # the same checks where there is none

Each check prints what it found; the script exits with 1 when one has failed. The last one
prints molecules per second, which are there to be read.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import molvae
from molvae.corpus.batches import Batches
from molvae.corpus.corpus import Corpus, prepare
from molvae.corpus.splits import TRAIN, VALID
from molvae.corpus.table import as_table
from molvae.model import MolVAE, choose_device
from molvae.network.config import sized
from molvae.network.vae import SequenceVAE
from molvae.training.config import TrainingConfig
from molvae.training.loop import fit
from molvae.training.progress import Outcome, Progress, Watch
from molvae.training.state import State

ROOT = Path(__file__).resolve().parent.parent
ROWS = 3000


def main() -> None:
    """Run the checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    if device.type == "cuda":
        print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}")
    bench = Bench(device)
    failed = 0
    for check in CHECKS:
        start = time.monotonic()
        try:
            found, verdict = check(bench), "passed"
        except Exception as error:  # noqa: BLE001  (whatever it is, the other checks go on)
            found, verdict = f"{type(error).__name__}: {error}", "FAILED"
            failed += 1
        seconds = time.monotonic() - start
        print(f"{verdict}  {seconds:5.1f} s  {check.__doc__}\n        {found}", flush=True)
    sys.exit(f"{failed} of {len(CHECKS)} checks failed." if failed else 0)


class Bench:
    """Molecules, and networks trained on them, on the CPU and on the device.

    Args:
        device: What is checked.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.table = pd.read_csv(ROOT / "data" / "moses_sample.csv.gz").head(ROWS)
        self.corpus: Corpus = prepare(as_table(self.table), property_names=("logp",)).corpus

    def batches(self, split: int, size: int = 128) -> Batches:
        """Batches of the training or the held-out molecules."""
        return Batches(self.corpus, self.corpus.rows(split), size)

    def network(self, device: torch.device, size: str = "small", **shape: Any) -> SequenceVAE:
        """A network that hasn't learned yet, always the same."""
        torch.manual_seed(0)
        longest = int(self.corpus.lengths(self.corpus.rows()).max())
        symbols = len(self.corpus.vocabulary)
        config = sized(size, vocabulary_size=symbols, max_tokens=longest, properties=1, **shape)
        return SequenceVAE(config).to(device)

    def train(
        self,
        network: SequenceVAE,
        watch: Watch | None = None,
        state: State | None = None,
        **settings: Any,
    ) -> Outcome:
        """Train a network on the molecules."""
        config = TrainingConfig(**{"precision": "fp32", "state_seconds": 0.0, **settings})
        held_out = self.batches(VALID)
        size = config.batch_size or 128
        return fit(network, self.batches(TRAIN, size), held_out, config, watch, state)

    def losses(self, device: torch.device, **settings: Any) -> np.ndarray:
        """Distortion, rate and held-out loss at each look of a training, (looks, 3)."""
        looks: list[Progress] = []
        self.train(self.network(device), Watch(on_look=looks.append), **settings)
        return np.array([(one.distortion, one.rate, one.held_out_loss) for one in looks])


def the_tests(bench: Bench) -> str:
    """The tests that run on every kind of device."""
    command = [sys.executable, "-m", "pytest", "tests", "-k", bench.device.type, "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    last = (done.stdout.strip().splitlines() or ["nothing"])[-1]
    require(done.returncode == 0, done.stdout[-2000:])
    return last


def the_curves_agree(bench: Bench) -> str:
    """Fifty steps in fp32 show the losses of the CPU."""
    ours = bench.losses(bench.device, steps=50)
    theirs = bench.losses(torch.device("cpu"), steps=50)
    gap = float(np.abs(ours / theirs - 1).max())
    require(gap < 2e-3, f"they differ by {gap:.1e}")
    return f"largest relative difference {gap:.1e}"


def bf16_learns_as_fp32(bench: Bench) -> str:
    """400 steps in bf16 and in fp32 come to the same losses, within 5%."""
    last = {
        precision: bench.losses(bench.device, steps=400, precision=precision, learning_rate=4e-3)[
            -1, 2
        ]
        for precision in ("fp32", "bf16")
    }
    require(abs(last["bf16"] / last["fp32"] - 1) < 0.05, f"held-out losses {last}")
    return ", ".join(f"{name}: held-out loss {value:.2f}" for name, value in last.items())


def nothing_waits(bench: Bench) -> str:
    """No step waits for the device, with a controller and dropout."""
    if bench.device.type != "cuda":
        return "only CUDA can tell"
    network = bench.network(bench.device, dropout=0.1)
    steps = [0]

    def count(_: int) -> None:
        steps[0] += 1
        # The first step settles kernels and moments; the looks may wait, and come each 20 steps.
        watched = 1 < steps[0] % 20 < 19
        torch.cuda.set_sync_debug_mode("error" if watched else "default")

    try:
        settings = {"steps": 400, "target_rate": 20.0, "state_seconds": 1e9}  # a state point waits
        bench.train(network, Watch(on_step=count), **settings)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return f"{steps[0]} steps"


def a_run_goes_on_to_the_same_weights(bench: Bench) -> str:
    """Half a run, resumed from its state point, ends in the weights of the whole one."""
    states: list[State] = []
    settings = {"steps": 60, "state_every": 30}
    whole = bench.network(bench.device, dropout=0.1)
    bench.train(whole, Watch(on_state=states.append), **settings)
    half = next(one for one in states if one.facts["outcome"]["steps"] == 30)
    resumed = bench.network(bench.device, dropout=0.1)
    bench.train(resumed, state=half, **settings)
    pairs = zip(whole.parameters(), resumed.parameters(), strict=True)
    require(all(torch.equal(one, other) for one, other in pairs), "the weights differ")
    return "bit for bit"


def latents_are_those_of_the_cpu(bench: Bench) -> str:
    """A trained model encodes and decodes as on the CPU, alone and in a batch."""
    with trained(bench) as folder:
        here, there = load(folder, bench.device), load(folder, torch.device("cpu"))
        smiles = bench.table["smiles"].head(512).tolist()
        ours, theirs = here.encode(smiles).mean, there.encode(smiles).mean
        gap = float(np.abs(ours - theirs).max())
        alone = np.concatenate([here.encode([one]).mean for one in smiles[:32]])
        lonely = float(np.abs(alone - ours[:32]).max())
        same = (here.decode(ours)["smiles"] == there.decode(ours)["smiles"]).mean()
        require(gap < 1e-4, f"latents differ by {gap:.1e}")
        require(lonely < 1e-5, f"a latent depends on its batch mates by {lonely:.1e}")
        require(same > 0.99, f"{1 - same:.1%} of the molecules differ")
    return f"latents within {gap:.1e}, batch mates {lonely:.1e}, {same:.1%} of molecules the same"


def the_same_seed_generates_the_same(bench: Bench) -> str:
    """The same seed gives the same molecules, whatever the batch size."""
    with trained(bench) as folder:
        model = load(folder, bench.device)
        tables = [
            model.generate(300, seed=1, strict=False, novel=False, batch_size=size).table
            for size in (256, 4096)
        ]
    pd.testing.assert_frame_equal(*tables)
    return f"{len(tables[0])} molecules"


def two_processes_train_as_one(bench: Bench) -> str:
    """Two processes show the losses of one (gloo on a single GPU, NCCL on several)."""
    with tempfile.TemporaryDirectory() as place:
        logs = []
        for processes in (1, 2):
            folder = Path(place) / str(processes)
            molvae.train(
                bench.table,
                folder,
                size="small",
                steps=40,
                precision="fp32",
                device=bench.device.type,
                processes=processes,
                report=False,
                quiet=True,
            )
            logs.append(pd.read_csv(folder / "metrics.csv")[["distortion", "rate"]].to_numpy())
    gap = float(np.abs(logs[1] / logs[0] - 1).max())
    require(gap < 1e-3, f"they differ by {gap:.1e}")
    return f"largest relative difference {gap:.1e}; {torch.cuda.device_count()} GPUs"


def speed(bench: Bench) -> str:
    """How fast it trains."""
    sizes = ("base", "large") if bench.device.type == "cuda" else ("small",)
    found = []
    for size in sizes:
        for batch_size in (128, 1024):
            for precision in ("fp32", "bf16") if bench.device.type == "cuda" else ("fp32",):
                seconds = {}
                for steps in (20, 60):  # the difference leaves out what is done once
                    network = bench.network(bench.device, size)
                    outcome = bench.train(
                        network, steps=steps, batch_size=batch_size, precision=precision
                    )
                    seconds[outcome.molecules] = outcome.seconds
                (few, short), (many, long) = sorted(seconds.items())
                rate = (many - few) / max(1e-9, long - short)
                found.append(f"{size}, batches of {batch_size:,}, {precision}: {rate:,.0f}")
    return "molecules per second, looks included: " + "; ".join(found)


CHECKS: tuple[Callable[[Bench], str], ...] = (
    the_curves_agree,
    bf16_learns_as_fp32,
    nothing_waits,
    a_run_goes_on_to_the_same_weights,
    latents_are_those_of_the_cpu,
    the_same_seed_generates_the_same,
    two_processes_train_as_one,
    the_tests,
    speed,
)


@contextmanager
def trained(bench: Bench) -> Iterator[Path]:
    """A run folder of a model that was trained on the device."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        molvae.train(
            bench.table,
            folder,
            size="small",
            steps=200,
            precision="fp32",
            device=str(bench.device),
            report=False,
            quiet=True,
        )
        yield folder


def load(folder: Path, device: torch.device) -> MolVAE:
    """The model of a folder on a device."""
    return molvae.load(folder, device=str(device))


def require(condition: object, message: str) -> None:
    """Fail the check unless the condition holds."""
    if not condition:
        raise AssertionError(message)


if __name__ == "__main__":
    main()
