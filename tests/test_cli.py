"""The command line: what it writes, where, and how it fails."""

from __future__ import annotations

import io
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
from molvae.chem.standard import Standard


def read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False)


def test_help_imports_neither_torch_nor_rdkit() -> None:
    code = (
        "import sys\n"
        "from molvae.cli import main\n"
        "try: main(['generate', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'rdkit', 'pandas', 'numpy', 'selfies'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("[]\n")


def test_every_help_has_an_example(cli) -> None:  # type: ignore[no-untyped-def]
    for verb in molvae.cli.main.commands:
        result = cli(verb, "--help")
        assert result.exit_code == 0
        assert f"Example:\n    molvae {verb} " in result.stdout


def test_the_whole_session(cli, csv_file: Path, run_folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    molecules = tmp_path / "molecules.csv"
    common = ("generate", "-m", run_folder, "-n", 12, "--seed", 7)
    result = cli(*common, "-o", molecules, "--image", tmp_path / "m.png")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "12 molecules from" in result.stderr
    assert len(pd.read_csv(molecules)) == 12
    assert cli(*common, "--batch-size", 33).stdout == molecules.read_text()

    ends = pd.read_csv(csv_file)["smiles"].tail(2).tolist()
    image = tmp_path / "path.svg"
    result = cli("interpolate", "-m", run_folder, *ends, "--steps", 5, "--image", image)
    assert result.exit_code == 0, result.output
    assert read(result.stdout)["smiles"].iloc[[0, -1]].tolist() == ends
    assert "<svg" in image.read_text()

    best = tmp_path / "best.tsv"
    result = cli("optimize", "-m", run_folder, "--objective", "qed:max", "--budget", 40, "-o", best)
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(best, sep="\t")) == 40

    latents = tmp_path / "latents.npy"
    assert cli("encode", "-m", run_folder, csv_file, "-o", latents).exit_code == 0
    assert np.load(latents).shape == (440, 32)
    assert np.load(latents).dtype == np.float32
    back = read(cli("decode", "-m", run_folder, latents).stdout)
    both = read(cli("reconstruct", "-m", run_folder, csv_file).stdout)
    assert back["smiles"].tolist() == both["reconstruction"].tolist()
    as_text = cli("encode", "-m", run_folder, csv_file, "-o", tmp_path / "latents.csv")
    assert as_text.exit_code == 0
    again = read(cli("decode", "-m", run_folder, tmp_path / "latents.csv").stdout)
    assert again["smiles"].tolist() == back["smiles"].tolist()

    shown = cli("inspect", run_folder)
    assert "exact reconstruction" in shown.stdout
    assert '"weights"' in cli("inspect", run_folder, "--json").stdout


def test_standard_input_and_output(cli, run_folder: Path) -> None:  # type: ignore[no-untyped-def]
    result = cli("reconstruct", "-m", run_folder, "-", input="smiles,n\nCCO,1\nc1cc,2\n\nCCC,3\n")
    table = read(result.stdout)
    assert table["input"].tolist() == ["CCO", "c1cc", "CCC"]
    assert table["reason"].iloc[1].startswith("not a SMILES")
    assert "2 of 3 rows" in result.stderr


def test_flattened_rows_are_marked(cli, run_folder: Path) -> None:  # type: ignore[no-untyped-def]
    rows = "smiles\nC[C@@H](O)c1ccccc1\nCCO\n"
    refused = read(cli("reconstruct", "-m", run_folder, "-", input=rows).stdout)
    assert "never seen [C@" in refused["reason"].iloc[0]
    table = read(cli("reconstruct", "-m", run_folder, "-", "--flatten", input=rows).stdout)
    assert table["flattened"].tolist() == [True, False]
    assert table["smiles"].iloc[0] == "CC(O)c1ccccc1"
    assert table["steps"].tolist() == ["stereo", ""]


def test_molecules_are_standardised_as_asked_for(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    table, run = tmp_path / "salts.csv", tmp_path / "run"
    rows = ["CCN.Cl", "CCO", "C[C@H](N)O", "[13CH3]CC", "CC[NH3+]", "CCCCCCCC", "CCI(Cl)Cl"]
    table.write_text("\n".join(["smiles", *rows]))
    short = ("--size", "small", "--steps", 2, "--held-out", 0, "--no-report", "--precision", "fp32")
    limits = ("--salts", "keep", "--max-heavy-atoms", 7, "--constraints", "default")
    result = cli("train", table, "-o", run, *short, "--flatten", *limits)
    assert result.exit_code == 0, result.output
    standard = Standard(salts="keep", max_heavy_atoms=7).flattened()
    assert molvae.load(run).checkpoint.standard == standard
    assert "changed: 1 x spelling, 1 x neutralise, 1 x isotopes, 1 x stereo" in result.stderr
    assert "1 x more than 7 heavy atoms" in result.stderr
    assert "the constraints 'wide' admit it" in result.stderr
    shown = cli("inspect", run).stdout
    assert "all fragments kept, charges, stereo, isotopes taken away, at most 7 heavy" in shown
    assert "constraints     default" in shown

    single = ("--no-stereo", "--no-isotopes", "--neutralise")
    again = cli("train", table, "-o", run, "--overwrite", *short, *single)
    assert molvae.load(run).checkpoint.standard == Standard().flattened()
    assert "SELFIES constraints: wide" in again.stderr
    assert "constraints     wide" in cli("inspect", run).stdout


BAD = {
    "no file": (["train", "missing.csv", "-o", "run"], "No file missing.csv."),
    "near file": (["train", "good.cs", "-o", "run"], "Did you mean 'good.csv'"),
    "folder": (["train", ".", "-o", "run"], "is a folder"),
    "empty": (["train", "empty.csv", "-o", "run"], "empty.csv is empty"),
    "no rows": (["train", "header.csv", "-o", "run"], "but no rows"),
    "no usable row": (["train", "useless.csv", "-o", "run"], "None of the 2 rows can be used"),
    "no such column": (
        ["train", "good.csv", "-o", "run", "--smiles-column", "smile"],
        "No column 'smile' in the table. Did you mean 'smiles'?",
    ),
    "no such property": (
        ["train", "good.csv", "-o", "run", "--property", "lgp"],
        "Did you mean 'logp'",
    ),
    "text as property": (
        ["train", "good.csv", "-o", "run", "--property", "split"],
        "holds no number",
    ),
    "bad setting": (
        ["train", "good.csv", "-o", "run", "--set", "latentdim=3"],
        "Did you mean 'latent_dim'",
    ),
    "argument as setting": (
        ["train", "good.csv", "-o", "run", "--set", "output=3"],
        "no setting 'output'",
    ),
    "bad salts": (
        ["train", "good.csv", "-o", "run", "--salts", "largst"],
        "salts can't be 'largst'. Did you mean 'largest'",
    ),
    "bad constraints": (
        ["train", "good.csv", "-o", "run", "--constraints", "wid"],
        "Did you mean 'wide'",
    ),
    "no atoms": (["train", "good.csv", "-o", "run", "--max-heavy-atoms", "0"], "1 or more"),
    "half a setting": (["train", "good.csv", "-o", "run", "--set", "latent_dim"], "NAME=NUMBER"),
    "output is a file": (["train", "good.csv", "-o", "good.csv"], "Can't make the folder good.csv"),
    "no model": (["generate", "-m", "nowhere"], "No model at nowhere"),
    "pickle": (["generate", "-m", "pickle.pt"], "is a pickle"),
    "text as model": (["inspect", "good.csv"], "damaged or no model"),
    "bad SMILES": (["interpolate", "-m", "MODEL", "CCO", "c1cc"], "c1cc: not a SMILES"),
    "unseen token": (["interpolate", "-m", "MODEL", "CCO", "C[Si]"], "never seen"),
    "one end": (["interpolate", "-m", "MODEL", "CCO"], "two compounds or more"),
    "odd suffix": (["generate", "-m", "MODEL", "-o", "x.xlsx"], "must end in .csv or .tsv"),
    "own input": (
        ["reconstruct", "-m", "MODEL", "good.csv", "-o", "good.csv"],
        "file that is read",
    ),
    "picture to stdout": (["generate", "-m", "MODEL", "--image", "-"], "Name a file"),
    "empty reference": (
        ["generate", "-m", "MODEL", "--reference", "useless.csv"],
        "no molecule that RDKit can read",
    ),
    "odd picture": (["generate", "-m", "MODEL", "--image", "x.bmp"], "must end in .svg or .png"),
    "no such filter": (["generate", "-m", "MODEL", "--filter", "pain"], "Did you mean 'pains'"),
    "no such head": (
        ["optimize", "-m", "MODEL", "--objective", "qed:max", "--method", "gradient"],
        "Train one with --property qed",
    ),
    "bad objective": (
        ["optimize", "-m", "MODEL", "--objective", "qed:up"],
        "qed:up: 'up' is no aim and no option.",
    ),
    "no objective": (["optimize", "-m", "MODEL", "--objective", "a.toml"], "No file a.toml."),
    "wrong latents": (["decode", "-m", "MODEL", "wrong.npy"], "this model's have 32"),
    "text as latents": (["decode", "-m", "MODEL", "good.csv"], "no columns z1"),
    "pickled latents": (["decode", "-m", "MODEL", "objects.npy"], "no array of numbers"),
    "no latents": (["decode", "-m", "MODEL", "none.npy"], "No file none.npy"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_in_one_line(  # type: ignore[no-untyped-def]
    case: str, cli, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text("smiles,logp,split\nCCO,1,train\nCCN,2,train\n")
    Path("empty.csv").write_text("\n\n")
    Path("header.csv").write_text("smiles\n")
    Path("useless.csv").write_text("smiles\nc1cc\nhello\n")
    Path("pickle.pt").write_bytes(b"\x80\x04N.")
    np.save("wrong.npy", np.zeros((2, 3)))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    before = sorted(Path().rglob("*"))
    arguments, message = BAD[case]
    result = cli(*[run_folder if one == "MODEL" else one for one in arguments])
    assert result.exit_code == 2, result.output
    (line,) = [one for one in result.stderr.splitlines() if one.startswith("Error: ")]
    assert message in line
    assert result.stdout == ""
    assert sorted(Path().rglob("*")) == before


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(cli, csv_file: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tmp_path.chmod(0o500)
    result = cli("train", csv_file, "-o", tmp_path / "run")
    assert result.exit_code == 2
    assert "permission denied" in result.stderr


def test_ctrl_c_saves_what_there_is_and_says_so(csv_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    # A shell may start this with SIGINT ignored, as it does for its background jobs.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from molvae.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "train", csv_file, "-o", folder, "--size", "small"]
    command += ["--steps", "2000", "--batch-size", "16", "--precision", "fp32", "--patience", "99"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    log = folder / "metrics.csv"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.exists() and log.read_text().count("\n") > 1):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Training was interrupted; the best weights so far are kept." in errors
    assert "Traceback" not in errors
    assert molvae.load(folder).record["outcome"]["ending"] == "interrupted"
