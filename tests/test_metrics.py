"""What the measures mean, and what they say when they can't be taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator

import molvae
from molvae import sealed
from molvae.benchmark import evaluate, load_reference, reference
from molvae.chem.molecules import parse
from molvae.errors import MeasureError, TableError
from molvae.metrics import chemnet, distribution, guacamol, similarity
from molvae.metrics import reference as references
from molvae.metrics.description import fingerprints_of
from molvae.metrics.evaluation import Evaluation, published
from molvae.metrics.rows import ROWS


@pytest.fixture(scope="session")
def smiles() -> list[str]:
    """3,000 training molecules and 600 test molecules of MOSES."""
    path = Path(__file__).resolve().parent.parent / "data" / "moses_sample.csv.gz"
    table = pd.read_csv(path)
    train = table[table["split"] == "train"]["smiles"].sample(3000, random_state=0)
    test = table[table["split"] == "test"]["smiles"].head(600)
    return [*train, *test]


@pytest.fixture(scope="session")
def train(smiles: list[str]) -> list[str]:
    return smiles[:3000]


@pytest.fixture(scope="session")
def test_set(smiles: list[str]) -> list[str]:
    return smiles[3000:]


@pytest.fixture(scope="session")
def whole(train: list[str], test_set: list[str]) -> references.Reference:
    return reference(
        test_set, scaffolds=test_set[:300], train=train[:2400], name="moses", device="cpu"
    )


@pytest.fixture(scope="session")
def generated(train: list[str], test_set: list[str]) -> list[str]:
    """Novel, copied, repeated and broken rows."""
    return [*train[2000:], *test_set[:170], *train[:20], *train[:20], "", "C(C", "C[N+](C)(C)C"]


@pytest.fixture(scope="session")
def evaluation(generated: list[str], whole: references.Reference) -> Evaluation:
    return evaluate(generated, whole, device="cpu")


def values(one: Evaluation) -> dict[str, float | None]:
    return {measure.name: measure.value for measure in one.measures}


def test_every_measure_has_a_value_or_says_why_not(evaluation: Evaluation) -> None:
    missing = {one.name: one.note for one in evaluation.measures if one.value is None}
    assert missing == {
        "unique@10000": "needs 10,000 valid molecules, there are 1,211",
        "near ratio": "needs 1 near copies, there are 0",
    }
    assert [one.name for one in evaluation.measures] == [row.name for row in ROWS]


def test_counts_and_shares_are_what_they_say(evaluation: Evaluation) -> None:
    assert evaluation["valid"] == 1211 / 1213
    # 400 are training molecules, and 20 of those stand twice among the 40 at the end.
    assert evaluation["Novelty"] == pytest.approx(1 - 420 / 1191)
    assert (evaluation["hits/Train"], evaluation["hits/Test"]) == (420, 170)
    assert evaluation["hit ratio"] == pytest.approx(420.5 / 170.5)
    expected = {one.name: one.expected for one in evaluation.measures}
    assert expected["hit ratio"] == 2400 / 600
    assert evaluation["unique@1000"] == 1


def test_spellings_of_one_molecule_are_one_molecule(whole: references.Reference) -> None:
    found = evaluate(["C(O)C", "OCC", "CCO", "[CH3][CH2][OH]"], whole, device="cpu")
    assert (found.facts["valid"], found.facts["distinct"]) == (4, 1)
    assert found["IntDiv"] == pytest.approx(0, abs=1e-7)


def test_an_empty_molecule_is_invalid(whole: references.Reference) -> None:
    found = evaluate(["", "CCO", "  ", "[H][H]"], whole, device="cpu")
    assert found["valid"] == 0.25
    assert found.molecules["valid"].tolist() == [False, True, False, False]


def test_duplicates_do_not_raise_novelty(
    generated: list[str], whole: references.Reference, evaluation: Evaluation
) -> None:
    novel = evaluation.molecules.loc[evaluation.molecules["novel"] == True, "smiles"]  # noqa: E712
    again = evaluate([*generated, *novel.head(50)], whole, device="cpu")
    assert again["Novelty"] == evaluation["Novelty"]
    assert again["valid"] > evaluation["valid"]  # type: ignore[operator]


def test_order_does_not_matter(
    generated: list[str], whole: references.Reference, evaluation: Evaluation
) -> None:
    order = np.random.default_rng(0).permutation(len(generated))
    shuffled = evaluate([generated[place] for place in order], whole, device="cpu")
    for name, value in values(evaluation).items():
        if value is None or name in ("unique@1000", "FCD score"):  # of the first so many
            continue
        assert values(shuffled)[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name


def test_the_training_set_against_itself_is_not_novel(
    train: list[str], whole: references.Reference
) -> None:
    found = evaluate(train[:2400], whole, device="cpu")
    assert found["Novelty"] == 0
    assert found["KL score"] == pytest.approx(1, abs=1e-9)
    assert found["FCD score"] == pytest.approx(1, abs=1e-4)  # features are kept in half precision
    ratio = next(one for one in found.measures if one.name == "hit ratio")
    assert ratio.value == 2400.5 / 0.5
    assert ratio.note.startswith("± 9.6e+03")  # who has seen none knows little
    assert ratio.note.endswith("training molecules are replayed")


def test_a_set_against_itself(test_set: list[str], whole: references.Reference) -> None:
    found = evaluate(test_set, whole, device="cpu")
    assert found["FCD/Test"] == pytest.approx(0, abs=1e-6)
    for name in ("SNN/Test", "Frag/Test", "Scaf/Test"):
        assert found[name] == pytest.approx(1, abs=1e-12)
    for name in ("logP", "SA", "QED", "weight"):
        assert found[name] == 0
    shifts = [one for one in found.measures if one.section == "shift"]
    assert all(one.value == pytest.approx(one.expected) for one in shifts)


def test_the_floor_is_the_fcd_of_as_many_training_molecules(
    whole: references.Reference, evaluation: Evaluation
) -> None:
    assert whole.train is not None
    assert whole.train.sample is not None
    same = evaluate(whole.train.sample[:1211], whole, device="cpu")
    (fcd,) = (one for one in evaluation.measures if one.name == "FCD/Test")
    assert fcd.expected == pytest.approx(same["FCD/Test"], rel=1e-3)
    assert fcd.note == "1,211 molecules; expected: as many training molecules"


def test_copies_are_noticed_that_novelty_lets_pass(
    train: list[str], whole: references.Reference
) -> None:
    """A methyl group added to each training molecule: all novel, all near copies."""
    varied = []
    for one in train[:400]:
        place = one.find("C(")
        varied.append(one[:place] + "C" + one[place:] if place >= 0 else "C" + one)
    found = evaluate(varied, whole, device="cpu")
    assert found["Novelty"] > 0.95  # type: ignore[operator]
    assert found["near/Train"] > 20 * found["near/Test"]  # type: ignore[operator]
    ratio = next(one for one in found.measures if one.name == "near ratio")
    assert ratio.value > 20  # type: ignore[operator]
    assert ratio.note.endswith("training molecules are varied")


def test_a_row_a_molecule(evaluation: Evaluation, generated: list[str]) -> None:
    table = evaluation.molecules
    assert table["smiles"].tolist() == generated
    assert table["repeated"].sum() == 20
    first = table.iloc[0]
    assert first["novel"] == False  # noqa: E712
    assert (first["nearest_train"], first["train_similarity"]) == (generated[0], 1)
    assert table["objection"].iloc[-1] == "moses: charged"
    assert table.iloc[-2].drop(["smiles", "canonical", "valid", "repeated"]).isna().all()
    for row in (5, 500, 1100):
        query = table["canonical"].iloc[row]
        named, told = table["nearest_reference"].iloc[row], table["similarity"].iloc[row]
        generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
        bits = [generator.GetFingerprint(parse(one)) for one in (query, named)]
        assert DataStructs.TanimotoSimilarity(*bits) == pytest.approx(told, abs=1e-7)


def test_blocks_give_what_rdkit_gives(
    smiles: list[str], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("UNPACKED", 100), ("TILE_ROWS", 37), ("TILE_COLUMNS", 53)):
        monkeypatch.setattr(similarity, name, size)
    queries, known = smiles[:130], smiles[100:400]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    vectors = [[generator.GetFingerprint(parse(one)) for one in part] for part in (queries, known)]
    table = np.array([DataStructs.BulkTanimotoSimilarity(one, vectors[1]) for one in vectors[0]])
    packed = [fingerprints_of(part) for part in (queries, known)]

    found = similarity.nearest(*packed, close=0.3, device=device)
    np.testing.assert_array_equal(found.places, table.argmax(axis=1))
    np.testing.assert_allclose(found.similarities, table.max(axis=1), atol=1e-7)
    np.testing.assert_array_equal(found.close, (table.astype(np.float32) >= 0.3).sum(axis=1))

    own = np.array([DataStructs.BulkTanimotoSimilarity(one, vectors[0]) for one in vectors[0]])
    weights = np.arange(1, 131)
    means = similarity.mean_powers(packed[0], weights, (1, 2), device=device)
    for row, power in enumerate((1, 2)):
        np.testing.assert_allclose(means[row], own**power @ weights / weights.sum(), rtol=1e-6)
    np.fill_diagonal(own, 0)
    others = similarity.nearest_other(packed[0], device=device)
    np.testing.assert_allclose(others, own.max(axis=1), atol=1e-7)


def test_fingerprints_with_many_bits_are_compared_exactly() -> None:
    """In bfloat16 alone 301 shared bits would become 300."""
    bits = np.zeros((2, 1024), dtype=np.uint8)
    bits[0, :301], bits[1, :400] = 1, 1
    one, other = np.packbits(bits[:1], axis=1), np.packbits(bits[1:], axis=1)
    assert similarity.nearest(one, other).similarities[0] == np.float32(301 / 400)


def test_two_molecules_without_bits_are_alike() -> None:
    nothing = np.zeros((1, 128), dtype=np.uint8)
    assert similarity.nearest(nothing, nothing).similarities[0] == 1


def test_the_frechet_distance_is_that_of_its_formula() -> None:
    from scipy.linalg import sqrtm

    generator = np.random.default_rng(0)
    sets = [generator.normal(size=(40, 30)) * scale for scale in (1.0, 1.3)]
    one, other = map(distribution.Moments.of, sets)
    root = np.trace(sqrtm(one.covariance @ other.covariance)).real
    shift = ((one.mean - other.mean) ** 2).sum()
    expected = shift + np.trace(one.covariance) + np.trace(other.covariance) - 2 * root
    assert distribution.frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)


def test_counts_beyond_64_bits_are_compared_rightly() -> None:
    """As integers their squares overflow, and the cosine came out as 1 in MOSES."""
    one, other = {"a": 4_000_000_000, "b": 1_000_000_000}, {"a": 4_000_000_000, "c": 5}
    expected = 4 / np.sqrt(17)
    assert distribution.cosine_similarity(one, other) == pytest.approx(expected, rel=1e-12)


def test_chemnet_is_that_of_the_package_it_comes_from(smiles: list[str]) -> None:
    from fcd_torch import utils

    path = Path(utils.__file__).with_name("ChemNet_v0.13_pretrained.pt")
    theirs = utils.load_imported_model(torch.load(path, weights_only=True)).eval()
    odd = ["C" * 400, "[Li]CCCl", "CC[Si](C)C[Zr]", "C.CCO", "[Na+].[Cl-]", "C"]
    given = [*smiles[:20], *odd]
    # It reads one character beyond a string that a dot ends; ours does so nowhere.
    one_hot = np.stack([utils.get_one_hot(one, 350) for one in given]) / 35
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(one_hot).transpose(1, 2).float()).numpy()
    np.testing.assert_allclose(chemnet.activations(given), expected, atol=1e-6)


def test_kl_divergences_of_hand_worked_histograms() -> None:
    baseline = np.repeat([0.0, 10.0], [50, 50])
    sampled = np.repeat([0.0, 10.0], [80, 20])
    expected = 0.5 * np.log(0.5 / 0.8) + 0.5 * np.log(0.5 / 0.2)
    assert guacamol.discrete_kl(baseline, sampled) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(MeasureError, match="in the range"):
        guacamol.discrete_kl(baseline, np.array([20.0]))


def test_the_kl_divergence_has_its_direction() -> None:
    """KL(N(0, 1) || N(1, 2)) = log 2 + (1 + 1) / 8 - 1 / 2, and 1.3 the other way."""
    generator = np.random.default_rng(0)
    narrow, wide = generator.normal(0, 1, 20_000), generator.normal(1, 2, 20_000)
    assert guacamol.continuous_kl(narrow, wide) == pytest.approx(np.log(2) - 0.25, abs=0.03)
    assert guacamol.continuous_kl(wide, narrow) > 1


def test_one_degenerate_descriptor_costs_its_own_row_and_the_score(
    whole: references.Reference,
) -> None:
    alkanes = ["C" * length for length in range(3, 30)]
    found = evaluate(alkanes, whole, device="cpu")
    assert found["KL/tpsa"] is None
    assert found["KL score"] is None
    assert found["KL/logp"] is not None


def test_means_count_each_molecule_as_often_as_it_occurs(test_set: list[str]) -> None:
    """Worked out with RDKit for three rows of two molecules."""
    rows = ["CCO", "CCO", "c1ccccc1O"]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    one, other = (generator.GetFingerprint(parse(smiles)) for smiles in rows[1:])
    between = DataStructs.TanimotoSimilarity(one, other)
    found = evaluate(rows, reference(["c1ccccc1O"], device="cpu"), device="cpu")
    assert found["IntDiv"] == pytest.approx(1 - (5 + 4 * between) / 9, rel=1e-6)
    roots = 2 * np.sqrt((2 + between**2) / 3) + np.sqrt((1 + 2 * between**2) / 3)
    assert found["IntDiv2"] == pytest.approx(1 - roots / 3, rel=1e-6)
    assert found["SNN/Test"] == pytest.approx((1 + 2 * between) / 3, rel=1e-6)
    assert found["Frag/Test"] == pytest.approx(1 / np.sqrt(5))  # counts 2 and 1 against 0 and 1
    charged = evaluate(["CCO", "CCO", "C[N+](C)(C)C"], reference(["CCO"], device="cpu"))
    assert charged["Filters"] == pytest.approx(2 / 3)


def test_published_values_have_the_names_of_measures() -> None:
    rows = published("moses")
    names = {row.name for row in ROWS}
    assert {one["model"] for one in rows} >= {"CharRNN", "VAE", "JTN-VAE"}
    for row in rows:
        assert set(row) - names == {"benchmark", "model", "samples", "test_molecules", "source"}
        assert row["source"]
    assert published("unknown") == []


def test_a_stored_reference_gives_the_same(
    whole: references.Reference, generated: list[str], evaluation: Evaluation, tmp_path: Path
) -> None:
    path = tmp_path / "mine.safetensors"
    references.save(whole, path)
    again = evaluate(generated, path, device="cpu")
    assert again.measures == evaluation.measures
    pd.testing.assert_frame_equal(again.molecules, evaluation.molecules)
    references.save(load_reference(path), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        ("fingerprints", {"SNN/Test", "near/Train"}),
        ("fragments", {"Frag/Test", "Frag/TestSF"}),
        ("scaffolds", {"Scaf/Test", "Scaf/TestSF"}),
        ("chemnet", {"FCD/Test", "FCD/TestSF", "FCD score"}),
        ("properties", {"logP", "SA", "QED", "weight"}),
        ("descriptors", {"KL score", "KL/tpsa"}),
        ("molecules", {"Novelty", "hits/Test"}),
    ],
)
def test_a_part_of_another_version_costs_its_measures_only(
    whole: references.Reference, test_set: list[str], tmp_path: Path, part: str, lost: set[str]
) -> None:
    path = tmp_path / "old.safetensors"
    references.save(whole, path)
    content, arrays = sealed.read(path, references._REFERENCE)
    content["parts"][part] = 99
    sealed.write(path, references._REFERENCE, content, arrays)
    found = evaluate(test_set[:30], path, device="cpu")
    reasons = {one.name: one.note for one in found.measures if one.value is None}
    for name in lost:
        assert reasons[name].startswith(f"the reference has no '{part}' that this molvae can use")
    for name in {"valid", "IntDiv", "Filters", "SNN/Test", "Frag/Test", "QED"} - lost:
        assert found[name] is not None


def test_a_reference_of_a_newer_format_asks_for_an_update(
    whole: references.Reference, tmp_path: Path
) -> None:
    path = tmp_path / "new.safetensors"
    references.save(whole, path)
    content, arrays = sealed.read(path, references._REFERENCE)
    content["format"] += 1
    sealed.write(path, references._REFERENCE, content, arrays)
    with pytest.raises(TableError, match="Update molvae, or build it anew"):
        load_reference(path)


def test_another_rdkit_is_told(
    whole: references.Reference, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = replace(whole, versions={**whole.versions, "rdkit": "2020.03.1"})
    references.save(older, tmp_path / "older.safetensors")
    load_reference(tmp_path / "older.safetensors")
    assert "built with RDKit 2020.03.1" in capsys.readouterr().err


def test_a_model_is_no_reference(
    run_folder: Path, whole: references.Reference, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match="is a model of molvae, not a reference"):
        load_reference(run_folder / "model.safetensors")
    references.save(whole, tmp_path / "reference.safetensors")
    with pytest.raises(molvae.CheckpointError, match="is a reference of molvae, not a model"):
        molvae.load(tmp_path / "reference.safetensors")
    with pytest.raises(TableError, match="molvae reference"):
        load_reference(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("rows", [["no", "", "C(C"], ["CCO"], ["CCO", "CCO"], ["CCO", "c1ccccc1"]])
def test_few_or_no_molecules_name_the_measures_that_need_more(
    whole: references.Reference, rows: list[str]
) -> None:
    found = evaluate(rows, whole, device="cpu")
    reasons = {one.name: one.note for one in found.measures if one.value is None}
    assert all(reasons.values())
    assert reasons["unique@1000"].startswith("needs 1,000 valid molecules, there are ")
    assert found["valid"] is not None
    assert len(found.molecules) == len(rows)
    json.dumps(found.as_dict(), allow_nan=False)
    if rows[0] == "CCO":
        for name in ("SNN/Test", "IntDiv", "QED", "Novelty", "Filters", "Frag/Test"):
            assert found[name] is not None, name
        assert ("FCD/Test" in reasons) == (len(rows) < 2)
    else:
        assert reasons["QED"] == "needs 1 valid molecules, there are 0"


def test_without_the_extra_packages_the_rest_is_computed(
    whole: references.Reference, test_set: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    def absent(name: str, *_: object) -> None:
        raise ImportError(name)

    chemnet._chemnet.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(importlib, "import_module", absent)
    found = evaluate(test_set[:30], whole, device="cpu", workers=1)
    missing = {one.name: one.note for one in found.measures if one.value is None}
    for name in ("FCD/Test", "FCD score", "QED", "KL score"):
        assert "pip install 'molvae[eval]'" in missing[name]
    for name in ("SNN/Test", "Frag/Test", "IntDiv", "Novelty", "near/Train"):
        assert found[name] is not None


def test_a_reference_without_training_molecules_says_how_to_name_them(
    test_set: list[str], train: list[str]
) -> None:
    bare = reference(test_set, device="cpu")
    found = evaluate(test_set[:30], bare, device="cpu")
    (novelty,) = (one for one in found.measures if one.name == "Novelty")
    assert novelty.note == "no training molecules are given: name them with --train"
    (fcd,) = (one for one in found.measures if one.name == "FCD/Test")
    assert fcd.note == f"30 molecules; no floor: {novelty.note}"
    assert evaluate(train[:30], bare, train=train, device="cpu")["Novelty"] == 0


def test_one_table_with_a_split_column_is_enough(sample: pd.DataFrame) -> None:
    found = reference(sample, split_column="split", device="cpu")
    assert found.test.smiles is not None
    assert found.train is not None
    assert found.train.known is not None
    assert (len(found.test.smiles), len(found.train.known)) == (40, 400)
    with pytest.raises(TableError, match="never says test"):
        reference(sample.head(50), split_column="split", device="cpu")


def test_a_reference_needs_molecules() -> None:
    with pytest.raises(TableError, match="no valid molecule"):
        reference(["no", "molecule"], device="cpu")


def test_the_command_writes_table_json_and_molecules(cli, csv_file: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    stored = tmp_path / "stored.safetensors"
    result = cli("reference", csv_file, "--train", csv_file, "--name", "moses", "-o", stored)
    assert result.exit_code == 0, result.output
    assert "440 test, 440 training molecules" in result.stderr
    table = pd.DataFrame({"smiles": ["CCO", "CCO", "no"], "temperature": 0.7})
    table.to_csv(tmp_path / "one.csv", index=False)
    common = ("evaluate", tmp_path / "one.csv", "--reference", stored)
    result = cli(*common, "-o", tmp_path / "rows.csv", "--json", tmp_path / "all.json")
    assert result.exit_code == 0, result.output
    assert "3 rows, 2 valid, 1 distinct, temperature 0.7, against moses" in result.stdout
    assert "needs 1,000 valid molecules, there are 2" in result.stdout
    assert pd.read_csv(tmp_path / "rows.csv")["repeated"].tolist() == [False, True, False]
    (content,) = json.loads((tmp_path / "all.json").read_text()).values()
    assert content["temperature"] == 0.7
    assert content["measures"]["valid"]["value"] == pytest.approx(2 / 3)
    piped = json.loads(cli(*common, "--json", "-").stdout)
    assert list(piped.values()) == [content]

    result = cli(*common[:2], csv_file, "--reference", stored, "--compare")
    assert result.exit_code == 0, result.output
    assert "CharRNN" in result.stdout
    assert "0.0732" in result.stdout
    assert "molecularsets/moses" in result.stdout
    result = cli("evaluate", tmp_path / "one.csv", csv_file, "--reference", stored)
    assert result.exit_code == 0, result.output
    assert f"[2] {csv_file}" in result.stdout
    row = next(line for line in result.stdout.splitlines() if line.startswith("hits/Train"))
    assert row.split()[1:] == ["0", "440"]


def test_selected_molecules_are_called_so(
    cli, run_folder: Path, csv_file: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    chosen, raw = tmp_path / "chosen.csv", tmp_path / "raw.csv"
    cli("generate", "-m", run_folder, "-n", 20, "--keep-repaired", "-o", chosen)
    cli("generate", "-m", run_folder, "-n", 200, "--raw", "-o", raw)
    result = cli("evaluate", chosen, raw, "--reference", csv_file, "--train", csv_file)
    assert result.exit_code == 0, result.output
    assert f"Every row of {chosen} is valid, distinct and novel, as if chosen so" in result.stderr
    content = json.loads(cli("evaluate", raw, "--reference", csv_file, "--json", "-").stdout)
    facts = content[str(raw)]
    assert facts["rows"] == 200
    assert 0 < facts["strict_share"] < 1
    assert facts["temperature"] == 1


def test_a_sealed_file_that_is_no_whole_reference(
    whole: references.Reference, tmp_path: Path
) -> None:
    path = tmp_path / "odd.safetensors"
    references.save(whole, path)
    content, arrays = sealed.read(path, references._REFERENCE)
    arrays["test.fragments.counts"] = arrays["test.fragments.counts"][:-1]
    sealed.write(path, references._REFERENCE, content, arrays)
    with pytest.raises(TableError, match="no whole reference"):
        load_reference(path)
    sealed.write(path, references._REFERENCE, {"parts": {}}, {})
    with pytest.raises(TableError, match="no whole reference"):
        load_reference(path)


def test_a_reference_takes_the_place_of_references_only(
    cli, run_folder: Path, csv_file: Path
) -> None:  # type: ignore[no-untyped-def]
    model = run_folder / "model.safetensors"
    before = model.read_bytes()
    result = cli("reference", csv_file, "-o", model)
    assert result.exit_code == 2
    assert "is a model of molvae, not a reference" in result.stderr
    assert model.read_bytes() == before


def test_a_text_called_temperature_is_no_temperature(test_set: list[str]) -> None:
    table = pd.DataFrame({"smiles": test_set[:3], "temperature": ["warm", "", "cold"]})
    assert evaluate(table, reference(test_set[:9], device="cpu"))["valid"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a.csv", "a.csv", "--reference", "r.csv"], "named twice"),
        (["a.csv", "b.csv", "--reference", "r.csv", "-o", "x.csv"], "one file only"),
        (["a.csv", "--reference", "r.csv", "-o", "-"], "Name a file"),
        (["a.csv", "--reference", "r.csv", "--json", "x.txt"], "must end in .json"),
        (["a.csv", "--reference", "none.safetensors"], "No reference at none.safetensors"),
        (["a.csv", "--reference", "none.csv"], "No file none.csv"),
        (["a.csv", "--reference", "r.csv", "-o", "r.csv"], "a file that is read"),
        (["a.csv", "--reference", "r.csv", "--train", "t.csv", "-o", "t.csv"], "file that is read"),
        (["-", "--reference", "-"], "only once"),
    ],
)
def test_bad_commands_end_in_one_line(
    cli, arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    result = cli("evaluate", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
