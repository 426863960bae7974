"""A run that is killed, interrupted or out of disk goes on to the weights it would have come to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import interrupt_after

import molvae
from molvae import files
from molvae.checkpoint import standard_before
from molvae.errors import CheckpointError, OutputError, SettingsError, TrainingError
from molvae.run.folder import RunFolder
from molvae.training import state as states

SETTINGS: dict[str, Any] = {
    "size": "small",
    "steps": 60,
    "batch_size": 16,
    "state_every": 7,
    "state_seconds": 0,
    "properties": ["logp"],
    "split_column": "split",
    "report": False,
    "quiet": True,
}
STATE = states.FILE_NAME


def model_bytes(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def log_without_clock(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics.csv").drop(columns=["seconds", "molecules_per_second"])


@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "fp32"},
        # Narrow, since many processors only emulate bf16.
        {"precision": "bf16", "dropout": 0.2, "encoder_hidden": 32, "decoder_hidden": 64},
        {"precision": "fp32", "target_reconstruction": 0.5, "corruption": 0.1},
        {"precision": "fp32", "random_order": 0.5},
    ],
    ids=["fp32", "bf16 and dropout", "controller and corruption", "random order"],
)
@pytest.mark.parametrize("steps", [1, 40])
def test_an_interrupted_run_ends_in_the_same_weights(
    csv_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    steps: int,
) -> None:
    chosen = {**SETTINGS, **settings}
    molvae.train(csv_file, tmp_path / "whole", **chosen)
    with monkeypatch.context() as patched:
        interrupt_after(patched, steps)
        if steps == 1:  # before the first look there is no model yet
            with pytest.raises(KeyboardInterrupt):
                molvae.train(csv_file, tmp_path / "cut", **chosen)
        else:
            cut = molvae.train(csv_file, tmp_path / "cut", **chosen)
            assert cut.record["outcome"]["ending"] == "interrupted"
    assert RunFolder(tmp_path / "cut").has_state
    model = molvae.resume(tmp_path / "cut", quiet=True)
    assert model.record["outcome"]["ending"] == "complete"
    assert model_bytes(tmp_path / "cut") == model_bytes(tmp_path / "whole")
    pd.testing.assert_frame_equal(
        log_without_clock(tmp_path / "cut"), log_without_clock(tmp_path / "whole")
    )
    assert not RunFolder(tmp_path / "cut").has_state
    with pytest.raises(CheckpointError, match="has ended"):
        molvae.resume(tmp_path / "cut")


@pytest.mark.parametrize("flat", [False, True])
def test_a_run_begun_before_there_was_a_standard_goes_on(
    csv_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flat: bool
) -> None:
    """Its call had one switch, ``flat``, and knew no constraints."""
    with monkeypatch.context() as patched:
        interrupt_after(patched, 40)
        molvae.train(csv_file, tmp_path, **SETTINGS, precision="fp32")
    call = json.loads((tmp_path / "call.json").read_text())
    del call["constraints"]
    (tmp_path / "call.json").write_text(json.dumps({**call, "flat": flat}))
    model = molvae.resume(tmp_path, quiet=True)
    assert model.record["outcome"]["ending"] == "complete"
    assert model.checkpoint.standard == standard_before(flat)


def test_a_killed_run_ends_in_the_same_weights(csv_file: Path, tmp_path: Path) -> None:
    """kill -9 soon after the start and later, in processes of their own."""
    options = ["--size", "small", "--steps", "60", "--split-column", "split", "--batch-size", "16"]
    options += ["--precision", "fp32", "--set", "state_every=3", "--set", "state_seconds=0", "-q"]
    options += ["--no-report"]

    def command(*arguments: object) -> list[str]:
        return [sys.executable, "-m", "molvae", "train", *map(str, arguments)]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(csv_file, "-o", whole, *options), check=True)
    for moment in (0, 30):
        begin = (csv_file, "-o", killed, *options) if moment == 0 else ("--resume", killed, "-q")
        with subprocess.Popen(command(*begin)) as run:
            wait_for(killed / STATE, moment, run)
            run.kill()
    subprocess.run(command("--resume", killed, "-q"), check=True)
    assert model_bytes(killed) == model_bytes(whole)


def wait_for(path: Path, step: int, run: subprocess.Popen[bytes]) -> None:
    """Wait until a state point of that step or a later one is there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert run.poll() is None, "the run ended before it was killed"
        if path.exists() and states.load(path).facts["outcome"]["steps"] >= step:
            return
        time.sleep(0.005)
    raise AssertionError("no state point in time")


