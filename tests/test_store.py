"""Encoded tables on disk: kept, found again, made anew when damaged; and what is chosen of them."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae.chem.fragments import murcko_scaffold
from molvae.chem.identity import hash_of
from molvae.chem.molecules import parse
from molvae.corpus import building, cache
from molvae.corpus.cache import VARIABLE
from molvae.corpus.columns import Column, TextColumn, Texts, mapped
from molvae.corpus.corpus import Corpus, Preparation, prepare
from molvae.corpus.splits import NO_SPLIT, TEST, TRAIN, VALID
from molvae.corpus.store import MANIFEST
from molvae.corpus.survey import Survey
from molvae.errors import OutputError, SettingsError, TableError

NASTY = [
    "CCO",
    "OCC",
    "x",
    "",
    "CCN",
    "C#N",
    "CCO.Cl",
    "C" * 130,
    "CC[Si]",
    "OCC",
    "CCN",
    "C%",
    "*",
]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which encoded tables are kept."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows were encoded, each time."""
    times: list[int] = []

    def counted(table: object, *others: object) -> None:
        times.append(table.count)  # type: ignore[attr-defined]
        building.build(table, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(cache, "build", counted)
    return times


def seen(prepared: Preparation) -> object:
    """All that training sees, and what people are told."""
    corpus = prepared.corpus
    places = corpus.rows()
    return (
        corpus.smiles(places),
        [ids.tolist() for ids in corpus.token_ids(places)],
        corpus.split.tolist(),
        prepared.account,
        list(prepared.rejects),
    )


def test_columns_come_back_as_they_were_written(tmp_path: Path) -> None:
    texts = ["", "CCO", "ü", "a\nb", "\udc80", ""]
    column, numbers = TextColumn(tmp_path / "texts"), Column(tmp_path / "numbers", "<u2")
    for part in (texts[:2], [], texts[2:]):
        column.append(part)
        numbers.append([len(one) for one in part])
    column.close(), numbers.close()
    again = Texts(tmp_path / "texts")
    assert list(again) == texts
    assert (again[-2], again[1:3], len(again)) == (texts[-2], texts[1:3], 6)
    assert mapped(tmp_path / "numbers", "<u2").tolist() == [0, 3, 1, 3, 1, 0]
    with pytest.raises(IndexError):
        again[6]


def test_a_table_is_encoded_once(kept: Path, builds: list[int], tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("smiles,v\n" + "".join(f"{one},1\n" for one in NASTY))
    first = prepare(path)
    assert seen(prepare(path)) == seen(first)
    assert builds == [13]
    prepare(path, seed=5, held_out=0.5)  # what is chosen is chosen each time
    assert builds == [13]
    prepare(path, max_tokens=3)
    prepare(path, property_names=["v"])
    path.write_text(path.read_text() + "CCCC,1\n")
    assert prepare(path).account.rows == 14
    assert builds == [13, 13, 13, 14]
    assert not list(kept.glob("*.unfinished"))


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "no manifest", "left behind"])
def test_what_is_damaged_is_made_anew(kept: Path, builds: list[int], damage: str) -> None:
    whole = seen(prepare(NASTY))
    (folder,) = (one for one in kept.iterdir() if one.is_dir())
    path = folder / "token_ids"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "changed":
        path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    elif damage == "missing":
        path.unlink()
    elif damage == "no manifest":
        (folder / MANIFEST).unlink()
    else:  # a crash: what it was writing is still there
        folder.rename(folder.with_name(f"{folder.name}.unfinished"))
    assert seen(prepare(NASTY)) == whole
    assert len(builds) == 2


