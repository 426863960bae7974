"""A search in a folder goes on to the same table, and evaluates nothing twice."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae import files
from molvae.errors import CheckpointError, OutputError, SettingsError, UserError
from molvae.guidance.desirability import Ramp
from molvae.guidance.evaluated import Evaluated
from molvae.guidance.evaluations import Evaluations
from molvae.guidance.notation import read, written
from molvae.guidance.objective import Objective, Term
from molvae.guidance.own import Own
from molvae.guidance.record import Record
from molvae.guidance.results import RESULTS, Diversity, curve
from molvae.guidance.standing import Account, Standing

BUDGET = 96

ORACLE = """
import os
import signal
from pathlib import Path

HERE = Path(__file__).parent


def carbons(smiles):
    '''Counts, logs what it was asked, and is killed once where it is told to be.'''
    log = HERE / "asked.txt"
    before = len(log.read_text().split()) if log.exists() else 0
    stop = HERE / "kill_at.txt"
    if stop.exists() and before >= int(stop.read_text()):
        stop.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    with log.open("a") as stream:
        stream.writelines(f"{one}\\n" for one in smiles)
    return [one.upper().count("C") / len(one) for one in smiles]
"""


@pytest.fixture
def oracle(tmp_path: Path) -> Path:
    path = tmp_path / "oracle.py"
    path.write_text(ORACLE)
    return path


def asked(oracle: Path) -> list[str]:
    return (oracle.parent / "asked.txt").read_text().split()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "molvae", "optimize", *map(str, arguments)]


def begun(run_folder: Path, oracle: Path, folder: Path) -> list[str]:
    objective = f"python={oracle}:carbons:max"
    return command(
        *("-m", run_folder, "--objective", objective, "--budget", BUDGET, "--seed", 3),
        *("--run", folder),
    )


def lines(folder: Path) -> list[str]:
    path = folder / "evaluations.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def test_a_killed_search_comes_to_the_same_table_and_evaluates_nothing_twice(
    run_folder: Path, oracle: Path, tmp_path: Path
) -> None:
    """kill -9 in the first draws, then within the search."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(begun(run_folder, oracle, whole), check=True)
    expected = asked(oracle)
    assert len(expected) == len(set(expected)) == BUDGET
    (tmp_path / "asked.txt").unlink()

    for moment in (1, 50):
        (tmp_path / "kill_at.txt").write_text(str(moment))
        fresh = begun(run_folder, oracle, killed)
        run = subprocess.run(fresh if moment == 1 else command("--resume", killed), check=False)
        assert run.returncode == -signal.SIGKILL
        assert moment <= len(lines(killed)) == len(asked(oracle)) < BUDGET
        assert not (killed / "molecules.csv").exists()
    subprocess.run(command("--resume", killed), check=True)
    assert asked(oracle) == expected
    for name in ("evaluations.jsonl", "objective.toml", *RESULTS):
        if name != "curve.png":
            assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    again = subprocess.run(command("--resume", killed), capture_output=True, check=False)
    assert again.returncode == 2
    assert b"has ended" in again.stderr


