"""Several processes train one network as one process would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import interrupt_after

import molvae
from molvae.corpus.batches import Batch
from molvae.errors import OutputError, TrainingError
from molvae.run.folder import RunFolder
from molvae.training.team import Team


def log_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv").drop(columns=["seconds", "molecules_per_second"])


def test_a_team_divides_every_batch(sample: pd.DataFrame) -> None:
    batch = Batch(np.arange(14).reshape(7, 2), np.arange(7), np.arange(7.0)[:, None])
    parts = [Team(rank, 3).part(batch) for rank in range(3)]
    assert sorted(np.concatenate([part.lengths for part in parts])) == list(range(7))
    assert all((part.token_ids[:, 0] == 2 * part.lengths).all() for part in parts)
    # Averaged over the team, the means count as the molecules do.
    means = [part.lengths.mean() * Team(rank, 3).share(7) for rank, part in enumerate(parts)]
    assert np.sum(means) == pytest.approx(batch.lengths.mean())
    lonely = Team(2, 3)
    assert (lonely.rows(2).tolist(), lonely.share(2)) == ([0], 0)


def test_two_processes_train_as_one(csv_file: Path, tmp_path: Path) -> None:
    """The last batch of an epoch has 12 molecules, so the parts of a team aren't always equal."""
    options = ["--size", "small", "--steps", "102", "--batch-size", "23", "--precision", "fp32"]
    options += ["--property", "logp", "--split-column", "split", "--target-rate", "20", "-q"]
    options += ["--no-report"]
    torchrun = ["torch.distributed.run", "--nproc-per-node", "2", "-m", "molvae"]
    for name, command in {
        "one": ["molvae", "train"],
        "two": ["molvae", "train", "--processes", "2"],
        "torchrun": [*torchrun, "train"],
    }.items():
        command = [sys.executable, "-m", *command, str(csv_file), "-o", str(tmp_path / name)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([*command, *options], check=True, env=environment)
    one = log_of(tmp_path / "one")
    assert len(one) == 21
    for name in ("two", "torchrun"):
        np.testing.assert_allclose(log_of(tmp_path / name), one, rtol=1e-4, atol=1e-6)
    molecules = [
        molvae.load(tmp_path / name).record["outcome"]["molecules"]
        for name in ("one", "two", "torchrun")
    ]
    assert set(molecules) == {102 * 23 - 6 * 11}  # six epochs, each with a batch of 12


def test_an_interrupted_team_ends_in_the_same_weights(csv_file: Path, tmp_path: Path) -> None:
    options = ["--size", "small", "--steps", "150", "--batch-size", "16", "--processes", "2"]
    options += ["--precision", "fp32", "--set", "dropout=0.2", "--no-report"]
    options += ["--set", "state_every=5", "--set", "state_seconds=0"]
    command = [sys.executable, "-m", "molvae", "train", str(csv_file), *options, "-o"]
    subprocess.run([*command, str(tmp_path / "whole"), "-q"], check=True)
    folder = RunFolder(tmp_path / "run")
    with subprocess.Popen(
        [*command, str(folder.path)], stderr=subprocess.PIPE, text=True, process_group=0
    ) as run:
        deadline = time.monotonic() + 120
        while not (folder.path / "metrics.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
        _, told = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert "--resume" in told
    assert "Traceback" not in told
    assert folder.has_state
    molvae.resume(folder.path, quiet=True)
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "run")]
    assert models[0] == models[1]


def test_a_run_goes_on_in_more_processes(
    csv_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"size": "small", "steps": 60, "batch_size": 23, "precision": "fp32"}
    settings |= {"held_out": 0.1, "report": False, "quiet": True}
    molvae.train(csv_file, tmp_path / "whole", **settings)
    with monkeypatch.context() as patched:
        interrupt_after(patched, 31)
        molvae.train(csv_file, tmp_path / "run", **settings)
    molvae.resume(tmp_path / "run", processes=2, quiet=True)
    whole, run = (log_of(tmp_path / name) for name in ("whole", "run"))
    np.testing.assert_allclose(run, whole, rtol=1e-4, atol=1e-6)


def test_a_team_works_in_a_notebook_or_a_bare_script(csv_file: Path, tmp_path: Path) -> None:
    """Its processes don't run the script again, which has no guard against that."""
    script = tmp_path / "script.py"
    script.write_text(
        "import molvae\n"
        f"model = molvae.train({str(csv_file)!r}, size='small', steps=3, processes=2, "
        "report=False, quiet=True)\n"
        "print(model.record['outcome']['steps'], __file__)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == f"3 {script}\n"


def test_an_error_in_a_team_is_the_error_of_one(csv_file: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not finite at step"):
        molvae.train(
            csv_file,
            tmp_path / "run",
            size="small",
            steps=40,
            learning_rate=1e30,
            processes=2,
            report=False,
            quiet=True,
        )
    with pytest.raises(OutputError, match="--resume"):
        molvae.train(csv_file, tmp_path / "run")
