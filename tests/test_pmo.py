"""The oracles and the account of PMO, against numbers worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from bench_pmo import append, is_there, run
from pharmacophores import pharmacophores, similarity
from pmo import ORACLES, TARGETS
from pmo_account import Counted, Exhausted, area, curve
from pmo_methods import METHODS
from pmo_parts import at_least, at_most, enough, gaussian, isomer
from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D
from rdkit.DataStructs import TanimotoSimilarity

from molvae.chem.molecules import parse


def test_there_are_twenty() -> None:
    assert len(ORACLES) == 20
    assert list(ORACLES) == sorted(ORACLES)


def test_scores_are_shares(sample: pd.DataFrame) -> None:
    for name, oracle in ORACLES.items():
        for smiles in [*sample["smiles"].head(5), *TARGETS.values(), "C", "[Na+].[Cl-]"]:
            assert 0 <= oracle(smiles) <= 1, (name, smiles)


@pytest.mark.parametrize(
    ("task", "target"),
    [
        ("albuterol_similarity", "albuterol"),
        ("celecoxib_rediscovery", "celecoxib"),
        ("mestranol_similarity", "mestranol"),
        ("thiothixene_rediscovery", "thiothixene"),
        ("troglitazone_rediscovery", "troglitazone"),
    ],
)
def test_the_target_scores_best(task: str, target: str) -> None:
    assert ORACLES[task](TARGETS[target]) == 1


def test_shapes() -> None:
    half = math.exp(-0.5)
    assert gaussian(2, 1)(3) == gaussian(2, 1)(1) == half
    assert (at_most(2, 1)(0), at_most(2, 1)(3)) == (1, half)
    assert (at_least(2, 1)(9), at_least(2, 1)(1)) == (1, half)
    assert (enough(0.5)(0.25), enough(0.5)(0.7)) == (0.5, 1)


def test_a_formula_counts_each_element_and_all_atoms() -> None:
    # C2H6 for C2H4: two hydrogens too many, exp(-2), and two atoms too many, exp(-1/2).
    assert isomer("C2H4")(parse("CC")) == pytest.approx(math.exp(-2.5 / 3))
    assert isomer("C2H4")(parse("C=C")) == 1
    assert ORACLES["isomers_c7h8n2o2"]("NNC(=O)c1ccc(O)cc1") == 1


def test_zaleplon_has_another_formula_than_is_wanted() -> None:
    # C17H15N5O for C19H17N3O2: 2, 2, 2 and 1 off, and 38 atoms of 41.
    off = (2 + 2 + 2 + 0.5 + 9 / 8) / 5
    assert ORACLES["zaleplon_mpo"](TARGETS["zaleplon"]) == pytest.approx(math.exp(-off / 2))


def test_patterns_count() -> None:
    scaffold, decoration = "CCOc1cc2ncnc(Nc3ccccc3)c2cc1C", TARGETS["quinazoline"]
    assert ORACLES["deco_hop"](scaffold) > 0.75
    assert ORACLES["deco_hop"](decoration) == pytest.approx(0.5)
    assert ORACLES["scaffold_hop"](decoration) == pytest.approx(2 / 3)


def test_pharmacophores_are_those_of_rdkit(sample: pd.DataFrame) -> None:
    molecules = [parse(one) for one in [*sample["smiles"].head(8), "C", "NCC.CCO", "NCCCC(=O)O"]]
    theirs = [Generate.Gen2DFingerprint(one, Gobbi_Pharm2D.factory) for one in molecules]
    ours = [pharmacophores(one) for one in molecules]
    for one, other in zip(theirs, ours, strict=True):
        assert one.GetNumOnBits() == len(other)
        assert TanimotoSimilarity(one, theirs[0]) == similarity(other, ours[0])


def test_the_area() -> None:
    # Up to .5 over 100 calls, .5 until the end: 25 + 50 + 25, and 75 where nothing more came.
    assert area([0.5] * 250, budget=400) == pytest.approx((25 + 50 + 25 + 75) / 400)
    # Ten ones, of which five come before the hundredth call: 0, 1/2, 1, 1.
    scores = [*[0.0] * 95, *[1.0] * 10, *[0.0] * 195]
    assert curve(scores) == [(0, 0.0), (100, 0.5), (200, 1.0), (300, 1.0)]
    assert area(scores, budget=300) == pytest.approx((25 + 75 + 100) / 300)
    assert area([], budget=300) == 0


def test_each_molecule_is_charged_once() -> None:
    asked: list[str] = []
    oracle = Counted(lambda smiles: asked.append(smiles) or 0.5, budget=2)  # type: ignore[func-returns-value]
    assert [oracle(one) for one in ("OCC", "CCO", "C(O)C")] == [0.5] * 3
    assert [oracle(one) for one in ("", "C(C", "c1ccc")] == [0] * 3
    assert (asked, oracle.left) == (["CCO"], 1)
    oracle("C")
    with pytest.raises(Exhausted):
        oracle("CC")
    assert oracle("OCC") == 0.5
    assert list(oracle.found) == ["CCO", "C"]


def test_a_run_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chains(oracle: Counted, seed: int, model: str) -> None:
        for length in range(1, 100):
            oracle("C" * length)

    monkeypatch.setitem(METHODS, "chains", chains)
    path = tmp_path / "pmo" / "rows.csv"
    assert not is_there(path, ("chains", "qed", 0, 20))
    for seed in (0, 1):
        row, best = run("chains", "qed", seed, 20, "")
        append(row, path)
    written = pd.read_csv(path)
    assert [*written["seed"]] == [0, 1]
    assert [*written["calls"]] == [20, 20]
    assert is_there(path, ("chains", "qed", 1, 20))
    assert not is_there(path, ("chains", "qed", 1, 21))
    assert best["score"].is_monotonic_decreasing
    assert best["score"].head(10).mean() == pytest.approx(written["top10"][1], abs=1e-5)
