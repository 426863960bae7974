"""The next batch, from measured values: what is read, what is learned, what is proposed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae.chem.filters import objection
from molvae.chem.fingerprints import similarities, tanimoto
from molvae.chem.molecules import parse
from molvae.chem.properties import compute
from molvae.corpus.table import as_table
from molvae.errors import SettingsError, TableError
from molvae.guidance.desirability import Ramp, Target
from molvae.guidance.hopes import Hoped, features_of
from molvae.guidance.measurements import Measurements
from molvae.guidance.objective import Objective, Term
from molvae.guidance.own import Own
from molvae.guidance.quantities import Column
from molvae.guidance.surrogate import Features, Shape, Surrogate


@pytest.fixture(scope="module")
def measured(sample: pd.DataFrame) -> pd.DataFrame:
    """Sixty molecules with a value that a laboratory might find."""
    table = sample.head(60)[["smiles", "logp"]]
    noise = np.random.default_rng(0).normal(0, 0.1, len(table))
    return table.assign(pic50=4 + table["logp"] + noise)[["smiles", "pic50"]]


@pytest.fixture(scope="module")
def batch(model: molvae.MolVAE, measured: pd.DataFrame):  # type: ignore[no-untyped-def]
    return model.suggest(measured, "pic50:max", count=8, budget=240, seed=2)


def test_a_batch_is_new_distinct_and_passes(batch, measured, model) -> None:  # type: ignore[no-untyped-def]
    table = batch.table
    assert len(table) == table["smiles"].nunique() == 8
    assert batch.candidates == 240
    assert set(table["smiles"]).isdisjoint(measured["smiles"])
    assert table["novel"].all()
    for row, smiles in enumerate(table["smiles"]):
        assert smiles not in model.checkpoint.known
        assert objection(parse(smiles), ["moses"]) == ""
        others = [one for one in table["smiles"] if one != smiles]
        assert max(similarities(smiles, others)) < 0.7
        nearest = table["nearest_measured"][row]
        assert table["nearest_similarity"][row] == pytest.approx(
            tanimoto(smiles, nearest), abs=1e-6
        )
        best = max(similarities(smiles, measured["smiles"].tolist()))
        assert table["nearest_similarity"][row] == pytest.approx(best, abs=1e-6)
        assert table["logp"][row] == pytest.approx(compute(parse(smiles), ["logp"])["logp"])
    assert table["score"].is_monotonic_decreasing
    assert table["score"].tolist() == table["predicted_pic50"].tolist()
    assert (table["predicted_pic50_sd"] > 0).all()


def test_a_batch_is_predicted_to_be_better_than_what_was_measured(batch, measured) -> None:  # type: ignore[no-untyped-def]
    assert batch.table["predicted_pic50"].mean() > measured["pic50"].mean()


def test_the_same_seed_gives_the_same_batch(batch, measured, model) -> None:  # type: ignore[no-untyped-def]
    again = model.suggest(measured, "pic50:max", count=8, budget=240, seed=2)
    pd.testing.assert_frame_equal(again.table, batch.table)
    assert again.notes == batch.notes


def test_where_a_batch_goes_is_decided_by_what_was_measured(measured, batch, model) -> None:  # type: ignore[no-untyped-def]
    less = model.suggest(measured, "pic50:min", count=8, budget=240, seed=2).table
    assert less["predicted_pic50"].mean() < batch.table["predicted_pic50"].mean()


MESSY = """ID;Structure;pIC50 (nM) ;solubility;remark
a;OCC;5,1;;fresh
b;C(C)O;5,3;1;the same again
c;CCCO;6;n.d.;
d;no molecule;7;2;lost label
e;CCCCO;>9;3;
f;CCCCCO;6,5;;
g;CC(C)O;;4;not yet made
h;CCCCCCO;6,75;;

