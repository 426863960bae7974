"""Objectives: desirabilities, their mean, constraints, and how they are written."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

import molvae
from molvae.chem.fingerprints import tanimoto
from molvae.chem.strings import Decoded
from molvae.errors import SettingsError
from molvae.guidance.desirability import Curve, Ramp, Range, Target
from molvae.guidance.evaluations import Evaluations
from molvae.guidance.notation import read
from molvae.guidance.objective import Judgement, Objective, Term
from molvae.guidance.own import Own
from molvae.guidance.quantities import Descriptor, Filters, Predicted, Similarity, Substructure
from molvae.guidance.shorthand import parsed

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


def judged(terms: str | list[str] | Objective, *smiles: str) -> Judgement:
    """What needs no model."""
    return read(terms).judge(None, smiles)  # type: ignore[arg-type]


# Desirabilities.


@pytest.mark.parametrize(
    ("aim", "values", "heights"),
    [
        (Ramp((1.0, 3.0)), [0, 1, 1.5, 3, 4], [0, 0, 0.25, 1, 1]),
        (Ramp((1.0, 3.0), rising=False), [0, 1, 1.5, 3, 4], [1, 1, 0.75, 0, 0]),
        (Target(2.0, 0.5), [2, 2.5, 1.5, 3], [1, math.exp(-0.5), math.exp(-0.5), math.exp(-2)]),
        (Range((1.0, 2.0)), [0.999, 1, 1.5, 2, 2.001], [0, 1, 1, 1, 0]),
        (Range((1.0, 2.0), 0.5), [0.5, 1, 2, 3], [math.exp(-0.5), 1, 1, math.exp(-2)]),
        (Curve(((0.0, 0.2), (1.0, 1.0), (3.0, 0.0))), [-9, 0.5, 1, 2, 9], [0.2, 0.6, 1, 0.5, 0]),
    ],
)
def test_hand_worked_desirabilities(aim, values, heights) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(aim.of(np.array(values, dtype=float)), heights, atol=1e-12)
    assert aim.has_scale


AIMS = [
    Ramp((1.0, 3.0)),
    Ramp((1.0, 3.0), rising=False),
    Target(2.0, 0.5),
    Range((1.0, 2.0)),
    Range((1.0, 2.0), 0.5),
    Curve(((0.0, 0.2), (1.0, 1.0), (3.0, 0.0))),
]


@given(some.sampled_from(AIMS), some.floats(allow_nan=False, allow_infinity=False))
def test_a_desirability_is_0_to_1_and_best_where_it_says(aim, value: float) -> None:  # type: ignore[no-untyped-def]
    low, high = aim.best
    (height,) = aim.of(np.array([value]))
    assert 0 <= height <= 1
    if low <= value <= high:
        assert height == 1
    assert math.isnan(aim.of(np.array([math.nan]))[0])


def test_what_has_no_scale_is_only_higher_for_the_better() -> None:
    values = np.array([1.0, 4.0])
    assert Ramp().of(values).tolist() == [1, 4]
    assert Ramp(rising=False).of(values).tolist() == [-1, -4]
    assert Target(2.0).of(values).tolist() == [-1, -2]
    assert not any(one.has_scale for one in (Ramp(), Target(2.0)))
    assert Ramp().best == (math.inf, math.inf)


def test_a_ramp_without_bounds_takes_the_span_of_the_quantity() -> None:
    assert Term(Descriptor("qed"), Ramp()).aim == Ramp((0, 1))
    assert Term(Descriptor("sa_score"), Ramp(rising=False)).aim == Ramp((1, 10), rising=False)
    assert Term(Descriptor("logp"), Ramp()).aim == Ramp()
    assert Term(Descriptor("qed"), Ramp((0.5, 0.9))).aim == Ramp((0.5, 0.9))


# Quantities.


def test_quantities_of_known_molecules() -> None:
    terms = [
        "mol_weight:target=46,width=10",
        "similarity=OCC:max",
        "similarity=c1ccccc1O:max,fingerprint=maccs",
        "smarts=[OX2H]:present",
        "smarts=[OX2H]:absent",
        "smarts=C:max=0..4",
        "filters=moses",
    ]
    found = judged(terms, "CCO", "c1ccccc1", "CC(O)CO", "C1CCCCCCC1")
    assert found.numbers[:, 0] == pytest.approx([46.07, 78.11, 76.10, 112.22], abs=0.01)
    assert found.numbers[0, 1] == 1
    assert found.numbers[1, 1] == tanimoto("CCO", "c1ccccc1")
    assert 0 < found.numbers[1, 2] < 1
    assert found.numbers[:, 3].tolist() == [1, 0, 2, 0]
    assert found.desirabilities[:, 3].tolist() == [1, 0, 1, 0]
    assert found.desirabilities[:, 4].tolist() == [0, 1, 0, 1]
    assert found.desirabilities[:, 5].tolist() == [0.5, 0, 0.75, 1]
    assert found.numbers[:, 6].tolist() == [1, 1, 1, 0]


def test_columns_are_distinct_and_never_those_of_the_table() -> None:
    def score(smiles: list[str]) -> list[float]:
        return [1.0] * len(smiles)

    similarity = Term(Similarity("CCO"), Ramp())
    own = Term(Own(score), Ramp((0.0, 1.0)))
    named = [similarity, Term(Descriptor("qed"), Ramp()), similarity, own]
    columns = ["similarity_1", "qed", "similarity_2", "score_1"]
    assert Objective(tuple(named)).columns == columns
    assert read(["logp:max=0..5", "predicted=logp:max=0..5"]).columns == ["logp", "predicted_logp"]


# The score.


def table_of(*desirabilities: list[float]) -> np.ndarray:
    return np.array(desirabilities)


def test_hand_worked_means() -> None:
    terms = ["qed:max,weight=3", "sa_score:min"]
    one = table_of([0.5, 1.0], [0.0, 1.0], [1.0, 1.0])
    assert read(terms).score(one) == pytest.approx([0.5**0.75, 0, 1])
    assert read([*terms, "mean=arithmetic"]).score(one) == pytest.approx([0.625, 0.25, 1])


def test_hand_worked_constraints() -> None:
    objective = read(["qed:max", "filters=moses:constraint", "sa_score:min,constraint=0.8"])
    scores = objective.score(
        table_of([0.3, 1, 0.8], [0.9, 0, 1], [0.9, 0, 0.4], [0.0, 1, 1], [0.9, math.nan, 1])
    )
    # Lacking: nothing, all of one of two, all of one and half of the other, nothing.
    np.testing.assert_allclose(scores, [0.3, -0.5, -0.75, 0, math.nan])
    assert read("filters=moses:constraint").score(table_of([1], [0])).tolist() == [1, -1]


heights = some.floats(0, 1)


@given(some.lists(some.tuples(heights, heights, heights), min_size=1, max_size=8))
def test_what_breaks_a_constraint_ranks_under_all_that_satisfy_it(rows) -> None:  # type: ignore[no-untyped-def]
    one = np.array(rows)
    objective = read(["qed:max", "filters=moses:constraint", "sa_score:min,constraint=0.8"])
    scores = objective.score(one)
    satisfied = (one[:, 1] >= 0.5) & (one[:, 2] >= 0.8)
    assert (scores[satisfied] == one[satisfied, 0]).all()
    assert ((scores[~satisfied] < 0) & (scores[~satisfied] >= -1)).all()


@given(
    some.lists(some.tuples(heights, some.floats(0.01, 100)), min_size=1, max_size=6),
    some.sampled_from(["geometric", "arithmetic"]),
)
def test_a_mean_lies_between_the_worst_and_the_best(pairs, mean: str) -> None:  # type: ignore[no-untyped-def]
    terms = tuple(Term(Descriptor("qed"), Ramp(), weight) for _, weight in pairs)
    given_heights = [height for height, _ in pairs]
    (score,) = Objective(terms, mean).score(table_of(given_heights))
    assert min(given_heights) - 1e-9 <= score <= max(given_heights) + 1e-9


def test_a_lone_goal_without_a_scale_is_ranked_by_its_value() -> None:
    assert judged("mol_weight:min", "CCO").scores == pytest.approx([-46.07], abs=0.01)
    assert judged("mol_weight:target=50", "CCO").scores == pytest.approx([-3.93], abs=0.01)
    with pytest.raises(SettingsError, match=r"logp: .* Add one: max=LOW\.\.HIGH"):
        read(["logp:max", "qed:max"])
    with pytest.raises(SettingsError, match=r"logp: .* Add one: width=WIDTH"):
        read(["logp:target=2", "qed:max"])
    with pytest.raises(SettingsError, match="logp: only a lone goal"):
        read("logp:max,constraint")


# A user's function.


def carbons(smiles: list[str]) -> list[float]:
    """Raises for nitrogen, and for all that are asked for with it."""
    if any("N" in one for one in smiles):
        raise RuntimeError("no  nitrogen\nhere")
    return [one.count("C") for one in smiles]


@pytest.mark.parametrize(
    ("function", "values", "reason"),
    [
        (carbons, [2, math.nan, 1], "RuntimeError: no nitrogen here"),
        (lambda all_of: [1.0, math.nan, 2][: len(all_of)], [1, math.nan, 2], "nan is no number"),
        (lambda all_of: [1.0, None, 2], [1, math.nan, 2], "None is no number"),
        (lambda all_of: [1.0, "2", np.float32(2)], [1, math.nan, 2], "'2' is no number"),
        (lambda all_of: [1.0, math.inf, True], [1, math.nan, 1], "inf is no number"),
        (
            lambda all_of: [len(one) for one in all_of if "N" not in one],
            [3, math.nan, 1],
            "ValueError: 0 values for 1 molecules",
        ),
    ],
)
def test_a_function_that_fails_costs_that_molecule_only(function, values, reason) -> None:  # type: ignore[no-untyped-def]
    found = Own(function).measure(None, ["CCO", "CN", "C"])  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.numbers, values)
    assert found.reasons == ["", reason, ""]


def test_a_function_is_asked_for_many_at_once_and_may_print(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def count(smiles: list[str]) -> np.ndarray:
        print("counting")
        asked.append(smiles)
        return np.arange(len(smiles))

    assert Own(count).measure(None, ["CC", "CO"]).numbers.tolist() == [0, 1]  # type: ignore[arg-type]
    assert asked == [["CC", "CO"]]
    assert capsys.readouterr() == ("", "counting\n")


def test_failures_are_counted_and_the_first_is_told(model: molvae.MolVAE) -> None:
    objective = Objective((Term(Own(carbons), Ramp((0.0, 4.0))), Term(Descriptor("qed"), Ramp())))
    account = Evaluations(model.codec, objective, budget=10)
    molecules = [Decoded(one, strict=True) for one in ["CCO", "CN", "CC", "CCN", "CN"]]
    scores = account.score(molecules)
    assert [math.isfinite(one) for one in scores] == [True, False, True, False, False]
    assert account.left == 6
    assert account.notes() == [
        "carbons has no value for 2 of 4 molecules; "
        "the first is CN: RuntimeError: no nitrogen here."
    ]
    table = account.table(model.checkpoint.known, ["moses"], 0)
    assert table["score"].isna().tolist() == [False, False, True, True]
    assert table["carbons"].tolist()[:2] == [2, 2]
    assert table["carbons_desirability"].tolist()[:2] == [0.5, 0.5]
    # Two terms of equal weight: the score of each row is the root of the product.
    product = table["carbons_desirability"] * table["qed_desirability"]
    np.testing.assert_allclose(table["score"], np.sqrt(product))


def test_a_search_with_all_kinds_of_terms(model: molvae.MolVAE, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n\n"
        "@dataclass\nclass Length:\n    value: int\n\n"
        "def length(smiles):\n    return [Length(len(one)).value for one in smiles]\n"
    )
    (tmp_path / "wanted.toml").write_text(
        'mean = "arithmetic"\n'
        "[[term]]\nproperty = 'qed'\nmax = true\nweight = 2\n"
        "[[term]]\npredicted = 'logp'\ntarget = 2.5\nwidth = 1\n"
        "[[term]]\nsimilarity = 'CCOc1ccccc1'\nmax = [0.1, 0.4]\nfingerprint = 'maccs'\n"
        "[[term]]\nsmarts = '[#7]'\npresent = true\nconstraint = true\n"
        "[[term]]\nproperty = 'tpsa'\ncurve = [[0, 0], [60, 1], [140, 0]]\n"
        "[[term]]\nfilters = 'moses,pains'\n"
        "[[term]]\npython = 'own.py:length'\nmin = [20, 60]\n"
    )
    found = model.optimize(tmp_path / "wanted.toml", budget=60)
    table = found.table
    columns = ["qed", "predicted_logp", "similarity", "smarts", "tpsa", "filters", "length"]
    assert table.columns[:9].tolist() == ["smiles", "score", *columns]
    assert {f"{one}_desirability" for one in columns} <= set(table.columns)
    np.testing.assert_array_equal(table["length"], table["smiles"].str.len())
    scored = table.dropna(subset="score")  # what the model can't encode has no prediction
    assert table["smiles"].tolist()[: len(scored)] == scored["smiles"].tolist()
    assert scored["score"].is_monotonic_decreasing
    np.testing.assert_array_equal(scored["score"] < 0, scored["smarts"] == 0)
    np.testing.assert_array_equal(table["score"].isna(), table["predicted_logp"].isna())
    assert len(scored) == 60 or "predicted_logp has no value for" in "".join(found.notes)


def test_a_search_tells_how_many_satisfy_the_constraints(model: molvae.MolVAE) -> None:
    found = model.optimize(["qed:max", "smarts=[U]:present,constraint"], budget=20)
    (note,) = found.notes
    assert note.startswith("0 of 20 molecules satisfy all constraints")
    assert (found.table["score"] == -1).all()


@pytest.mark.parametrize(
    "objective", ["logp:range=2..3,width=0.5", "logp:min=-2..4", "logp:curve=0/0..2/1..4/0"]
)
def test_a_gradient_goes_where_the_aim_is_best(model: molvae.MolVAE, objective: str) -> None:
    from molvae.guidance.strategies import GradientAscent

    (goal,) = read(objective).goals
    starts = model.codec.draw(16, 0)
    ascent = GradientAscent(model.codec, "logp", goal.aim, starts, 0)
    before = goal.aim.of(model.codec.predict(starts)[:, 0]).mean()
    for _ in range(8):
        ascent.ask()
    assert goal.aim.of(model.codec.predict(ascent._latents)[:, 0]).mean() > before


# How it is written.


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("qed:max", {"property": "qed", "max": True}),
        (" logp:target=-2.5,width=.5 ", {"property": "logp", "target": -2.5, "width": 0.5}),
        ("logp:range=-2..-1e0", {"property": "logp", "range": [-2, -1]}),
        ("pIC50 (nM), mean:max", {"property": "pIC50 (nM), mean", "max": True}),
        ("predicted=IC50=a:b:max", {"predicted": "IC50=a:b", "max": True}),
        (
            "logp:curve=0/0..2.5/1..5/.5",
            {"property": "logp", "curve": [[0, 0], [2.5, 1], [5, 0.5]]},
        ),
        (
            "similarity=[CH3:1][C@@H](N)C(=O)O.[Na+]:min=0.2..0.5",
            {"similarity": "[CH3:1][C@@H](N)C(=O)O.[Na+]", "min": [0.2, 0.5]},
        ),
        (
            r"similarity=F/C=C\C#N:max,fingerprint=maccs",
            {"similarity": r"F/C=C\C#N", "max": True, "fingerprint": "maccs"},
        ),
        (
            "smarts=[c;r6:1]:[n,o]~[!$([#6]=[#8]),$(N)]-,=*:absent,constraint=0.9",
            {
                "smarts": "[c;r6:1]:[n,o]~[!$([#6]=[#8]),$(N)]-,=*",
                "absent": True,
                "constraint": 0.9,
            },
        ),
        ("filters=moses,pains", {"filters": "moses,pains"}),
        ("filters=moses:constraint", {"filters": "moses", "constraint": True}),
        (r"python=C:\a=b, c\f.py:dock:max", {"python": r"C:\a=b, c\f.py:dock", "max": True}),
    ],
)
def test_shorthands(text: str, keys: dict[str, object]) -> None:
    assert parsed(text) == keys


@given(some.text(), some.sampled_from(["predicted", "smarts", "similarity", "python"]))
def test_whatever_it_is_of_needs_no_quotes(argument: str, kind: str) -> None:
    if argument:
        text = f"{kind}={argument}:max=1..2,weight=3"
        assert parsed(text) == {kind: argument, "max": [1, 2], "weight": 3}


@given(some.text())
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        read(text)
    except SettingsError as error:
        assert str(error).startswith((text, "No file", "Can't read"))


def test_a_file_and_shorthands_are_one_objective(tmp_path: Path) -> None:
    file = tmp_path / "wanted.toml"
    file.write_text(
        'mean = "arithmetic"\n'
        '[[term]]\nproperty = "logp"\nrange = [1, 3]\nwidth = 0.5\nweight = 2\n'
        '[[term]]\nsimilarity = "CCO"\nmax = [0.2, 0.6]\nconstraint = 0.4\n'
    )
    texts = [
        "logp:range=1..3,width=0.5,weight=2",
        "similarity=CCO:max=0.2..0.6,constraint=0.4",
        "mean=arithmetic",
    ]
    by_hand = Objective(
        (
            Term(Descriptor("logp"), Range((1.0, 3.0), 0.5), 2.0),
            Term(Similarity("CCO"), Ramp((0.2, 0.6)), threshold=0.4),
        ),
        "arithmetic",
    )
    assert read(file) == read(str(file)) == read([str(file)]) == read(texts) == by_hand
    assert read(by_hand) is by_hand
    assert read("activity:max").terms[0].quantity == Predicted("activity")
    assert read("smarts=C:absent").terms[0].quantity == Substructure("C")
    assert read("filters=moses").terms[0] == Term(Filters(("moses",)), Ramp((0, 1)))


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([], "one term or more"),
        ("", "doesn't say of what"),
        ("qed", "qed: It doesn't say what is wanted. Add one of: max"),
        ("qed:up", "qed:up: 'up' is no aim and no option."),
        ("qed:maxx", "Did you mean 'max'"),
        ("qed:max,wieght=2", "Did you mean 'weight'"),
        ("qed:max,weight=0", "weight is a number above 0, not 0"),
        ("qed:max,weight=nan", "weight is a number, not nan"),
        ("qed:max,weight", "weight is a number, not True"),
        ("qed:max,max", "max stands there twice"),
        ("qed:max,min", "what is wanted twice: max and min"),
        ("qed:max=0.9..0.2", r"The lower bound comes first; these are 0.9 and 0.2"),
        ("qed:max=0.9", "max is two numbers, not 0.9"),
        ("qed:max=a..b", "'a' is no number"),
        ("qed:max=0..inf", "max is a number, not inf"),
        ("qed:target", "target is a number, not True"),
        ("qed:target=1,width=0", "width is a number above 0"),
        ("qed:max,width=1", "width doesn't go with property and max"),
        ("qed:max,fingerprint=maccs", "fingerprint doesn't go with property and max"),
        ("qed:curve=0/1", "curve is a list of points, not '0/1'"),
        ("qed:curve=0/0..0/1", "The values of a curve rise"),
        ("qed:curve=0/0..1/2", "from 0 to 1"),
        ("qed:present=3", "present stands alone"),
        ("qed:max,constraint=1.5", "1 at most, not 1.5"),
        ("qed:max,constraint,weight=2", "Goals have a weight, constraints don't"),
        ("smart=C:present", "No kind of term 'smart'. Did you mean 'smarts'"),
        ("smarts=[c:1]", "'1]' is no aim and no option"),
        ("smarts=[c:present", "is no SMARTS that RDKit can read"),
        ("similarity=c1cc:max", "c1cc: not a SMILES"),
        ("similarity=CCO:max,fingerprint=macs", "Did you mean 'maccs'"),
        ("similarity=CCO:max,fingerprint=2", "fingerprint is a text, not 2.0"),
        ("filters=moses,pain", "Did you mean 'pains'"),
        ("python=missing.py:f:max", "No file missing.py"),
        ("python=missing.py:max", "named as FILE.py:FUNCTION, not 'missing.py'"),
        (["qed:max", "a.toml"], "A TOML file stands alone"),
        (["qed:max", "mean=harmonic"], "mean can't be 'harmonic'"),
        (["mean=geometric", "mean=arithmetic"], "Two means: geometric and arithmetic"),
    ],
)
def test_malformed_shorthands_name_the_piece(terms, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingsError, match=re.escape(message)):
        read(terms)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "one term or more"),
        ("x", "is no TOML: "),
        ("meen = 'geometric'", "No key 'meen'. Did you mean 'mean'"),
        ("term = 3", "each headed [[term]]"),
        ("[[term]]\nproperty = 'qed'\nmax = false", "term 1: max is two numbers, not False"),
        ("[[term]]\nmax = true", "term 1: It doesn't say what it is of"),
        ("[[term]]\nproperty = 'qed'\nmaxi = true", "Did you mean 'max'"),
        ("[[term]]\nsmarts = 3\npresent = true", "smarts is a text, not 3"),
        ("[[term]]\nsmarts = 'C'\nfilters = 'moses'", "twice: smarts and filters"),
    ],
)
def test_malformed_files_name_the_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "wanted.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=re.escape(message)) as caught:
        read(file)
    assert str(file) in str(caught.value)
    with pytest.raises(SettingsError, match=r"No file .*want\.toml\. Did you mean 'wanted\.toml'"):
        read(tmp_path / "want.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def dock(smiles): ...", "No function 'dok' in own.py. Did you mean 'dock'"),
        ("import nothing_like_it", "can't be run: ModuleNotFoundError: No module named"),
        ("def f(:", "can't be run: SyntaxError"),
    ],
)
def test_a_file_of_python_that_cannot_be_used(  # type: ignore[no-untyped-def]
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(text)
    with pytest.raises(SettingsError, match=re.escape(message)):
        read("python=own.py:dok:max")


def test_the_objective_of_the_readme_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (tmp_path / "objective.toml").write_text(text)
    (tmp_path / "dock.py").write_text("def affinity(smiles): ...")
    objective = read(tmp_path / "objective.toml")
    assert 0 < len(objective.goals) < len(objective.terms)
