"""Measure how fast training is: beside MOSES' own VAE, beside the machine, and in two processes.

    pip download molsets==0.3.1 --no-deps
    python scripts/bench_training.py molsets-0.3.1-py3-none-any.whl

Installs the wheel into an environment of its own (runs/originals). In each round every setup is
measured once, one after the other, with the round's seed: which molecules come first is chance. A
ratio is that of two measurements of one round; printed are its median and its range over the
rounds. All setups train on the same molecules, from the MOSES training set, on the CPU, each in
processes of its own. Only the steps behind a warm-up are timed, the making of their batches
included; nobody looks at held-out molecules, and nothing is saved. Use an idle machine.

Utilisation counts the matrix products alone. A weight costs 6 FLOP for each token it meets: a
multiplication and an addition forward, and as many backward for the gradient of its input, and for
its own. A string of L symbols in a network of one layer, with embedding E, latent D, H_e units a
direction of the encoder, H_d units of the decoder and V symbols, costs

    6 * (L * 2 * 3 H_e (E + H_e)                          both directions of the encoder
         + (L + 1) * (3 H_d (E + D + H_d) + H_d V)        the decoder, which writes the end too
         + 2 H_e * 2 D + D * H_d)                         posterior, and first state, once

FLOP. Padding isn't counted, nor are lookups, gates, the softmax and the optimiser.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported: processors are compared

import numpy as np
import pandas as pd
import torch
from make_moses_data import DATA
from originals_environment import environment, moses_wheel
from stopwatch import Stopwatch
from torch import nn

from molvae import display, files
from molvae.cli.output import write_table
from molvae.corpus.batches import Batch, Batches
from molvae.corpus.corpus import Corpus, prepare
from molvae.corpus.splits import TRAIN
from molvae.network.config import sized
from molvae.network.vae import SequenceVAE
from molvae.parallel import available_cores
from molvae.training.config import TrainingConfig
from molvae.training.loop import fit
from molvae.training.progress import Watch
from molvae.training.team import Team, launch

NEVER = 10**6
"""Steps that no measurement comes to."""

LIKE_MOSES = {
    "latent_dim": 108,
    "embedding_dim": 108,
    "encoder_hidden": 432,
    "decoder_hidden": 864,
}
"""As many weights as MOSES' default: between "base" and "large", in the same proportions."""

LIKE_OURS = {"d_d_h": 272}
"""As many weights as our default: fewer units in each of MOSES' three layers of the decoder."""

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Setup:
    """A way to train.

    Attributes:
        threads: Of each process.
        processes: That train together.
        batches: How many batches of the default size one of its own holds.
        moses: Whether MOSES trains.
        changes: Numbers of the network over its defaults.
    """

    threads: int
    processes: int = 1
    batches: int = 1
    moses: bool = False
    changes: dict[str, int] = field(default_factory=dict)


def setups(cores: int) -> dict[str, Setup]:
    """What is measured in each round, in this order."""
    return {
        ALONE: Setup(1),
        "molvae, two processes": Setup(1, processes=2),
        "molvae, two processes, a batch each": Setup(1, processes=2, batches=2),
        "molvae": Setup(cores),
        "MOSES": Setup(cores, moses=True),
        "molvae, as large as MOSES": Setup(cores, changes=LIKE_MOSES),
        "MOSES, as small as molvae": Setup(cores, moses=True, changes=LIKE_OURS),
    }


ALONE = "molvae, one thread"
"""The setup whose utilisation is told."""

RATIOS = {
    "moses": {
        "molvae / MOSES, both at their defaults": ("molvae", "MOSES"),
        "molvae / MOSES, both as large": ("molvae, as large as MOSES", "MOSES"),
        "molvae / MOSES, both as small": ("molvae", "MOSES, as small as molvae"),
    },
    "processes": {
        "2 processes / 1, of one thread, a batch each": (
            "molvae, two processes, a batch each",
            ALONE,
        ),
        "2 processes / 1, of one thread, sharing a batch": ("molvae, two processes", ALONE),
        "all threads / one thread, 1 process": ("molvae", ALONE),
    },
}
"""The comparisons: which setup's speed is divided by which."""

GROUPS = ("moses", "utilisation", "processes")


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=moses_wheel, help="molsets-0.3.1-py3-none-any.whl")
    parser.add_argument("--seconds", type=float, default=45, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--molecules", type=int, default=50_000, help="to train on")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--quick", action="store_true", help="one short round of few molecules")
    parser.add_argument("--output", metavar="FILE.csv", help="a row a measurement")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.rounds, arguments.molecules = 5.0, 1, 5_000
    python = environment(arguments.wheel)
    corpus = training_molecules(arguments.molecules)
    rows = []
    for number in range(1, arguments.rounds + 1):
        for row in measure(arguments.only, corpus, python, arguments.seconds, number):
            display.note(f"Round {number}: {row['setup']} is measured.")
            rows.append({"round": number, **row})
    table = pd.DataFrame(rows)
    print(text(table, arguments.only, facts(corpus, arguments.rounds, arguments.seconds)))
    if arguments.output:
        write_table(table, arguments.output)


