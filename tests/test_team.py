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

import molvae
from molvae.corpus.batches import Batch
from molvae.errors import OutputError, TrainingError
from molvae.folder import RunFolder
from molvae.training.team import Team


def log_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv").drop(columns=["seconds", "molecules_per_second"])


def test_a_team_divides_every_batch(sample: pd.DataFrame) -> None:
    batch = Batch(np.arange(14).reshape(7, 2), np.arange(7), np.arange(7.0)[:, None])
    parts = [Team(rank, 3).part(batch) for rank in range(3)]
    assert sorted(np.concatenate([part.lengths for part in parts])) == list(range(7))
    assert all((part.token_ids[:, 0] == 2 * part.lengths).all() for part in parts)
    # Averaged over the team, the means count as the molecules do.
    means = [part.lengths.mean() * Team(rank, 3).weight(7) for rank, part in enumerate(parts)]
    assert np.mean(means) == pytest.approx(batch.lengths.mean())
    lonely = Team(2, 3)
    assert (lonely.rows(2).tolist(), lonely.weight(2)) == ([0], 0)


def test_two_processes_train_as_one(csv_file: Path, tmp_path: Path) -> None:
    """The last batch of an epoch has 12 molecules, so the parts of a team aren't always equal."""
    for processes in (1, 2):
        molvae.train(
            csv_file,
            tmp_path / str(processes),
            properties=["logp"],
            split_column="split",
            size="small",
            steps=40,
            batch_size=23,
            precision="fp32",
            target_rate=20.0,
            processes=processes,
            report=False,
            quiet=True,
        )
    one, two = log_of(tmp_path / "1"), log_of(tmp_path / "2")
    assert len(one) == 20
    np.testing.assert_allclose(two, one, rtol=1e-4)
    outcomes = [molvae.load(tmp_path / name).record["outcome"] for name in ("1", "2")]
    assert outcomes[0]["molecules"] == outcomes[1]["molecules"] == 40 * 23 - 2 * 11


def test_an_interrupted_team_goes_on(csv_file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "molvae", "train", str(csv_file), "-o", str(tmp_path / "run")]
    command += ["--size", "small", "--steps", "20000", "--processes", "2", "--no-report"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, process_group=0) as run:
        deadline = time.monotonic() + 120
        while not RunFolder(tmp_path / "run").has_state and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
        _, told = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert "--resume" in told
    assert "Traceback" not in told
    assert RunFolder(tmp_path / "run").has_state
    model = molvae.resume(tmp_path / "run", steps=30, quiet=True)
    assert model.record["outcome"]["steps"] >= 30


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