def test_sigterm_saves_and_leaves(csv_file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "molvae", "train", str(csv_file), "-o", str(tmp_path / "run")]
    command += ["--size", "small", "--set", "state_seconds=0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        wait_for(tmp_path / "run" / STATE, 0, run)  # type: ignore[arg-type]
        run.terminate()
        _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert f"Go on with `molvae train --resume {tmp_path / 'run'}`" in told


def test_a_signal_to_all_processes_saves_and_leaves(csv_file: Path, tmp_path: Path) -> None:
    """As a batch queue sends it: what makes batches must not fall before what trains."""
    command = [sys.executable, "-m", "molvae", "train", str(csv_file), "-o", str(tmp_path / "run")]
    command += ["--size", "small", "--random-order", "1", "--workers", "2"]
    command += ["--set", "state_seconds=0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, process_group=0) as run:
        wait_for(tmp_path / "run" / STATE, 1, run)  # type: ignore[arg-type]
        os.killpg(run.pid, signal.SIGTERM)
        _, told = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert f"Go on with `molvae train --resume {tmp_path / 'run'}`" in told


def unfinished(csv_file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as patched:
        interrupt_after(patched, 30)
        molvae.train(csv_file, folder, **{**SETTINGS, "precision": "fp32"})
    return folder


def test_an_unfinished_run_is_not_overwritten_unasked(
    csv_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unfinished(csv_file, tmp_path / "run", monkeypatch)
    with pytest.raises(OutputError, match="--resume"):
        molvae.train(csv_file, folder, **SETTINGS)
    molvae.train(csv_file, folder, **SETTINGS, overwrite=True)
    assert not RunFolder(folder).has_state


def test_two_runs_in_one_folder_are_refused(csv_file: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time; from molvae import files; from pathlib import Path\n"
        "with files.locked(Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)"
    )
    folder = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(OutputError, match="Another run writes"):
            molvae.train(csv_file, folder, **SETTINGS)
        other.kill()
    with files.locked(folder):
        pass  # the lock went with the process


def test_changed_molecules_are_refused(
    csv_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unfinished(csv_file, tmp_path / "run", monkeypatch)
    with pytest.raises(CheckpointError, match="molecules have changed"):
        molvae.resume(folder, pd.read_csv(csv_file).head(300), quiet=True)


def test_a_damaged_state_is_refused(
    csv_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unfinished(csv_file, tmp_path / "run", monkeypatch)
    content = (folder / STATE).read_bytes()
    (folder / STATE).write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        molvae.resume(folder, quiet=True)


def test_what_cannot_change_within_a_run(
    csv_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unfinished(csv_file, tmp_path / "run", monkeypatch)
    with pytest.raises(SettingsError, match="'beta' can't change within a run"):
        molvae.resume(folder, beta=1.0)
    with pytest.raises(CheckpointError, match="no run to go on from"):
        molvae.resume(tmp_path / "elsewhere")
    for damaged in ("[]", "{}", "no JSON"):
        (folder / "call.json").write_text(damaged)
        with pytest.raises(CheckpointError, match="no run to go on from"):
            molvae.resume(folder)


def test_a_full_disk_leaves_the_last_state_whole(
    csv_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    molvae.train(csv_file, whole, **SETTINGS, precision="fp32")
    written, write = [0], Path.write_bytes

    def disk_full(path: Path, content: bytes) -> int:
        written[0] += path.name.endswith(STATE)
        if written[0] < 4:
            return write(path, content)
        write(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", disk_full)
        with pytest.raises(OutputError, match="no space left on device"):
            molvae.train(csv_file, tmp_path / "run", **SETTINGS, precision="fp32")
    assert sorted(one.name for one in (tmp_path / "run").iterdir() if STATE in one.name) == [STATE]
    molvae.resume(tmp_path / "run", quiet=True)
    assert model_bytes(tmp_path / "run") == model_bytes(whole)


def test_a_loss_that_is_not_finite_names_the_last_good_state(
    csv_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"The state at step \d+ is good: .*--resume"):
        molvae.train(csv_file, tmp_path / "run", **{**SETTINGS, "learning_rate": 1e30})
    state = states.load(tmp_path / "run" / STATE)
    assert all(tensor.isfinite().all() for tensor in state.part("network.").values())
    model = molvae.resume(tmp_path / "run", learning_rate=1e-3, quiet=True)
    assert model.record["outcome"]["ending"] == "complete"


def test_a_log_that_was_cut_short_is_mended(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    log = tmp_path / "metrics.csv"
    for step in (3, 6, 9):
        folder.log({"step": step, "held_out_loss": None, "logp_r2": 0.5})
    log.write_text(log.read_text() + "12,")
    folder.cut_log(6)
    assert log.read_text() == "step,held_out_loss,logp_r2\n3,,0.5\n6,,0.5\n"
    folder.cut_log(0)
    assert not log.exists()
    folder.log({"step": 1_000_000, "held_out_loss": 2.5})
    folder.cut_log(1_000_000)
    assert log.read_text() == "step,held_out_loss\n1000000,2.5\n"
    log.write_bytes(b"\xff no log\n")
    folder.cut_log(1)
    assert not log.exists()
