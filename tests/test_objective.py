"""Objectives: desirabilities, their mean, constraints, and how they are written."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

import molvae
from molvae.chem.fingerprints import tanimoto
from molvae.chem.identity import KnownMolecules
from molvae.chem.strings import Decoded
from molvae.codec import NetworkCodec
from molvae.errors import SettingsError
from molvae.guidance.desirability import Curve, Ramp, Range, Target
from molvae.guidance.evaluations import Evaluations
from molvae.guidance.notation import read
from molvae.guidance.objective import Judgement, Objective, Term
from molvae.guidance.own import Own
from molvae.guidance.quantities import Descriptor, Filters, Predicted, Similarity, Substructure
from molvae.guidance.remarks import remarks
from molvae.guidance.shorthand import parsed
from molvae.guidance.standing import Standing

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
        (Range((2.0, 2.0)), [1, 2, 3], [0, 1, 0]),
        (Curve(((0.0, 0.2), (1.0, 1.0), (3.0, 0.0))), [-9, 0.5, 1, 2, 9], [0.2, 0.6, 1, 0.5, 0]),
    ],
)
def test_hand_worked_desirabilities(aim, values, heights) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(aim.of(np.array(values, dtype=float)), heights, atol=1e-12)
    assert aim.has_scale


@pytest.mark.parametrize(
    ("points", "best"),
    [
        (((0.0, 0.0), (1.0, 1.0), (3.0, 0.0)), (1, 1)),
        (((250.0, 0.0), (300.0, 1.0), (400.0, 1.0)), (300, math.inf)),
        (((0.0, 0.7), (1.0, 0.7), (2.0, 0.0), (3.0, 0.7)), (-math.inf, 1)),
    ],
)
def test_a_curve_is_best_along_its_plateau(points, best) -> None:  # type: ignore[no-untyped-def]
    assert Curve(points).best == best


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


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["arr", "arr", "arr_1"], ["arr_2", "arr_3", "arr_1"]),
        (["logp"], ["logp_1"]),
        (["dock", "dock_desirability"], ["dock", "dock_desirability_1"]),
        (["reason", "reason_1"], ["reason_2", "reason_1"]),
    ],
)
def test_columns_of_functions_overwrite_nothing(names: list[str], columns: list[str]) -> None:
    terms = [Term(Own(len, name), Ramp((0.0, 1.0))) for name in names]
    account = Evaluations(None, Objective(tuple(terms)), 1)  # type: ignore[arg-type]
    table = account.table(KnownMolecules.of([]), [], 0)
    assert table.columns.is_unique
    assert table.columns[2 : 2 + len(names)].tolist() == columns


def test_a_salt_is_compared_as_the_model_sees_it(model: molvae.MolVAE) -> None:
    objective = read("similarity=OCC.Cl:max")
    assert objective.judge(model.codec, ["CCO"]).scores[0] < 1
    assert objective.fitted(model.codec).judge(model.codec, ["CCO"]).scores.tolist() == [1]


# The score.


def table_of(*desirabilities: list[float]) -> np.ndarray:
    return np.array(desirabilities)


def test_hand_worked_means() -> None:
    terms = ["qed:max,weight=3", "sa_score:min"]
    one = table_of([0.5, 1.0], [0.0, 1.0], [1.0, 1.0])
    assert read(terms).score(one) == pytest.approx([0.5**0.75, 0, 1])
    assert read([*terms, "mean=arithmetic"]).score(one) == pytest.approx([0.625, 0.25, 1])
    huge = read(["qed:max,weight=1e308", "sa_score:min,weight=1e308"])
    assert huge.score(table_of([0.25, 1.0])) == pytest.approx([0.5])


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
    for terms, message in (
        (["logp:max", "qed:max"], r"^logp:max: .* Add one: max=LOW\.\.HIGH"),
        (["logp:target=2", "qed:max"], "^logp:target=2: .* Add one: width=WIDTH"),
        ("logp:max,constraint", "^logp:max,constraint: Only a lone goal"),
    ):
        with pytest.raises(SettingsError, match=message):
            read(terms).fitted(None)  # type: ignore[arg-type]


# A user's function.


class Unspeakable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


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
            "0 values for 1 molecules",
        ),
        (
            lambda all_of: [sys.exit(3) if "N" in one else len(one) for one in all_of],
            [3, math.nan, 1],
            "SystemExit: 3",
        ),
        (lambda all_of: {"C": 1, "CCO": 3}, [3, math.nan, 1], "None is no number"),
        (
            lambda all_of: np.array([[1.0], [math.nan], [2.0]]),
            [1, math.nan, 2],
            "array([nan]) is no number",
        ),
        (
            lambda all_of: [1.0, Unspeakable(), 2],
            [1, math.nan, 2],
            "what it gave, of type Unspeakable, is no number",
        ),
    ],
)
def test_a_function_that_fails_costs_that_molecule_only(function, values, reason) -> None:  # type: ignore[no-untyped-def]
    found = Own(function).measure(None, ["CCO", "CN", "C"])  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.numbers, values)
    assert found.reasons == ["", reason, ""]


def sort(smiles: list[str]) -> list[int]:
    smiles.sort()
    return [len(one) for one in smiles]


def raise_unspeakable(smiles: list[str]) -> list[float]:
    raise Unspeakable


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda smiles: [1.0] * (len(smiles) - 1), "2 values for 3 molecules"),
        (lambda smiles: {float(len(one)) for one in smiles}, "it gives a set"),
        (lambda smiles: [float(len(smiles.pop())) for _ in range(len(smiles))], "it changes"),
        (lambda smiles: smiles.clear() or [], "it changes the list that it is given"),
        (lambda smiles: int("x" * 2000), "ValueError: invalid literal for int"),
        (raise_unspeakable, "Unspeakable"),
    ],
)
def test_what_is_wrong_with_all_is_told_of_each(function, reason: str) -> None:  # type: ignore[no-untyped-def]
    found = Own(function).measure(None, ["CCO", "CN", "C"])  # type: ignore[arg-type]
    assert np.isnan(found.numbers).all()
    assert len(set(found.reasons)) == 1
    assert found.reasons[0].startswith(reason)
    assert len(found.reasons[0]) < 210


def test_a_function_that_sorts_its_molecules_mixes_up_nothing() -> None:
    assert Own(sort).measure(None, ["CCO", "CN", "C"]).numbers.tolist() == [3, 2, 1]  # type: ignore[arg-type]


def test_a_function_is_asked_for_many_at_once_and_may_print(
    capfd: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def count(smiles: list[str]) -> np.ndarray:
        print("counting")
        subprocess.run(["echo", "docking"], check=True)
        asked.append(smiles)
        return np.arange(len(smiles))

    assert Own(count).measure(None, ["CC", "CO"]).numbers.tolist() == [0, 1]  # type: ignore[arg-type]
    assert asked == [["CC", "CO"]]
    out, err = capfd.readouterr()
    assert (out, sorted(err.split())) == ("", ["counting", "docking"])
    print("a table")
    assert capfd.readouterr() == ("a table\n", "")


def test_a_function_may_change_the_folder(tmp_path: Path) -> None:
    def dock(smiles: list[str]) -> list[int]:
        os.chdir(tmp_path)
        return [len(one) for one in smiles]

    before = Path.cwd()
    assert Own(dock).measure(None, ["CCO"]).numbers.tolist() == [3]  # type: ignore[arg-type]
    assert Path.cwd() == before != tmp_path


@pytest.mark.parametrize("written", [None, 5, len, b"qed:max", {"qed": "max"}])
def test_what_is_no_objective_is_refused_in_a_line(written: object) -> None:
    with pytest.raises(SettingsError, match="An objective is a TOML file, or shorthands"):
        read(written)  # type: ignore[arg-type]


CHAINS = [Decoded("C" * length, strict=True) for length in range(1, 61)]


def test_what_was_found_before_an_interruption_is_kept() -> None:
    def length(smiles: list[str]) -> list[int]:
        if "C" * 30 in smiles:
            raise KeyboardInterrupt
        return [len(one) for one in smiles]

    told = []
    account = Evaluations(
        None,  # type: ignore[arg-type]
        Objective((Term(Own(length), Ramp()),)),
        100,
        on_part=told.append,
    )
    with pytest.raises(KeyboardInterrupt):
        account.score(CHAINS)
    assert told == [Standing(24, best=24.0, top10=19.5, scaffolds=0)]
    assert list(account.found) == [one.smiles for one in CHAINS[:24]]


def test_a_function_that_never_works_ends_the_search_at_once() -> None:
    asked = []

    def dock(smiles: list[str]) -> list[float]:
        asked.extend(smiles)
        raise OSError("no licence")

    objective = Objective((Term(Own(dock), Ramp()),))
    account = Evaluations(None, objective, 100)  # type: ignore[arg-type]
    account.score(CHAINS[:1])  # it may be that one molecule only
    message = "dock: No value for any of the first 25 molecules; the first is C: OSError: no licen"
    with pytest.raises(SettingsError, match=message):
        account.score(CHAINS)
    assert set(asked) == {one.smiles for one in CHAINS[:25]}
    few = Evaluations(None, objective, 2)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="first 2 molecules"):
        few.score(CHAINS)


def test_failures_are_counted_and_the_first_is_told(model: molvae.MolVAE) -> None:
    objective = Objective((Term(Own(carbons), Ramp((0.0, 4.0))), Term(Descriptor("qed"), Ramp())))
    account = Evaluations(model.codec, objective, budget=10)
    molecules = [Decoded(one, strict=True) for one in ["CCO", "CN", "CC", "CCN", "CN"]]
    scores = account.score(molecules)
    assert [math.isfinite(one) for one in scores] == [True, False, True, False, False]
    assert account.left == 6
    assert remarks(account.table(model.checkpoint.known, [], 0), objective) == [
        "carbons has no value for 2 of 4 molecules; "
        "the first is CN: RuntimeError: no nitrogen here."
    ]
    table = account.table(model.checkpoint.known, ["moses"], 0)
    assert table["score"].isna().tolist() == [False, False, True, True]
    reason = "carbons: RuntimeError: no nitrogen here"
    assert table["reason"].tolist() == ["", "", reason, reason]
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
        "[[term]]\nfilters = ['moses', 'pains']\n"
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
    assert found.good.empty


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
    if argument := argument.strip():
        text = f"{kind}={argument}:max=1..2,weight=3"
        assert parsed(text) == {kind: argument, "max": [1, 2], "weight": 3}


def test_white_space_means_nothing() -> None:
    spaced = [" qed : max , weight = 2 ", "logp: range = 1 .. 3", "filters = moses, pains"]
    bare = ["qed:max,weight=2", "logp:range=1..3", "filters=moses,pains"]
    assert read([*spaced, " mean = arithmetic "]) == read([*bare, "mean=arithmetic"])


@given(some.text())
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        read(text)
    except SettingsError as error:
        assert str(error).startswith((text.strip() or "''", "No file", "Can't read"))


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
    assert read(file) == read(f" {file} ") == read([str(file)]) == read(texts) == by_hand
    assert read(by_hand) is by_hand
    file.write_text(file.read_text(), encoding="utf-8-sig")  # as Notepad does
    assert read(file) == by_hand
    assert read("activity:max").terms[0].quantity == Predicted("activity")
    assert read("smarts=C:absent").terms[0].quantity == Substructure("C")
    assert read("filters=moses").terms[0] == Term(Filters(("moses",)), Ramp((0, 1)))


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([], "one term or more"),
        ("", "'': It doesn't say of what"),
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
        ("rings:present=3", "present stands alone"),
        ("qed:present", "present is for counts"),
        ("similarity=CCO:absent", "absent is for counts"),
        ("qed:max=2..2", "The bounds of max and min differ; both of these are 2"),
        ("logp:max=-1e308..1e308", "-1e+308 to 1e+308 is more than a number can span"),
        ("logp:curve=-1e308/0..1e308/1", "more than a number can span"),
        ("filters:constraint", "Say of what: filters=NAME,NAME"),
        ("similarity:max", "Say of what: similarity=SMILES"),
        ("dock.py:affinity:max", "If it is a function, say python=dock.py:affinity"),
        ("CC=O:max", "No kind of term 'CC'. If it is a compound, say similarity=CC=O"),
        ("similarity= :max", "doesn't say of what"),
        ("logp:range=0...3", "'0...3': two dots stand between numbers"),
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
        (f"python={'x' * 300}.py:f:max", "file name too long"),
        ("python=a\0.py:f:max", "Can't read a\0.py: embedded null"),
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
        (f"[[term]]\nproperty = 'qed'\ntarget = 1{'0' * 400}", "target is a number, not 1000"),
        (f"[[term]]\nproperty = 'qed'\nmax = {'[' * 3000}", "is no TOML: "),
        ("[[term]]\nsimilarity = ''\nmax = true", "term 1: similarity is empty"),
        ("[[term]]\nfilters = []", "term 1: filters is empty"),
        ("[[term]]\nfilters = ['moses', 3]", "term 1: filters is a text, not 3"),
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
    other = file.rename(tmp_path / "wanted.txt")
    with pytest.raises(SettingsError, match=r"wanted\.txt: The name .* ends in \.toml"):
        read(str(other))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def dock(smiles): ...", "No function 'dok' in own.py. Did you mean 'dock'"),
        (
            "from math import floor\nclass Other: ...\ndef score(smiles): ...",
            "No function 'dok' in own.py. Known: score.",
        ),
        ("import sys\nsys.exit(0)", "own.py can't be run: SystemExit: 0."),
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
    assert not any(getattr(one, "__file__", "") == "own.py" for one in sys.modules.values())


def test_files_of_python_are_loaded_once_each_and_find_their_neighbours(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 2)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"neighbour_of_{name}.py").write_text(f"VALUE = {value}")
        (folder / "dock.py").write_text(
            "calls = []\n"
            "def length(smiles):\n"
            f"    from neighbour_of_{name} import VALUE\n"
            "    calls.append(smiles)\n"
            "    return [VALUE] * len(smiles)\n"
            "def calls_so_far(smiles):\n    return [len(calls)] * len(smiles)\n"
            "nameless = lambda smiles: [0] * len(smiles)\n"
        )
    path, dock = list(sys.path), f"python={tmp_path}/a/dock.py"
    objective = read(
        [
            f"{dock}:length:max=0..4",
            f"{dock}:calls_so_far:max=0..4",
            f"python={tmp_path}/b/dock.py:length:max=0..4",
            f"{dock}:nameless:max=0..4",
        ]
    )
    assert objective.judge(None, ["C"]).numbers.tolist() == [[1, 1, 2, 0]]  # type: ignore[arg-type]
    assert objective.columns == ["length_1", "calls_so_far", "length_2", "nameless"]
    assert sys.path == path
    (tmp_path / "a" / "dock.py").write_text("def length(smiles):\n    return [7] * len(smiles)")
    os.utime(tmp_path / "a" / "dock.py", (0, 0))
    assert judged(f"{dock}:length:max", "C").scores.tolist() == [7]


def test_the_objective_of_the_readme_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (tmp_path / "objective.toml").write_text(text)
    (tmp_path / "dock.py").write_text("def affinity(smiles): ...")
    objective = read(tmp_path / "objective.toml")
    assert 0 < len(objective.goals) < len(objective.terms)


def test_a_compound_that_the_model_lacks_symbols_for_is_flattened_too() -> None:
    model = molvae.load("druglike", device="cpu")
    codec = NetworkCodec(model.checkpoint, flat=True)
    assert Similarity("[O-]C(=O)c1ccccc1[Se]C").fitted(codec).smiles == "C[Se]c1ccccc1C(=O)O"