def test_without_a_place_to_keep_it_nothing_is_left(
    builds: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    prepared = prepare(NASTY)
    folder = prepared.corpus.store.folder
    assert folder.exists()
    del prepared
    assert not folder.exists()
    (tmp_path / "file").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    assert prepare(NASTY).account.rows == 13
    assert "Nothing is kept" in capsys.readouterr().err
    assert len(builds) == 2


def test_a_full_disk_is_told(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Column, "append", full)
    with pytest.raises(OutputError, match=r"no space left.*MOLVAE_CACHE"):
        prepare(NASTY)
    assert not [one for one in kept.iterdir() if one.is_dir()]


def test_a_corpus_is_sent_to_another_process_as_a_place(kept: Path) -> None:
    corpus = prepare(NASTY).corpus
    sent = pickle.dumps(corpus)
    again: Corpus = pickle.loads(sent)
    assert len(sent) < 2_000
    assert again.smiles(again.rows()) == corpus.smiles(corpus.rows())
    assert again.fingerprint() == corpus.fingerprint()


def test_like_molecules_are_found_in_parts_and_told_from_those_of_one_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    names = [f"name {one}" for one in generator.integers(300, size=1_000)]
    # Each hash is that of several names, spread over all of the range.
    hashes = np.array([hash_of(str(int(name[5:]) % 100)) for name in names], dtype=np.uint64)
    column = Column(tmp_path / "hash", "<u8")
    column.append(hashes)
    column.close()
    monkeypatch.setattr(building, "_HASHES_AT_A_TIME", 70)
    found = np.concatenate(list(building.find_like(tmp_path / "hash", names)), axis=1)
    expected = {place: names.index(name) for place, name in enumerate(names)}
    assert dict(found.T.tolist()) == {k: v for k, v in expected.items() if k != v}


def test_like_rows_are_merged_alike_in_parts_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    generator = np.random.default_rng(1)
    chains = generator.integers(1, 60, size=500)
    table = pd.DataFrame({"smiles": ["C" * one for one in chains], "v": np.arange(500.0)})
    whole = prepare(table, property_names=["v"]).corpus
    monkeypatch.setattr(building, "_HASHES_AT_A_TIME", 50)
    monkeypatch.setattr(building, "_PLACES_AT_A_TIME", 30)
    parts = prepare(table, property_names=["v"]).corpus
    assert 400 < len(whole.store.like_place) == 500 - len(set(chains))
    for name in ("like_place", "like_first", "numbers"):
        assert np.array_equal(
            getattr(parts.store, name), getattr(whole.store, name), equal_nan=True
        )
    first = table.groupby("smiles", sort=False)["v"].mean()
    assert parts.properties(parts.rows())[:, 0].tolist() == first.tolist()


def test_every_count_adds_up_on_a_nasty_table(kept: Path) -> None:
    prepared = prepare(NASTY)
    account = prepared.account
    assert account.rows == 13 == account.kept + account.merged + sum(account.rejected.values())
    assert (account.kept, account.merged) == (4, 4)
    rows = [row for row, _, _ in prepared.rejects]
    assert rows == sorted(rows)
    assert len(rows) == account.merged + sum(account.rejected.values())
    assert [NASTY[row - 1] for row in rows] == [text for _, text, _ in prepared.rejects]
    places = prepared.corpus.rows()
    assert {*rows, *prepared.corpus.store.row[places].tolist()} == set(range(1, 14))


def test_like_rows_share_their_numbers_or_the_first_keeps_its_own(kept: Path) -> None:
    table = pd.DataFrame({"smiles": ["CCO", "OCC", "CCN", "C(C)O"], "v": ["1", "", "5", "4"]})
    for duplicates, expected in (("mean", [2.5, 5]), ("first", [1, 5])):
        corpus = prepare(table, property_names=["v"], duplicates=duplicates).corpus
        assert corpus.properties(corpus.rows())[:, 0].tolist() == expected
    with pytest.raises(SettingsError, match="duplicates"):
        prepare(table, duplicates="last")


def test_rare_symbols_are_rejected_with_their_molecules(kept: Path) -> None:
    table = ["CCO", "CCCO", "CCBr", "BrCC", "CCF", "CCCF", "CCS"]
    prepared = prepare(table, min_token_count=2, held_out=0)
    # Twice bromine, but one molecule; and the row that was merged with it goes with it.
    assert [(row, reason) for row, _, reason in prepared.rejects] == [
        (3, "[Br] is in fewer than 2 molecules"),
        (4, "[Br] is in fewer than 2 molecules"),
        (7, "[S] is in fewer than 2 molecules"),
    ]
    assert prepared.account.merged == 0
    assert prepared.corpus.vocabulary.symbols == ("[C]", "[F]", "[O]")
    with pytest.raises(TableError, match=r"None of the 7 rows .* in fewer than 100"):
        prepare(table, min_token_count=100)


def test_scaffolds_stay_together(sample: pd.DataFrame) -> None:
    prepared = prepare(sample[["smiles"]], split="scaffold", test=0.2, held_out=0.1)
    corpus = prepared.corpus
    scaffolds = {
        part: {murcko_scaffold(parse(one), min_rings=1) for one in corpus.smiles(corpus.rows(part))}
        for part in (TRAIN, VALID, TEST)
    }
    assert not scaffolds[TRAIN] & scaffolds[TEST]
    assert not scaffolds[TRAIN] & scaffolds[VALID]
    assert not scaffolds[VALID] & scaffolds[TEST]
    assert 0.15 < len(corpus.rows(TEST)) / len(corpus) <= 0.2
    again, other = (
        prepare(sample[["smiles"]], split="scaffold", test=0.2, seed=seed).corpus for seed in (0, 1)
    )
    assert (again.split == TEST).tolist() == (corpus.split == TEST).tolist()
    assert (other.split == TEST).tolist() != (corpus.split == TEST).tolist()


def test_a_random_part_is_left_alone(sample: pd.DataFrame) -> None:
    corpus = prepare(sample[["smiles"]], test=0.25).corpus
    assert len(corpus.rows(TEST)) == round(0.25 * len(corpus))
    test = corpus.smiles(corpus.rows(TEST))
    assert not any(one in corpus.known() for one in test)
    with pytest.raises(SettingsError, match="exclude"):
        prepare(sample, split_column="split", test=0.25)


def test_check_tells_symbols_lengths_and_what_a_model_can_read(
    model: molvae.MolVAE, tmp_path: Path
) -> None:
    table = ["CCO", "OCC", "CCCC", "c1ccccc1P", "x", "CC[Se]C", "CC[Se]C", "C" * 90]
    survey = molvae.check(table, rejects=tmp_path / "rejects.csv")
    assert sum(survey.lengths.values()) == survey.account.kept == 5
    assert (survey.lengths[3], survey.lengths[90]) == (1, 1)
    assert survey.symbols["[C]"] == 5
    assert survey.symbols["[Se]"] == 1
    assert "[Se] in 1" in survey.brief()
    rejects = pd.read_csv(tmp_path / "rejects.csv", keep_default_na=False)
    assert rejects["row"].tolist() == [2, 5, 7]
    asked = molvae.check(table, model).admission
    assert asked is not None
    encodings = model.encode(table)
    assert asked.encodable == encodings.usable.sum()
    assert asked.rows == asked.encodable + sum(asked.reasons.values()) == 8
    assert asked.reasons["the model has never seen [Se]"] == 2
    with pytest.raises(SettingsError, match="own standard"):
        molvae.check(table, model, neutralise=True)


def test_left_out_molecules_are_in_no_count(kept: Path) -> None:
    survey = Survey.of(prepare(["CCO", "CCCO", "CCCS", "OCC"], min_token_count=2, held_out=0))
    assert survey.symbols == {"[C]": 2, "[O]": 2}
    assert survey.lengths == {3: 1, 4: 1}


def test_check_as_a_command(cli, csv_file: Path, run_folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = cli("check", csv_file, "-m", run_folder, "--json", tmp_path / "facts.json")
    assert result.exit_code == 0, result.output
    assert "440 rows: 440 molecules kept" in result.output
    assert "the model can encode" in result.output
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["account"]["kept"] == sum(facts["lengths"].values()) == 440
    wrong = cli("check", csv_file, "-o", tmp_path / "rejects.txt")
    assert wrong.exit_code == 2
    assert cli("check", csv_file, "-o", csv_file).exit_code == 2


def test_a_molecule_left_out_has_no_part(kept: Path) -> None:
    corpus = prepare(["CCO", "OCC", "CCN"]).corpus
    assert corpus.split[1] == NO_SPLIT
    assert len(corpus) == 2


def test_a_table_is_checked_without_torch(kept: Path) -> None:
    code = "import sys, molvae; molvae.check(['CCO', 'CCN']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_repeated_property_counts_once(kept: Path) -> None:
    table = pd.DataFrame({"smiles": ["CCO", "CCN"], "v": [1.0, 2.0]})
    corpus = prepare(table, property_names=("v", "v")).corpus
    assert corpus.property_names == ("v",)
    assert corpus.properties(corpus.rows())[:, 0].tolist() == [1.0, 2.0]


def test_what_is_held_out_teaches_nothing(kept: Path) -> None:
    table = pd.DataFrame(
        {"smiles": ["CCO", "CCN", "OCC"], "v": ["1", "2", "100"], "split": ["train"] * 2 + ["test"]}
    )
    corpus = prepare(table, property_names=("v",), split_column="split").corpus
    assert corpus.properties(corpus.rows())[:, 0].tolist() == [1.0, 2.0]


def test_a_table_that_changes_while_it_is_read_is_refused(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("smiles\nCCO\nCCN\n")

    def changed(*arguments: object) -> None:
        path.write_text("smiles\nCCF\nCCS\n")
        building.build(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(cache, "build", changed)
        with pytest.raises(TableError, match="was changed while it was read"):
            prepare(path)
    assert set(prepare(path).corpus.vocabulary.symbols) == {"[C]", "[F]", "[S]"}


def test_a_table_without_a_molecule_is_accounted_for(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "bad.csv"
    path.write_text("smiles\nx\nC%\n\n")
    result = cli("check", path, "--smiles-column", "smiles", "-o", tmp_path / "rejects.csv")
    assert result.exit_code == 0, result.output
    assert "3 rows: 0 molecules kept, 0 rows merged, 3 rejected" in result.output
    assert len(pd.read_csv(tmp_path / "rejects.csv", keep_default_na=False)) == 3