def test_a_kill_at_any_moment_costs_one_part(
    run_folder: Path, oracle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with subprocess.Popen(begun(run_folder, oracle, folder)) as run:
        deadline = time.monotonic() + 120
        while len(lines(folder)) < 24 and time.monotonic() < deadline:
            assert run.poll() is None
            time.sleep(0.002)
        run.kill()
    ended, _, torn = (folder / "evaluations.jsonl").read_text().rpartition("\n")
    safe = {json.loads(one)["smiles"] for one in ended.splitlines()}
    assert len(safe) >= len(lines(folder)) - bool(torn)
    subprocess.run(command("--resume", folder), check=True)
    times = Counter(asked(oracle))
    assert len(lines(folder)) == len(times) == BUDGET
    twice = {smiles for smiles, count in times.items() if count > 1}
    assert twice.isdisjoint(safe)
    assert len(twice) <= Evaluations.PART


def searched(model: molvae.MolVAE, folder: Path, budget: int = 60) -> Path:
    """A search that was interrupted when it had left its first draws."""

    def interrupt(standing: Standing) -> None:
        if standing.evaluations >= 36:
            raise KeyboardInterrupt

    found = model.optimize(
        ["qed:max", "logp:range=1..3,width=1"], budget=budget, run=folder, on_round=interrupt
    )
    assert found.ending == "interrupted"
    assert 36 <= found.evaluations < budget
    return folder


def test_a_torn_line_is_no_evaluation(model: molvae.MolVAE, tmp_path: Path) -> None:
    whole = model.optimize(["qed:max", "logp:range=1..3,width=1"], budget=60)
    folder = searched(model, tmp_path / "run")
    record = folder / "evaluations.jsonl"
    content = record.read_bytes()
    record.write_bytes(content[:-20])
    found = model.resume_search(folder)
    pd.testing.assert_frame_equal(found.table, whole.table)
    assert found.notes == whole.notes
    assert len(lines(folder)) == 60
    assert record.read_bytes().startswith(content)


def test_a_damaged_line_before_the_last_is_told(model: molvae.MolVAE, tmp_path: Path) -> None:
    folder = searched(model, tmp_path / "run")
    good = lines(folder)
    for bad in ("{}", "CCO", good[0].replace('"qed"', '"tpsa"')):
        (folder / "evaluations.jsonl").write_text("\n".join([good[0], bad, *good[1:]]) + "\n")
        with pytest.raises(CheckpointError, match=r"evaluations\.jsonl, line 2: no evaluation of"):
            model.resume_search(folder)


def test_a_changed_objective_or_model_is_refused(
    model: molvae.MolVAE, sample: pd.DataFrame, tmp_path: Path
) -> None:
    folder = searched(model, tmp_path / "run")
    other = molvae.train(sample.head(50), size="small", steps=5, report=False, quiet=True)
    with pytest.raises(CheckpointError, match=r"begun with another model\. It was .*mine"):
        other.resume_search(folder)
    objective = folder / "objective.toml"
    text = objective.read_text()
    objective.write_text(text.replace("qed", "tpsa"))
    with pytest.raises(CheckpointError, match=r"objective\.toml has changed since the search bega"):
        model.resume_search(folder)
    objective.write_text(text)
    assert model.resume_search(folder).ending == "complete"
    with pytest.raises(CheckpointError, match="has ended"):
        model.resume_search(folder)
    with pytest.raises(CheckpointError, match="holds no search to go on with"):
        model.resume_search(tmp_path)


def test_a_changed_function_is_told(model: molvae.MolVAE, oracle: Path, tmp_path: Path) -> None:
    def interrupt(standing: Standing) -> None:
        raise KeyboardInterrupt

    objective = f"python={oracle}:carbons:max"
    model.optimize(objective, budget=30, run=tmp_path / "run", on_round=interrupt)
    oracle.write_text(ORACLE + "\n# another remark\n")
    notes = model.resume_search(tmp_path / "run").notes
    assert notes == (
        f"{oracle} has changed since the search began; what was evaluated before stays as it is.",
    )
    assert len(asked(oracle)) == 30


def test_a_folder_with_a_search_is_not_overwritten_unasked(
    model: molvae.MolVAE, tmp_path: Path
) -> None:
    folder = searched(model, tmp_path / "run")
    with pytest.raises(OutputError, match=r"--resume .*run`, or add --overwrite"):
        model.optimize("qed:max", budget=5, run=folder)
    model.optimize("qed:max", budget=5, run=folder, overwrite=True)
    assert len(lines(folder)) == 5
    with pytest.raises(OutputError, match="Name another folder, or add --overwrite"):
        model.optimize("qed:max", budget=5, run=folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "best.csv").write_text("my own")
    with pytest.raises(OutputError, match=r"mine holds best\.csv, which a search would replace"):
        model.optimize("qed:max", budget=5, run=tmp_path / "mine")


def test_a_search_that_never_began_leaves_its_folder_free(
    model: molvae.MolVAE, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="method can't be"):
        model.optimize("qed:max", budget=5, method="cmaes", run=tmp_path / "run")
    assert model.optimize("qed:max", budget=5, run=tmp_path / "run").ending == "complete"


def test_a_search_where_nothing_can_be_drawn_ends_without_its_picture(
    model: molvae.MolVAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rdkit.Chem.Draw", None)
    found = model.optimize("qed:max", budget=5, run=tmp_path / "run")
    assert any("libxrender1" in note for note in found.notes)
    there = {one.name for one in (tmp_path / "run").iterdir()}
    assert set(RESULTS) - there == {"best.svg"}
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["notes"] == [*found.notes]


def test_an_evolution_goes_on_as_if_nothing_had_been(model: molvae.MolVAE, tmp_path: Path) -> None:
    options: dict[str, Any] = {"budget": 260, "method": "evolution", "seed": 5, "flat": True}
    whole = model.optimize("qed:max", **options)

    def interrupt(standing: Standing) -> None:
        if standing.evaluations >= 200:  # behind the first lesson
            raise KeyboardInterrupt

    model.optimize("qed:max", run=tmp_path / "run", on_round=interrupt, **options)
    assert 200 <= len(lines(tmp_path / "run")) < 260
    found = model.resume_search(tmp_path / "run")
    pd.testing.assert_frame_equal(found.table, whole.table)
    assert len(lines(tmp_path / "run")) == 260
    assert not any("another way" in note for note in found.notes)


def test_a_search_of_another_version_is_named(model: molvae.MolVAE, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def interrupt(standing: Standing) -> None:
        raise KeyboardInterrupt

    model.optimize("qed:max", budget=60, run=folder, on_round=interrupt)
    path = folder / "search.json"
    plan = json.loads(path.read_text())
    lacking = {name: one for name, one in plan["call"].items() if name != "screen"}
    for call, reason in [
        (lacking, "Call lacks screen"),
        (plan["call"] | {"method": 5}, "method is a text, not 5"),
        (plan["call"] | {"start": "CCO"}, "start are texts, not 'CCO'"),
        (plan["call"] | {"budget": 0}, "budget is 1 or more"),
    ]:
        path.write_text(json.dumps(plan | {"call": call}))
        with pytest.raises(CheckpointError, match=f"another version of molvae.*{reason}"):
            model.resume_search(folder)
    path.write_text(json.dumps(plan))
    (folder / "evaluations.jsonl").unlink()
    (folder / "evaluations.jsonl").mkdir()
    with pytest.raises(CheckpointError, match=r"Can't read .*evaluations\.jsonl"):
        model.resume_search(folder)


def test_switches_are_switches(model: molvae.MolVAE) -> None:
    for name in ("strict", "adapt", "screen", "flat"):
        with pytest.raises(SettingsError, match=f"{name} is True or False"):
            model.optimize("qed:max", budget=5, **{name: "no"})


def test_what_cannot_be_searched_replaces_no_search(model: molvae.MolVAE, tmp_path: Path) -> None:
    folder = searched(model, tmp_path / "run")
    before = lines(folder)
    wrong: list[dict[str, Any]] = [
        {"method": "cmaes"},
        {"method": "evolution", "moves": "mutation"},
        {"filters": "mosses"},
        {"start": "no molecule"},
        {"budget": 0},
    ]
    for options in wrong:
        with pytest.raises(UserError):
            model.optimize("qed:max", run=folder, overwrite=True, **options)
    with pytest.raises(SettingsError, match="qedd"):
        model.optimize("qedd:max", run=folder, overwrite=True)
    assert lines(folder) == before


def test_a_function_that_is_mended_is_asked_again(model: molvae.MolVAE, tmp_path: Path) -> None:
    oracle = tmp_path / "oracle.py"
    oracle.write_text("def size(smiles):\n    raise OSError('no licence')\n")
    with pytest.raises(SettingsError, match="no licence"):
        model.optimize(f"python={oracle}:size:max", budget=40, run=tmp_path / "run")
    oracle.write_text("def size(smiles):\n    return [len(one) for one in smiles]\n")
    found = model.resume_search(tmp_path / "run")
    assert found.ending == "complete"
    assert found.table["size"].notna().all()


def test_a_function_that_is_mended_after_a_stall_is_asked_again(
    model: molvae.MolVAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.guidance.search.STALL", 2)
    oracle, run = tmp_path / "oracle.py", tmp_path / "run"
    oracle.write_text("def size(smiles):\n    return [None for _ in smiles]\n")
    with pytest.raises(SettingsError, match="No value for any of the first 20 molecules"):
        model.optimize(
            f"python={oracle}:size:max", budget=100, moves="nearby", adapt=False, run=run
        )
    oracle.write_text("def size(smiles):\n    return [len(one) for one in smiles]\n")
    assert model.resume_search(run).table["size"].notna().all()


def test_a_search_that_strayed_goes_on_behind_what_it_knows(
    model: molvae.MolVAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.guidance.search.STALL", 2)

    def interrupt(standing: Standing) -> None:
        if standing.evaluations >= 40:
            raise KeyboardInterrupt

    run = tmp_path / "run"
    model.optimize("qed:max", budget=80, run=run, on_round=interrupt, seed=2)
    record = run / "evaluations.jsonl"
    record.write_text("".join(f"{one}\n" for one in lines(run)[1:]))
    found = model.resume_search(run)
    assert (found.ending, found.evaluations) == ("complete", 80)


def test_two_searches_in_one_folder_are_refused(model: molvae.MolVAE, tmp_path: Path) -> None:
    code = (
        "import sys, time; from molvae import files; from pathlib import Path\n"
        "with files.locked(Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)"
    )
    folder = searched(model, tmp_path / "run")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(OutputError, match="Another run writes"):
            model.resume_search(folder)
        with pytest.raises(OutputError, match="Another run writes"):
            model.optimize("qed:max", budget=5, run=folder, overwrite=True)
        other.kill()
    with files.locked(folder):
        pass


def test_what_is_in_the_folder(model: molvae.MolVAE, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    found = model.optimize("qed:max", budget=130, run=folder)
    table = pd.read_csv(folder / "molecules.csv")
    assert table["smiles"].tolist() == found.table["smiles"].tolist()
    best = pd.read_csv(folder / "best.csv")
    assert best["smiles"].tolist() == found.good["smiles"].head(100).tolist()
    steps = pd.read_csv(folder / "curve.csv")
    assert steps["evaluations"].tolist() == list(range(1, 131))
    scores = found.table.sort_values("evaluation")["score"]
    np.testing.assert_allclose(steps["best"], scores.cummax(), rtol=1e-5)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["ending"] == "complete"
    assert summary["top10"] == pytest.approx(found.table["score"].head(10).mean())
    assert summary["scaffolds"] == steps["scaffolds"].iloc[-1]
    assert summary["top100"]["molecules"] == len(best)
    assert 0.5 < summary["top100"]["internal_diversity"] < 1
    assert "<svg" in (folder / "best.svg").read_text()
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    plan = json.loads((folder / "search.json").read_text())
    assert plan["model"] == model.path


def test_a_search_without_an_evaluation_has_results(
    model: molvae.MolVAE, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("molvae.guidance.search.draw", interrupt)
    model.optimize("qed:max", budget=20, run=tmp_path / "run")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["ending"], summary["best"]) == ("interrupted", None)


def test_the_command_tells_how_to_go_on(
    cli,
    run_folder: Path,
    model: molvae.MolVAE,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    folder = searched(model, tmp_path / "run")
    result = cli("optimize", "--resume", folder, "--budget", 100)
    assert result.exit_code == 2
    assert "--budget can't change within a search" in result.stderr
    result = cli("optimize", "--resume", folder, "-o", tmp_path / "also.csv")
    assert result.exit_code == 0, result.stderr
    assert "60 molecules evaluated (complete)" in result.stderr
    assert "internal diversity" in result.stderr
    assert len(pd.read_csv(tmp_path / "also.csv")) == 60
    assert result.stdout == ""
    result = cli("optimize")
    assert result.exit_code == 2


# The parts.


def test_a_record_keeps_every_digit(tmp_path: Path) -> None:
    one = Evaluated((0.1 + 0.2, math.nan), (1 / 3, math.nan), -math.inf, ("", "broke: é\n"), False)
    other = Evaluated((-7.0, 1e300), (0.0, 1.0), -0.25, ("", ""), True)
    record = Record(tmp_path / "record", ["a", "b"])
    record.add({"CCO": one})
    record.add({"C": other})
    found = Record(tmp_path / "record", ["a", "b"]).found
    assert list(found) == ["CCO", "C"]
    assert repr(found["CCO"]) == repr(one)
    assert found["C"] == other


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_record_that_was_cut_goes_on_behind_its_last_whole_line(tmp_path: Path, cut: int) -> None:
    one = Evaluated((1.0,), (1.0,), 1.0, ("",), True)
    record = Record(tmp_path / "record", ["a"])
    record.add({"C": one, "CC": one})
    path = tmp_path / "record"
    path.write_bytes(path.read_bytes()[:-cut])
    again = Record(path, ["a"])
    assert list(again.found) == ["C"]
    again.add({"CCC": one})
    assert list(Record(path, ["a"]).found) == ["C", "CCC"]


def test_a_search_that_goes_another_way_loses_nothing(model: molvae.MolVAE, tmp_path: Path) -> None:
    """As on another machine, where the model may write another molecule here and there."""
    folder = searched(model, tmp_path / "run")
    record = folder / "evaluations.jsonl"
    first = 12  # behind the draws to start from, whatever the machine asks for together
    kept = [one for one in lines(folder) if one != lines(folder)[first]]
    record.write_text("\n".join(kept) + "\n")
    found = model.resume_search(folder)
    assert found.evaluations == found.table["smiles"].nunique() == 60
    assert {json.loads(one)["smiles"] for one in kept} <= set(found.table["smiles"])
    assert len(lines(folder)) == 60
    assert f"{len(kept) - first} molecules evaluated then are in the table" in found.notes[0]


@pytest.mark.parametrize(
    "shorthands",
    [
        ["qed:max"],
        ["mean=arithmetic", "logp:range=1..3,width=0.5,weight=2", "smarts=[NX3;H2]:present"],
        ["similarity=C/C=C\\C:max=0.3..0.7,fingerprint=maccs", "filters=moses,pains:constraint=1"],
        ["logp:curve=0/0..2/1..4/0", "predicted=logp:target=2,width=1e-7", "tpsa:min=0..140"],
    ],
)
def test_an_objective_that_was_written_down_is_read_again(
    shorthands: list[str], tmp_path: Path
) -> None:
    objective = read(shorthands)
    (tmp_path / "again.toml").write_text(written(objective))
    again = read(tmp_path / "again.toml")
    assert again == objective
    assert written(again) == written(objective)


def test_a_function_is_written_down_by_its_absolute_place(
    oracle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    objective = read("python=oracle.py:carbons:max")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "again.toml").write_text(written(objective))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read("again.toml").terms[0].quantity == objective.terms[0].quantity
    made = Objective((Term(Own(len), Ramp()),))
    with pytest.raises(SettingsError, match="len: A term made in Python can't be written down"):
        written(made)


def test_the_standing_by_hand() -> None:
    account = Account()
    assert repr(account.standing) == repr(Standing(0, math.nan, math.nan, 0))
    for smiles, score in [("c1ccccc1C", 0.5), ("CC", -math.inf), ("c1ccccc1CC", 0.1)]:
        account.add(smiles, score)
    assert account.standing == Standing(3, 0.5, pytest.approx(0.3), 1)
    for size in range(1, 13):
        account.add("C" * size, size)
    assert account.standing == Standing(15, 12, 7.5, 1)
    table = pd.DataFrame({"smiles": ["CC", "C"], "score": [2.0, math.nan], "evaluation": [2, 1]})
    assert curve(table)["best"].fillna(-1).tolist() == [-1, 2]


def test_the_diversity_by_hand() -> None:
    same = Diversity.of(["CCO"])
    assert (same.molecules, same.internal_diversity, same.scaffolds) == (1, 0, 0)
    # Two molecules that share no bit: half of the four pairs are of one with itself.
    assert Diversity.of(["c1ccccc1", "F"]).internal_diversity == pytest.approx(0.5)
    assert Diversity.of(["c1ccccc1", "Cc1ccccc1", "C1CC1"]).scaffolds == 2
    assert math.isnan(Diversity.of([]).internal_diversity)
