"""The environment in which the original code of MOSES and GuacaMol is run."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from make_moses_data import WHEEL_SHA256

from molvae import files

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "runs" / "originals"


def moses_wheel(path: str) -> Path:
    """The wheel of molsets 0.3.1, as the type of an argument."""
    if not Path(path).is_file() or files.sha256(Path(path)) != WHEEL_SHA256:
        raise argparse.ArgumentTypeError(f"{path} is not the wheel of molsets 0.3.1")
    return Path(path)


def environment(wheel: Path) -> Path:
    """The Python of an environment that holds the originals, made when it isn't there."""
    python = WORK / "bin" / "python"
    pins = ["-c", str(ROOT / "constraints.txt")]
    if not (WORK / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", str(WORK)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        needed = ["torch", "rdkit", "pandas", "scipy", "tqdm", "joblib", "matplotlib"]
        subprocess.run([*install, *pins, *needed], check=True)
        originals = [str(wheel), "guacamol==0.5.5", "fcd==1.2.2", "fcd_torch==1.0.7"]
        subprocess.run([*install, "--no-deps", *originals], check=True)
        files.write_text(WORK / "complete", "")
    return python
