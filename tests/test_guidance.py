"""Property-guided search: it gains, and its account is honest."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae.chem.molecules import parse
from molvae.chem.properties import compute
from molvae.chem.strings import Decoded
from molvae.errors import MoleculeError, SettingsError
from molvae.guidance.desirability import Ramp
from molvae.guidance.evaluations import Evaluations
from molvae.guidance.notation import read
from molvae.guidance.objective import Objective, Term
from molvae.guidance.own import Own
from molvae.guidance.standing import Standing


@pytest.mark.parametrize("method", ["cma", "evolution", "gradient"])
def test_a_search_beats_as_many_draws(model: molvae.MolVAE, method: str) -> None:
    found = model.optimize("logp:max", budget=300, method=method)
    drawn = model.generate(300, strict=False).table["logp"]
    assert found.evaluations == len(found.table) == found.table["smiles"].nunique() == 300
    assert found.table["logp"].head(10).mean() > drawn.nlargest(10).mean()


def test_an_evolution_goes_by_the_moves_it_is_told(model: molvae.MolVAE) -> None:
    options = {"budget": 150, "method": "evolution", "seed": 3}
    graphs = model.optimize("qed:max", moves="graphs", adapt=False, **options)
    again = model.optimize("qed:max", moves=["graphs"], adapt=False, **options)
    assert graphs.table.equals(again.table)
    latent = model.optimize("qed:max", moves=["nearby", "samples"], **options)
    assert set(latent.table["smiles"]) != set(graphs.table["smiles"])
    with pytest.raises(SettingsError, match="mutation"):
        model.optimize("qed:max", moves="mutation", **options)
    with pytest.raises(SettingsError, match="method evolution"):
        model.optimize("qed:max", moves="graphs", method="cma")


def test_the_usual_method_is_evolution(model: molvae.MolVAE) -> None:
    usual = model.optimize("qed:max", budget=60, seed=2).table
    assert usual.equals(model.optimize("qed:max", budget=60, seed=2, method="evolution").table)
    assert not usual.equals(model.optimize("qed:max", budget=60, seed=2, method="cma").table)
    assert len(model.optimize("qed:max", budget=60, moves="graphs", adapt=False).table) == 60


def test_the_usual_method_for_a_lone_head_is_its_gradient(model: molvae.MolVAE) -> None:
    usual = model.optimize("predicted=logp:max", budget=40).table
    assert usual.equals(model.optimize("predicted=logp:max", budget=40, method="gradient").table)


def test_reported_values_are_computed_from_the_molecule(model: molvae.MolVAE) -> None:
    table = model.optimize("tpsa:min", budget=60).table
    assert table["tpsa"].is_monotonic_increasing
    for row in table.head(15).itertuples():
        assert row.tpsa == pytest.approx(compute(parse(row.smiles), ["tpsa"])["tpsa"])
        assert row.novel == (row.smiles not in model.checkpoint.known)
        assert row.strict
    assert sorted(table["evaluation"]) == list(range(1, 61))


def test_the_draws_to_start_from_may_be_repaired_ones(model: molvae.MolVAE) -> None:
    assert model.optimize("qed:max", budget=100, method="cma", seed=1).table["strict"].all()
    table = model.optimize("qed:max", budget=100, method="cma", seed=1, strict=False).table
    assert not table[table["evaluation"] <= 20]["strict"].all()


def test_the_good_are_novel_and_have_a_score(model: molvae.MolVAE) -> None:
    def carbons(smiles: list[str]) -> list[float]:
        return [math.nan if "N" in one else one.count("C") for one in smiles]

    found = model.optimize(Objective((Term(Own(carbons), Ramp(rising=False)),)), budget=60)
    good = found.table.query("novel and objection == '' and reason == ''")
    assert 0 < len(good) < found.table.query("novel and objection == ''").shape[0]
    assert found.good.equals(good)
    assert (found.good["score"] <= 0).all()  # the negative of what should be small


def test_a_target_is_approached(model: molvae.MolVAE) -> None:
    table = model.optimize("mol_weight:target=250", budget=120).table
    distance = np.abs(table["mol_weight"] - 250)
    assert distance.is_monotonic_increasing
    assert distance.iloc[0] < 1


def test_a_search_starts_where_it_is_told(model: molvae.MolVAE) -> None:
    start = "CCOc1ccccc1"
    table = model.optimize("qed:max", budget=40, method="cma", start=[start]).table
    assert table.loc[table["evaluation"] == 1, "smiles"].tolist() == [start]
    with pytest.raises(MoleculeError, match="not a SMILES"):
        model.optimize("qed:max", budget=40, method="cma", start=[start, "xyz"])
    with pytest.raises(MoleculeError, match=r"^'': empty"):
        model.optimize("qed:max", budget=40, method="cma", start="")
    series = model.optimize("qed:max", budget=10, method="cma", start=pd.Series([start])).table
    assert start in series["smiles"].tolist()
    assert len(model.optimize("qed:max", budget=10, method="cma", start=start).table) == 10


def test_a_search_starts_from_a_table(
    model: molvae.MolVAE, sample: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    mine = [*sample["smiles"].head(30), "xyz", "", sample["smiles"].iloc[0]]
    pd.DataFrame({"smiles": mine}).to_csv(path, index=False)
    first, again, other = (
        model.optimize(
            "qed:max", budget=40, method="cma", start_from=path, seed=seed
        ).table.sort_values("evaluation")["smiles"]
        for seed in (0, 0, 1)
    )
    begun = first.head(8).tolist()  # a fifth of the budget
    assert set(begun) <= set(model.encode(mine).smiles)
    assert len(set(begun)) == 8
    assert first.tolist() == again.tolist()
    assert begun != other.head(8).tolist()
    few = model.optimize(
        "qed:max", budget=40, method="cma", start="CCOc1ccccc1", start_from=["CCO"]
    ).table
    assert few.sort_values("evaluation")["smiles"].head(2).tolist() == ["CCOc1ccccc1", "CCO"]
    some = model.optimize("qed:max", budget=20, method="cma", start_from=["CCO", "xyz", "CCN"])
    assert some.notes[0].startswith("1 of 3 molecules to start from can't be used; 'xyz': not a S")
    many = model.optimize("qed:max", budget=5, method="cma", start_from=path, column="smiles")
    # Another machine's rounding may let so short a search stall.
    assert [note for note in many.notes if "stalled" not in note] == []
    with pytest.raises(SettingsError, match="name the table, too"):
        model.optimize("qed:max", budget=5, column="smiles")
    with pytest.raises(MoleculeError, match=r"None of the molecules to start from .* not a SMILES"):
        model.optimize("qed:max", budget=40, method="cma", start_from=["xyz", "C("])


def test_the_same_seed_gives_the_same_search(model: molvae.MolVAE) -> None:
    one, two = (model.optimize("qed:max", budget=80, seed=4).table for _ in range(2))
    assert one.equals(two)


def test_an_interrupted_search_gives_what_it_has(
    model: molvae.MolVAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    told: list[int] = []

    def interrupt_later(standing: Standing) -> None:
        told.append(standing.evaluations)
        if standing.evaluations > 24:
            interrupt()

    found = model.optimize("qed:max", budget=150, on_round=interrupt_later)
    assert told == [24, found.evaluations] == [24, 30]  # both of the draws to start from

    monkeypatch.setattr("molvae.guidance.search.draw", interrupt)
    found = model.optimize("qed:max", budget=20)
    assert (found.ending, found.evaluations, len(found.table)) == ("interrupted", 0, 0)
    assert {"smiles", "qed", "novel", "objection"} <= set(found.table.columns)


def test_a_molecule_is_evaluated_and_charged_once(model: molvae.MolVAE) -> None:
    evaluations = Evaluations(model.codec, read("mol_weight:max"), budget=2)
    molecules = [Decoded(one, strict=True) for one in ["CCO", "", "CCO", "CC", "CCC"]]
    scores = evaluations.score([Decoded("CCCC", strict=False), *molecules])
    assert scores[1] == scores[3] == pytest.approx(46.07, abs=0.01)
    assert scores[0] == scores[2] == scores[5] == -np.inf
    assert evaluations.left == 0


def test_a_property_that_only_the_model_knows(sample, tmp_path) -> None:  # type: ignore[no-untyped-def]
    table = sample.head(200).assign(activity=sample["logp"] * 2)
    own = molvae.train(table, properties=["activity"], size="small", steps=60, quiet=True)
    found = own.optimize("activity:max", budget=30)
    assert "predicted_activity" in found.table
    encoded = own.codec.encode(found.table["smiles"]).mean
    np.testing.assert_allclose(
        own.codec.predict(encoded)[:, 0], found.table["predicted_activity"], rtol=1e-3
    )


@pytest.mark.parametrize(
    ("objective", "options", "message"),
    [
        ("qedd:max", {}, "^qedd:max: No property 'qedd'. Did you mean 'qed'"),
        (["qedd:max", "logp:max"], {}, "^qedd:max: No property 'qedd'. Did you mean 'qed'"),
        (
            "similarity=[Na+].[Cl-]:max",
            {},
            r"\[Cl-\]: several fragments, none .* Name one compound",
        ),
        ("CCO:max", {}, "If it is a compound, say similarity=CCO"),
        ("predicted=qed:max", {}, r"no head for 'qed'\. Known: logp\. .* or take property=qed"),
        (
            "qed:max",
            {"method": "gradient"},
            r"no head for 'qed'\. Known: logp\. .* or use --method evolution",
        ),
        (["logp:max=0..5", "qed:max"], {"method": "gradient"}, "along one head"),
        ("filters=moses", {"method": "gradient"}, "along one head"),
        ("qed:max", {"method": "cma", "screen": False}, "Only the method evolution"),
        ("qed:max", {"method": "cma", "adapt": False}, "cma knows no adapt"),
        ("predicted=logp:max", {"adapt": False}, "gradient knows no adapt"),
        ("qed:max", {"method": "cmaes"}, "Did you mean 'cma'"),
        ("qed:max", {"budget": 0}, "budget is 1 or more"),
        ("qed:max", {"filters": ["mosess"]}, "Did you mean 'moses'"),
    ],
)
def test_what_cannot_be_searched(model: molvae.MolVAE, objective, options, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingsError, match=message):
        model.optimize(objective, **{"budget": 20, **options})
