"""What molvae promises to the outside: its names, its documents, its two commands."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import molvae
from molvae import errors

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def test_the_public_names() -> None:
    assert molvae.__all__ == sorted(molvae.__all__)
    assert set(molvae.__all__) >= {"MolVAE", "load", "train", "MolVAEError"}
    for name in molvae.__all__:
        assert getattr(molvae, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        molvae.lode  # noqa: B018


def test_every_error_is_public_and_in_the_tree() -> None:
    kinds = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and one.__module__ == errors.__name__
    ]
    for kind in kinds:
        assert issubclass(kind, errors.MolVAEError)
        assert kind.__name__ in molvae.__all__
        assert kind.__name__ in errors.__doc__


def test_the_version_is_one() -> None:
    assert f'version = "{molvae.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## [{molvae.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_help_texts_in_the_documents_are_those_printed() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_command_docs.py", "--print"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == (ROOT / "docs" / "commands.md").read_text(), (
        "docs/commands.md is stale; run scripts/make_command_docs.py"
    )


def test_the_constraints_pin_what_the_project_needs() -> None:
    pins = (ROOT / "constraints.txt").read_text()
    assert "\ntorch==2.13.0\n" in pins
    project = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"^dependencies = (\[.*?^\])", project, re.DOTALL | re.MULTILINE)
    assert listed
    for requirement in ast.literal_eval(listed[1]):
        name = re.split(r"[<>=]", requirement)[0]
        assert re.search(rf"^{name}==", pins, re.MULTILINE | re.IGNORECASE), name


@pytest.fixture
def workplace(tmp_path: Path, csv_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the README has it, with a few molecules in place of 105,000."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "moses_sample.csv.gz").write_bytes(csv_file.read_bytes())
    (tmp_path / "data.csv").write_bytes(csv_file.read_bytes())
    made = pd.read_csv(csv_file).head(40).rename(columns={"logp": "pic50"})
    made.to_csv(tmp_path / "measured.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def quickly(text: str) -> str:
    """A README text with the minutes of training taken out."""
    text = text.replace("--max-minutes 8", "--steps 60 --size small")
    text = text.replace("max_minutes=8", 'steps=60, size="small"')
    text = text.replace("-n 10000", "-n 5").replace("-n 1000", "-n 5")
    return text.replace("(1000", "(5").replace("1000", "40")


def test_the_commands_of_the_readme_run(workplace: Path, cli) -> None:  # type: ignore[no-untyped-def]
    import shlex

    session = "\n".join(blocks("console")).replace("\\\n", " ")
    commands = re.findall(r"^\$ (molvae .*)$", session, flags=re.MULTILINE)
    assert {shlex.split(one)[1] for one in commands} == set(molvae.cli.main.commands)
    for command in commands:
        result = cli(*shlex.split(quickly(command))[1:])
        assert result.exit_code == 0, (command, result.output)


def test_the_library_example_of_the_readme_runs(workplace: Path) -> None:
    (example,) = blocks("python")
    code = (
        f"if __name__ == '__main__':\n    {quickly(example).replace(chr(10), chr(10) + '    ')}\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_scripts_of_the_readme_are_there() -> None:
    for name in re.findall(r"scripts/[\w.]+", README):
        assert (ROOT / name).exists(), name