i;COCCO;4,75;;
j;[Na+].[Cl-];4;;salt
"""


def test_a_messy_table_is_read_and_all_that_is_lost_is_told(model, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "measured.csv"
    path.write_text(MESSY, encoding="cp1252")
    table = as_table(path)
    name = next(one for one in table.columns if one.startswith("pIC50"))
    found = model.suggest(path, f"measured={name}:max", count=2, budget=60, filters=())
    rows = found.rows
    assert rows["input"].tolist() == table["Structure"].tolist()
    assert rows["smiles"].tolist()[:4] == ["CCO", "CCO", "CCCO", ""]
    assert rows[name].tolist()[:3] == [5.1, 5.3, 6.0]
    told = rows["reason"].tolist()
    assert told[3].startswith("not a SMILES")
    assert told[4] == f"{name} is '>9', which is no number"
    assert "fragment" in told[9]
    assert [one for place, one in enumerate(told) if place not in (3, 4, 9)] == [""] * 7
    assert found.notes[:3] == (f"Row 4: {told[3]}.", f"Row 5: {told[4]}.", f"Row 10: {told[9]}.")
    assert found.notes[3].startswith(f"{name} of 5 molecules, each predicted by the others: R2 ")
    assert set(found.table["smiles"]).isdisjoint(["CCO", "CCCCO", "CC(C)O"])


def test_rows_of_one_molecule_are_replicates(model, measured) -> None:  # type: ignore[no-untyped-def]
    table = pd.DataFrame({"smiles": ["OCC", "CCO", "CCO", "CCC"], "a": [1, 2, "", ""], "b": 3})
    read = Measurements.read(model.codec, as_table(table), ["a", "b"])
    assert read.molecules.smiles == ["CCO", "CCC"]
    assert repr(read.means.tolist()) == "[[1.5, 3.0], [nan, 3.0]]"
    assert read.notes() == []


def test_other_terms_are_computed(model, measured) -> None:  # type: ignore[no-untyped-def]
    table = measured.assign(logp=0.0, hERG=np.linspace(3, 6, len(measured)))
    objective = ["pic50:max=4..8", "hERG:min=3..6", "logp:range=1..2,constraint"]
    found = model.suggest(table, objective, count=4, budget=120)
    logp = [compute(parse(one), ["logp"])["logp"] for one in found.table["smiles"]]
    assert found.table["logp"].tolist() == pytest.approx(logp)
    assert all(1 <= one <= 2 for one in logp)
    assert found.table["score"].between(0, 1).all()
    assert {"predicted_pic50", "predicted_hERG", "predicted_hERG_sd"} <= set(found.table)
    assert (
        "logp is what RDKit computes; measured=logp takes the column of the table." in found.notes
    )


@pytest.mark.parametrize(
    ("objective", "change", "error", "message"),
    [
        ("qed:max", {}, SettingsError, r"No term is of a measured column.*columns: smiles, pic50"),
        ("pIC5:max", {}, SettingsError, "No column or property 'pIC5'. Did you mean 'pic50'"),
        ("measured=pic5:max", {}, TableError, "No column 'pic5'.*Did you mean 'pic50'"),
        ("pic50:max", {"max_similarity": 0}, SettingsError, "max_similarity is above 0"),
        ("pic50:max", {"count": 0}, SettingsError, "count is 1 or more"),
        (["pic50:max", "qed:max"], {}, SettingsError, "Only a lone goal can do without a scale"),
        ("pic50:max", {"flat": "no"}, SettingsError, "flat is True or False, not 'no'"),
        ("pic50:max", {"novel": None}, SettingsError, "novel is True or False, not None"),
        ("pic50:max", {"filters": "mosess"}, SettingsError, "Did you mean 'moses'"),
    ],
)
def test_what_cannot_be_suggested(model, measured, objective, change, error, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message):
        model.suggest(measured.head(20), objective, budget=20, **change)


def test_what_is_told_of_the_nearest_is_no_term(model, measured) -> None:  # type: ignore[no-untyped-def]
    compound = "CCOc1ccc(C(=O)NCc2ccccc2)cc1"
    terms = ["pic50:max=0..9", f"similarity={compound}:max"]
    table = model.suggest(measured, terms, count=4, budget=120).table
    assert table.columns.is_unique
    expected = similarities(compound, table["smiles"].tolist())
    assert table["similarity"].tolist() == pytest.approx(expected, abs=1e-6)
    assert (table["nearest_similarity"] - table["similarity"]).abs().max() > 0.01


@pytest.mark.parametrize("name", ["input", "smiles", "flattened", "reason"])
def test_a_measured_column_has_a_name_of_its_own(model, measured, name) -> None:  # type: ignore[no-untyped-def]
    table = measured.rename(columns={"smiles": "mol", "pic50": name})
    with pytest.raises(TableError, match=f"can't be called '{name}': rename it"):
        model.suggest(table, f"measured={name}:max", column="mol", budget=20)


def test_a_deviation_and_a_value_have_columns_of_their_own(model, measured) -> None:  # type: ignore[no-untyped-def]
    table = measured.assign(pic50_sd=np.linspace(0, 1, len(measured)))
    with pytest.raises(SettingsError, match="predicted_pic50_sd would be a deviation and a value"):
        model.suggest(table, ["pic50:max=0..9", "pic50_sd:min=0..1"], budget=20)


def test_a_batch_has_no_other_form_of_what_is_in_the_table(model, measured) -> None:  # type: ignore[no-untyped-def]
    found = model.suggest(measured, "pic50:max", count=6, budget=120).table["smiles"].tolist()
    salts = pd.DataFrame({"smiles": [f"{one}.Cl" for one in found], "pic50": ""})
    again = model.suggest(pd.concat([measured, salts]), "pic50:max", count=6, budget=120).table
    assert set(again["smiles"]).isdisjoint(found)
    assert set(again["nearest_measured"]) <= set(measured["smiles"])


def test_a_function_is_asked_of_candidates_alone(model, measured) -> None:  # type: ignore[no-untyped-def]
    asked: list[str] = []

    def length(smiles: list[str]) -> list[float]:
        asked.extend(smiles)
        return [len(one) for one in smiles]

    objective = Objective(
        (
            Term(Column("pic50"), Ramp((0.0, 9.0))),
            Term(Own(length), Ramp((0.0, 40.0))),
        )
    )
    found = model.suggest(measured, objective, count=4, budget=80)
    assert len(asked) == found.candidates == 80


def test_a_flat_batch_is_flat_and_marks_what_was_changed(model, measured) -> None:  # type: ignore[no-untyped-def]
    table = measured.assign(smiles=["C[C@H](N)C(=O)Nc1ccccc1", *measured["smiles"][1:]])
    found = model.suggest(table, "pic50:max", count=3, budget=60, flat=True)
    assert found.rows["smiles"][1] == "CC(N)C(=O)Nc1ccccc1"
    assert found.rows["flattened"].tolist() == [True] + [False] * (len(table) - 1)


def test_too_little_is_told(model, measured) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TableError, match=r"has values of 4 molecules .* 5 or more are needed"):
        model.suggest(measured.head(4), "pic50:max")
    with pytest.raises(TableError, match="All values of pic50 are 5: nothing to learn"):
        model.suggest(measured.head(9).assign(pic50=5), "pic50:max")
    replicated = pd.concat([measured.head(9).assign(pic50=0.1)] * 3)  # whose mean isn't quite 0.1
    with pytest.raises(TableError, match=r"All values of pic50 are 0\.1: nothing to learn"):
        model.suggest(pd.concat([replicated, measured.iloc[9:12].assign(pic50=0.1)]), "pic50:max")
    with pytest.raises(TableError, match="The column 'pic50' holds no number"):
        model.suggest(measured.head(9).assign(pic50="n.d."), "pic50:max")
    with pytest.raises(SettingsError, match="Measured values of pic50 are for suggest"):
        model.optimize("measured=pic50:max", budget=5)


def test_fewer_than_asked_for_is_told(model, measured) -> None:  # type: ignore[no-untyped-def]
    found = model.suggest(measured, "pic50:max", count=30, budget=60, max_similarity=0.2)
    assert 0 < len(found.table) < 30
    assert f"Only {len(found.table)} of 30 proposals" in found.notes[-1]
    many = model.suggest(measured, "pic50:max", count=10**9, budget=60, max_similarity=0.2)
    assert len(many.table) >= len(found.table)


def test_a_batch_of_half_a_search_is_none(model, measured) -> None:  # type: ignore[no-untyped-def]
    def interrupt(candidates: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.suggest(measured, "pic50:max", budget=60, on_round=interrupt)


def test_the_command(cli, run_folder, measured, tmp_path) -> None:  # type: ignore[no-untyped-def]
    data, batch, rows = (tmp_path / name for name in ("data.csv", "next.csv", "rows.csv"))
    measured.assign(smiles=["xyz", *measured["smiles"][1:]]).to_csv(data, index=False)
    result = cli(
        *("suggest", "-m", run_folder, data, "--objective", "pic50:max", "-n", 3),
        *("--budget", 80, "-o", batch, "--rows", rows, "--image", tmp_path / "next.svg"),
    )
    assert result.exit_code == 0, result.stderr
    assert "Row 1: not a SMILES" in result.stderr
    assert "R2" in result.stderr
    assert "3 molecules to make" in result.stderr
    assert len(pd.read_csv(batch)) == 3
    assert pd.read_csv(rows)["input"].tolist()[0] == "xyz"
    assert (tmp_path / "next.svg").exists()
    result = cli("suggest", "-m", run_folder, data, "--objective", "pic50:max", "-o", data)
    assert result.exit_code == 2


# What is learned.


def features(latents: list[list[float]]) -> Features:
    """Molecules whose fingerprints are alike, so that latents alone tell them apart."""
    return Features(np.array(latents, dtype=np.float32), np.ones((len(latents), 4), np.float32))


def test_the_kernel_by_hand() -> None:
    one = Features(np.array([[0.0, 0.0]]), np.array([[1.0, 1.0, 0.0]]))
    other = Features(np.array([[3.0, 4.0]]), np.array([[0.0, 1.0, 1.0]]))
    assert Shape(1.0, 5.0, 0.0).between(one, other).item() == pytest.approx(np.exp(-0.5))
    assert Shape(0.0, 5.0, 0.0).between(one, other).item() == pytest.approx(1 / 3)
    assert Shape(0.5, 5.0, 0.1).between(one, one).item() == pytest.approx(1)


def smooth() -> tuple[Features, np.ndarray]:
    places = np.linspace(-2, 2, 21)
    return features([[one] for one in places]), 10 + np.sin(places)


def test_a_smooth_value_is_learned_with_its_uncertainty() -> None:
    surrogate = Surrogate.fitted(*smooth())
    mean, deviation = surrogate.predict(features([[0.5], [40.0]]))
    assert mean[0] == pytest.approx(10 + np.sin(0.5), abs=0.05)
    assert deviation[0] < 0.2 * deviation[1]
    assert surrogate.r2 > 0.95


def test_what_is_left_out_is_left_out() -> None:
    """The closed form equals learning from all others, the kernel and the mean being the same."""
    places, values = smooth()
    whole = Surrogate.fitted(places, values)
    kernel = whole.shape.between(places, places)
    kernel += (whole.shape.noise + 1e-6) * np.eye(len(values))
    residuals, told = values - values.mean(), []
    for one in range(len(values)):
        others = np.delete(np.arange(len(values)), one)
        inverse = np.linalg.inv(kernel[np.ix_(others, others)])
        told.append(kernel[one, others] @ inverse @ residuals[others])
    r2 = 1 - ((residuals - told) ** 2).sum() / (residuals**2).sum()
    assert whole.r2 == pytest.approx(r2, abs=1e-6)


def test_noise_is_not_learned() -> None:
    random = np.random.default_rng(1)
    latents = random.standard_normal((60, 8))
    surrogate = Surrogate.fitted(features(latents.tolist()), random.standard_normal(60))
    assert surrogate.r2 < 0.3


def test_draws_have_the_means_and_deviations_that_are_predicted() -> None:
    surrogate = Surrogate.fitted(*smooth())
    asked = features([[0.5], [3.0], [3.01], [40.0]])
    mean, deviation = surrogate.predict(asked)
    drawn = surrogate.draw(asked, 4000, [0])
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.1)
    np.testing.assert_allclose(drawn.std(axis=0), deviation, rtol=0.1, atol=0.01)
    assert np.corrcoef(drawn[:, 1], drawn[:, 2])[0, 1] > 0.9


def test_a_hope_is_the_best_within_a_deviation(model, sample) -> None:  # type: ignore[no-untyped-def]
    smiles = sample["smiles"].tolist()
    known = features_of(model.codec.encode(smiles[:30]))
    surrogate = Surrogate.fitted(known, sample["logp"].to_numpy()[:30])
    mean, deviation = surrogate.predict(features_of(model.codec.encode(smiles[30:33])))

    def hoped(aim) -> np.ndarray:  # type: ignore[no-untyped-def]
        measured = Hoped("logp", surrogate, aim).measure(model.codec, [*smiles[30:33], "[U]"])
        assert np.isnan(measured.numbers[3])
        assert measured.reasons[3]
        return measured.numbers[:3]

    np.testing.assert_allclose(hoped(Ramp()), mean + deviation, rtol=1e-4)
    np.testing.assert_allclose(hoped(Ramp(rising=False)), mean - deviation, rtol=1e-4)
    near = hoped(Target(float(mean[0])))
    assert near[0] == pytest.approx(mean[0], rel=1e-4)