def training_molecules(count: int) -> Corpus:
    """The same molecules of the MOSES training set each time."""
    sample = pd.read_csv(DATA / "moses_sample.csv.gz")
    train = sample.loc[sample["split"] == "train", ["smiles"]]
    chosen = train.sample(min(count, len(train)), random_state=np.random.RandomState(0))
    return prepare(chosen, held_out=0.0).corpus


def measure(
    groups: list[str], corpus: Corpus, python: Path, seconds: float, seed: int
) -> Iterator[dict[str, Any]]:
    """A round: a row for each setup that the groups compare, and one for each peak."""
    named = {name for group in groups for pair in RATIOS.get(group, {}).values() for name in pair}
    if "utilisation" in groups:
        named.add(ALONE)
        for name, dtype in PRECISIONS.items():
            yield {"setup": f"peak {name}", "gflops": peak(dtype, corpus) / 1e9}
    for name, setup in setups(available_cores()).items():
        if name in named:
            found = (
                measure_moses(setup, corpus, python, seconds, seed)
                if setup.moses
                else measure_ours(setup, corpus, seconds, seed)
            )
            yield {"setup": name, "processes": setup.processes, "threads": setup.threads, **found}


def measure_ours(setup: Setup, corpus: Corpus, seconds: float, seed: int) -> dict[str, Any]:
    """What our training does in a while."""
    with tempfile.TemporaryDirectory() as place:
        result = Path(place) / "result.json"
        meeting = str(Path(place) / "meeting")
        launch(train, setup.processes, meeting, corpus, setup, seconds, seed, result)
        return row_of(json.loads(result.read_text()))


def measure_moses(
    setup: Setup, corpus: Corpus, python: Path, seconds: float, seed: int
) -> dict[str, Any]:
    """What MOSES' training does in a while."""
    with tempfile.TemporaryDirectory() as place:
        molecules, result = Path(place) / "molecules.txt", Path(place) / "result.json"
        files.write_text(molecules, "\n".join(corpus.smiles(corpus.rows())))
        script = Path(__file__).with_name("moses_vae.py")
        command = [python, script, molecules, result, "--seconds", seconds]
        command += ["--threads", setup.threads, "--seed", seed]
        command += [f"--{name}={value}" for name, value in setup.changes.items()]
        subprocess.run([str(word) for word in command], check=True)
        return row_of(json.loads(result.read_text()))


def row_of(found: dict[str, Any]) -> dict[str, Any]:
    """Speeds from counts."""
    seconds = found["seconds"]
    flops = {"gflops": found["flop"] / seconds / 1e9} if "flop" in found else {}
    return {
        "molecules_per_second": found["molecules"] / seconds,
        **flops,
        **{name: found[name] for name in ("weights", "batch_size", "precision", "steps")},
        "seconds": seconds,
    }


class SeenBatches(Batches):
    """Batches of which the last one is at hand when its step is done."""

    last: Batch

    def __getitem__(self, at: tuple[int, int]) -> Batch:
        """A batch."""
        self.last = super().__getitem__(at)
        return self.last


def train(corpus: Corpus, setup: Setup, seconds: float, seed: int, result: Path) -> None:
    """Train for a while, in each process of a team; the first one writes what was measured."""
    torch.set_num_threads(setup.threads)
    torch.manual_seed(seed)
    network = network_of(corpus, setup.changes)
    rows = corpus.rows(TRAIN)
    batch_size = setup.batches * TrainingConfig().batch_size_for(len(rows))
    config = TrainingConfig(steps=NEVER, batch_size=batch_size, seed=seed)
    batches = SeenBatches(corpus, rows, batch_size, seed)
    stopwatch = Stopwatch(seconds)

    def step_is_done(*_: object) -> None:
        stopwatch.step(len(batches.last.lengths), int(batches.last.lengths.sum()))

    watch = Watch(on_step=step_is_done, stop_asked=lambda: stopwatch.over)
    team = Team.present()
    outcome = fit(network, batches, None, config, watch, team=team)
    if team.rank == 0:
        measured = {
            **asdict(stopwatch),
            "flop": flop(network, stopwatch.molecules, stopwatch.tokens),
            "weights": network.weight_count,
            "batch_size": batch_size,
            "precision": outcome.precision,
        }
        files.write_text(result, json.dumps(measured))


