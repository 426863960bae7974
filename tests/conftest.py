"""Real molecules, and one model trained on them that the tests share."""

from __future__ import annotations

import gzip
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result

import molvae
from molvae.cli import main
from molvae.corpus.cache import VARIABLE

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Encoded tables are kept for the tests alone."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        yield folder


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")


@pytest.fixture(scope="session")
def sample() -> pd.DataFrame:
    """The first 400 training molecules that ship with the repository, and 40 test ones."""
    with gzip.open(ROOT / "data" / "moses_sample.csv.gz", "rt") as stream:
        table = pd.read_csv(stream)
    parts = [table[table["split"] == "train"].head(400), table[table["split"] == "test"].head(40)]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def csv_file(sample: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "molecules.csv"
    sample.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def run_folder(csv_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a small model, trained for some seconds."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    molvae.train(
        csv_file,
        folder,
        properties=["logp"],
        split_column="split",
        size="small",
        steps=300,
        learning_rate=4e-3,
        batch_size=32,
        precision="fp32",
        quiet=True,
    )
    return folder


@pytest.fixture(scope="session")
def model(run_folder: Path) -> molvae.MolVAE:
    return molvae.load(run_folder, device="cpu")


@pytest.fixture
def cli():  # type: ignore[no-untyped-def]
    """Runs a command line in this process: ``cli("generate", "-m", folder)``."""

    def run(*arguments: object, **options: object) -> Result:
        return CliRunner().invoke(main, [str(one) for one in arguments], **options)  # type: ignore[arg-type]

    return run


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    """Every kind of device; the absent ones are skipped by name."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip(f"no {request.param} here")
    return str(request.param)


def interrupt_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Ctrl-C while that step of training is taken."""
    from molvae.training.loop import _Run

    taken, step = [0], _Run.step

    def counted(self: _Run, batch: Any) -> None:
        step(self, batch)
        taken[0] += 1
        if taken[0] == steps:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(_Run, "step", counted)