def network_of(corpus: Corpus, changes: dict[str, int]) -> SequenceVAE:
    """The network that training would make of a corpus."""
    longest = int(corpus.lengths(corpus.rows()).max())
    size = len(corpus.vocabulary)
    return SequenceVAE(sized("base", vocabulary_size=size, max_tokens=longest, **changes))


def flop(network: SequenceVAE, molecules: int, tokens: int) -> int:
    """Floating-point operations in the matrix products of training, by the formula above."""
    encoder, decoder = network.encoder, network.decoder
    read = matrix_weights(encoder.forwards, encoder.backwards)
    written = matrix_weights(decoder.gru, decoder.to_logits)
    once = matrix_weights(encoder.to_posterior, decoder.to_state)
    return 6 * (tokens * read + (tokens + molecules) * written + molecules * once)


def matrix_weights(*modules: nn.Module) -> int:
    """The weights that enter matrix products: all but the biases."""
    return sum(one.numel() for module in modules for one in module.parameters() if one.dim() == 2)


def peak(dtype: torch.dtype, corpus: Corpus, seconds: float = 1.0) -> float:
    """The most FLOP/s of one thread in a matrix product: a square one, and the decoder's own."""
    units = network_of(corpus, {}).config.decoder_hidden
    rows = TrainingConfig().batch_size_for(len(corpus.rows(TRAIN)))
    torch.set_num_threads(1)
    best = 0.0
    for left, inner, right in ((1024, 1024, 1024), (rows, units, 3 * units)):
        one, other = torch.randn(left, inner).to(dtype), torch.randn(right, inner).to(dtype)
        fastest = shortest(lambda one=one, other=other: one @ other.t(), seconds)
        best = max(best, 2 * left * inner * right / fastest)
    return best


def shortest(work: Callable[[], object], seconds: float) -> float:
    """The shortest time that some work took, of as many times as go into so many seconds."""
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def facts(corpus: Corpus, rounds: int, seconds: float) -> str:
    """The machine, and what was done on it."""
    cores = available_cores()
    instructions = torch.backends.cpu.get_cpu_capability()
    return (
        f"{processor()}, {cores} cores, {instructions}, torch {torch.__version__}\n"
        f"{len(corpus):,} molecules of {corpus.lengths(corpus.rows()).mean():.1f} symbols, "
        f"rounds of {seconds:g} seconds a measurement: {rounds}"
    )


def processor() -> str:
    """What the processor calls itself."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def text(table: pd.DataFrame, groups: list[str], about: str) -> str:
    """The printed table: speeds, utilisation, ratios; medians and ranges over the rounds."""
    speeds = table[table["molecules_per_second"].notna()]
    lines = [about, "", heading("molecules/s", "weights  batch  processes x threads  precision")]
    for name, rows in speeds.groupby("setup", sort=False):
        one = rows.iloc[0]
        how = (
            f"{one['weights'] / 1e6:>5.2f} M  {one['batch_size']:>5.0f}"
            f"{one['processes']:>11.0f} x {one['threads']:<7.0f}{one['precision']:>11}"
        )
        lines.append(line(name, rows["molecules_per_second"], "{:,.1f}", how))
    if "utilisation" in groups:
        lines += ["", heading("GFLOP/s of one thread"), *utilisation(table)]
    if RATIOS.keys() & groups:
        lines += ["", heading("ratio of molecules/s")]
    speed = table.pivot_table("molecules_per_second", "round", "setup")
    for group in groups:
        for name, (over, under) in RATIOS.get(group, {}).items():
            lines.append(line(name, speed[over] / speed[under], "{:.2f}"))
    return "\n".join(lines)


def utilisation(table: pd.DataFrame) -> list[str]:
    """Lines: what training reaches, the peaks, and its share of each."""
    rates = table.pivot_table("gflops", "round", "setup")
    chosen = table.loc[table["setup"] == ALONE, "precision"].mode()[0]
    lines = [line(f"training, which chose {chosen}", rates[ALONE], "{:.1f}")]
    for name in PRECISIONS:
        best = rates[f"peak {name}"]
        lines.append(line(f"the best matrix product in {name}", best, "{:.1f}"))
        lines.append(line("  training's share of it", rates[ALONE] / best, "{:.1%}"))
    return lines


def heading(name: str, more: str = "") -> str:
    """The names of the columns."""
    return f"{name:<52}{'median':>10}{'lowest':>10}{'highest':>10}  {more}".rstrip()


def line(name: str, values: pd.Series, layout: str, more: str = "") -> str:
    """A row of the printed table."""
    numbers = (values.median(), values.min(), values.max())
    cells = "".join(f"{layout.format(number):>10}" for number in numbers)
    return f"{name:<52}{cells}  {more}".rstrip()


if __name__ == "__main__":
    main()
