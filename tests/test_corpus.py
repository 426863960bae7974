"""From tables to batches: every row is accounted for."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from molvae.chem.standard import Standard
from molvae.chem.strings import DEFAULT_CONSTRAINTS, PRESETS, decode
from molvae.corpus.admission import encodable
from molvae.corpus.batches import Batches
from molvae.corpus.corpus import Corpus, prepare
from molvae.corpus.disguise import Disguise
from molvae.corpus.splits import TEST, TRAIN, VALID
from molvae.corpus.table import as_table, numbers, read_table, smiles_column
from molvae.corpus.vocabulary import PAD, Vocabulary
from molvae.errors import MolVAEError, SettingsError, TableError
from molvae.training.feed import feed

NASTY = (
    "﻿id;SMILES;pIC50;note\r\n"
    '1;CCO;5.5;"a; quoted\nnote"\r\n'
    "2;OCC;6.5;the same\r\n"
    "3;;7;blank\r\n"
    "\r\n"
    "4;c1cc;7;broken\r\n"
    "5;CCN;n/a;\r\n"
    "6;CCC\r\n"
    "7;CCCl;4;5;6;7\r\n"
    "8;C(C)(C)(C)(C)C;3;valence\r\n"
)


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_a_nasty_table_is_read_as_a_person_would(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "nasty.csv", NASTY))
    assert table.columns.tolist() == ["id", "SMILES", "pIC50", "note"]
    assert len(table) == 8
    assert table["note"].iloc[0] == "a; quoted\nnote"
    assert table["note"].iloc[5] == ""
    assert smiles_column(table) == "SMILES"
    np.testing.assert_array_equal(
        numbers(table, ["pIC50"])[:, 0], [5.5, 6.5, 7, 7, np.nan, np.nan, 4, 3]
    )


def test_every_row_is_accounted_for(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "nasty.csv", NASTY))
    prepared = prepare(table, property_names=["pIC50"])
    account = prepared.account
    assert (account.rows, account.kept, account.merged) == (8, 4, 1)
    assert account.rows == account.kept + account.merged + sum(account.rejected.values())
    assert prepared.rejects.table()["row"].tolist() == [2, 3, 4, 8]
    assert prepared.rejects.table()["text"].tolist() == ["OCC", "", "c1cc", "C(C)(C)(C)(C)C"]
    assert prepared.rejects.table()["reason"].iloc[0] == "same molecule as row 1"
    corpus = prepared.corpus
    places = corpus.rows()
    values = dict(zip(corpus.smiles(places), corpus.properties(places)[:, 0], strict=True))
    assert values["CCO"] == 6.0  # the mean of 5.5 and 6.5
    assert np.isnan(values["CCC"])


SALTY = ["CCO", "OCC", "CCN.Cl", "Cl.NCC", "[Na+].[O-]C(=O)[C@@H](N)C", "C/C=C/C", "C.C", "x", "*"]


def test_changes_are_counted_by_step_and_the_account_adds_up() -> None:
    account = prepare(as_table(SALTY)).account
    assert (account.rows, account.kept, account.merged) == (9, 5, 2)
    assert account.changed == {"salts": 3, "spelling": 1}
    assert sum(account.rejected.values()) == 2
    assert "5 molecules kept" in str(account)
    assert "changed: 1 x spelling, 3 x salts" in str(account)
    flat = prepare(as_table(SALTY), standard=Standard().flattened()).account
    assert flat.changed == {"salts": 3, "spelling": 1, "neutralise": 1, "stereo": 2}
    refusing = prepare(as_table(SALTY), standard=Standard(salts="reject")).account
    assert (refusing.kept, refusing.merged) == (2, 1)
    assert refusing.rejected["more than one fragment"] == 4
    for one in (account, flat, refusing):
        assert one.rows == one.kept + one.merged + sum(one.rejected.values())


def test_large_molecules_are_rejected_by_name() -> None:
    table = as_table(["CCO", "C" * 101])
    assert prepare(table).account.rejected == {"more than 100 heavy atoms": 1}
    wide = prepare(table, standard=Standard(max_heavy_atoms=2000), max_tokens=2000)
    assert wide.account.kept == 2


def test_constraints_are_as_wide_as_the_molecules_need() -> None:
    usual, iodane = ["CCO", "CCI", "CS(C)(=O)=O"], "Cc1ccccc1I(Cl)Cl"
    assert prepare(as_table(usual)).constraints == PRESETS["default"]
    widened = prepare(as_table([*usual, iodane, iodane]))
    assert widened.constraints == PRESETS["wide"]
    assert (widened.account.kept, widened.account.merged) == (4, 1)
    narrow = prepare(as_table([*usual, iodane]), constraints="default")
    assert narrow.constraints == PRESETS["default"]
    assert "the constraints 'wide' admit it" in narrow.rejects.table()["reason"].iloc[0]
    with pytest.raises(SettingsError, match=r"constraints can't be 'wid'\. Did you mean 'wide'\?"):
        prepare(as_table(usual), constraints="wid")


@given(data=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_bytes_end_in_an_error_or_an_account_that_adds_up(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bytes.csv"
    path.write_bytes(b"smiles,x\n" + data)
    try:
        table = read_table(path)
        account = prepare(table).account
    except MolVAEError as error:
        message = str(error)
        assert message
        assert "\n" not in message
        return
    assert len(table) == account.kept + account.merged + sum(account.rejected.values())


def test_a_gzipped_table_and_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"smiles\nCCO\n"))
    assert read_table(path)["smiles"].tolist() == ["CCO"]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(TableError, match="damaged gzip"):
        read_table(path)


def test_a_column_is_found_by_content() -> None:
    table = as_table(pd.DataFrame({"name": ["ethanol", "amine"], "x": ["CCO", "CCN"], "y": [1, 2]}))
    assert smiles_column(table) == "x"
    with pytest.raises(TableError, match="No column looks like SMILES among name, y"):
        smiles_column(table[["name", "y"]])
    with pytest.raises(TableError, match="Did you mean 'name'"):
        smiles_column(table, "nam")


def test_a_file_without_a_header_is_refused(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "CCO,1\nCCN,2\nCCC,3\n"))
    with pytest.raises(TableError, match="'CCO' in it is itself a SMILES"):
        smiles_column(table)


def test_blank_lines_are_rows_where_there_is_one_column(tmp_path: Path) -> None:
    one = read_table(write(tmp_path / "t.csv", "\nsmiles\nCCO\n\nCCC\n\n\n"))
    assert one["smiles"].tolist() == ["CCO", "", "CCC", "", ""]
    two = read_table(write(tmp_path / "t.csv", "\nsmiles,x\nCCO,1\n\nCCC,2\n\n\n"))
    assert two["smiles"].tolist() == ["CCO", "CCC"]


def test_a_quote_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", 'smiles,note\nCCO,"fine"\nCCN,"5-inch\nCCC,\nCCF,\n')
    with pytest.raises(TableError, match="line 3: a quote is opened there and never closed"):
        read_table(path)
    path = write(tmp_path / "t.csv", 'smiles,note\nCCO,"odd"ly\nCCN,5"\n')
    assert read_table(path)["smiles"].tolist() == ["CCO", "CCN"]


def test_a_huge_field_is_one_reject(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", f"smiles\nCCO\n{'C' * 200_000}\nCCN\n")
    prepared = prepare(read_table(path))
    assert prepared.account.kept == 2
    assert prepared.account.rejected == {"longer than 2000 characters": 1}


def test_letters_are_no_smiles_column_beside_molecules() -> None:
    table = as_table(pd.DataFrame({"kind": ["C", "N", "C"], "drug": ["CCO", "CCN", "c1ccccc1"]}))
    assert smiles_column(table) == "drug"


def test_decimal_commas(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "smiles;v\nCCO;1,5\nCCN;\nCCC;-3\n"))
    np.testing.assert_array_equal(numbers(table, ["v"])[:, 0], [1.5, np.nan, -3])


@pytest.mark.parametrize(
    ("written", "values"),
    [
        (["1,234", "0,5"], [1.234, 0.5]),
        (["0,234", "1,345"], [0.234, 1.345]),
        (["12,34", "1,345"], [12.34, 1.345]),
        (["950", "1,234"], None),
        (["1,234", "-12,500", ""], None),
    ],
)
def test_commas_of_thousands_are_no_decimal_commas(
    written: list[str], values: list[float] | None
) -> None:
    table = as_table(pd.DataFrame({"smiles": ["CCO"] * len(written), "v": written}))
    if values is None:
        with pytest.raises(TableError, match=r"'v' has numbers such as 1,234: a decimal comma, or"):
            numbers(table, ["v"])
    else:
        assert numbers(table, ["v"])[:, 0].tolist() == values


def test_duplicate_and_unnamed_headers(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "smiles,v.1,v,v,\nCCO,1,2,3,4\n"))
    assert table.columns.tolist() == ["smiles", "v.1", "v", "v.2", ""]


def test_blanks_of_a_data_frame_are_blanks() -> None:
    table = as_table(pd.DataFrame({"smiles": ["CCO", None, "CCC"], "v": [1.5, np.nan, 2]}))
    assert table["smiles"].tolist() == ["CCO", "", "CCC"]
    np.testing.assert_array_equal(numbers(table, ["v"])[:, 0], [1.5, np.nan, 2])


def test_a_split_column_is_obeyed(sample: pd.DataFrame) -> None:
    corpus = prepare(as_table(sample), split_column="split").corpus
    test = set(corpus.smiles(corpus.rows(TEST)))
    assert test == set(sample.loc[sample["split"] == "test", "smiles"])
    assert len(corpus.rows(VALID)) == 20
    assert len(corpus.rows(TRAIN)) == 380


def test_a_row_without_a_split_is_rejected_alone() -> None:
    table = pd.DataFrame({"smiles": ["C", "CC", "CCC"], "s": ["train", "tran", ""]})
    prepared = prepare(as_table(table), split_column="s")
    assert prepared.rejects.table()["row"].tolist() == [2, 3]
    assert "split" in prepared.rejects.table()["reason"].iloc[0]
    with pytest.raises(TableError, match="never says train, but 'tran', ''"):
        prepare(as_table(table.tail(2)), split_column="s")


def test_a_held_out_molecule_has_no_token_of_its_own() -> None:
    table = as_table(["CCO", "CCN", "CCF", "CCCl", "CCBr", "CCI", "CCS", "CCP", "CCC", "CCCC"] * 2)
    corpus = prepare(table, seed=3).corpus
    (held_out,) = corpus.smiles(corpus.rows(VALID))
    assert held_out in {"CCC", "CCCC"}


def test_a_test_row_with_an_unseen_token_is_rejected() -> None:
    rows = pd.DataFrame({"smiles": ["CC", "CCC", "CCO"], "split": ["train", "valid", "test"]})
    prepared = prepare(as_table(rows), split_column="split")
    assert prepared.rejects.table()["reason"].tolist() == ["[O] is in no training row"]
    assert prepared.corpus.smiles(prepared.corpus.rows()) == ["CC", "CCC"]


def test_the_vocabulary_is_sorted_and_inverts() -> None:
    vocabulary = Vocabulary(["[O]", "[C]", "[=C]"])
    assert vocabulary.symbols == ("[=C]", "[C]", "[O]")
    assert vocabulary.tokens(vocabulary.ids(["[C]", "[=C]", "[O]"])) == ["[C]", "[=C]", "[O]"]
    assert vocabulary.unknown(["[N]", "[C]", "[P]", "[N]"]) == ["[N]", "[P]"]


def test_an_unseen_token_rejects_its_row_alone() -> None:
    known = Vocabulary(["[C]", "[O]"])
    rows = encodable(["CCO", "CCN", "x", "CCCC"], known, 3, DEFAULT_CONSTRAINTS, Standard())
    assert [row.smiles for row in rows] == ["CCO", "", "", ""]
    assert rows[1].reason == "the model has never seen [N]"
    assert rows[3].reason == "longer than the 3 tokens that the model has seen"


def test_workers_change_nothing(sample: pd.DataFrame, no_cache: None) -> None:
    table = as_table(sample["smiles"].tolist() * 6)
    one, two = prepare(table, workers=1), prepare(table, workers=2)
    assert one.corpus.store.folder != two.corpus.store.folder
    assert one.corpus.fingerprint() == two.corpus.fingerprint()
    assert one.account == two.account
    assert list(one.rejects) == list(two.rejects)


def test_an_epoch_has_every_molecule_once(sample: pd.DataFrame) -> None:
    corpus = prepare(as_table(sample)).corpus
    batches = Batches(corpus, corpus.rows(), 32, seed=1)
    seen = []
    for batch in batches.epoch(0):
        assert (
            (batch.token_ids == PAD).sum(axis=1) == batch.token_ids.shape[1] - batch.lengths
        ).all()
        seen += [tuple(row[row != PAD]) for row in batch.token_ids]
    assert sorted(seen) == sorted(map(tuple, corpus.token_ids(corpus.rows())))


def test_the_order_is_a_function_of_seed_and_epoch(sample: pd.DataFrame) -> None:
    corpus = prepare(as_table(sample)).corpus

    def first(seed: int, epoch: int) -> bytes:
        return next(Batches(corpus, corpus.rows(TRAIN), 32, seed).epoch(epoch)).token_ids.tobytes()

    assert first(0, 0) == first(0, 0)
    assert len({first(0, 0), first(0, 1), first(1, 0)}) == 3


def disguised(corpus: Corpus, corruption: float, random_order: float) -> Batches:
    disguise = Disguise(corruption, random_order, corpus.vocabulary, DEFAULT_CONSTRAINTS)
    return Batches(corpus, corpus.rows(TRAIN), 32, 3, disguise)


def test_a_random_order_is_the_same_molecule(sample: pd.DataFrame) -> None:
    corpus = prepare(as_table(sample)).corpus
    clean, moved = disguised(corpus, 0, 0)[0, 0], disguised(corpus, 0, 1)[0, 0]
    assert clean.inputs is None
    assert moved.inputs is not None
    np.testing.assert_array_equal(moved.token_ids, clean.token_ids)

    def molecules(token_ids: np.ndarray) -> list[str]:
        return [decode(corpus.vocabulary.tokens(row)).smiles for row in token_ids.tolist()]

    read, lengths = moved.inputs
    assert molecules(read) == molecules(clean.token_ids)
    assert ((read != PAD).sum(axis=1) == lengths).all()
    width = min(read.shape[1], clean.token_ids.shape[1])
    assert (read[:, :width] != clean.token_ids[:, :width]).any(axis=1).mean() > 0.9
    half = disguised(corpus, 0, 0.5)
    same = [
        np.array_equal(row[row != PAD], other[other != PAD])
        for batch in half.epoch(0)
        for row, other in zip(batch.inputs[0], batch.token_ids, strict=True)  # type: ignore[index]
    ]
    assert 0.4 < np.mean(same) < 0.65


def test_an_order_with_an_unknown_symbol_is_not_taken() -> None:
    corpus = prepare(as_table(["CCO", "CCCC"])).corpus  # written from the middle: a branch
    (batch,) = disguised(corpus, 0, 1).epoch(0)
    known = set(range(len(corpus.vocabulary)))
    assert batch.inputs is not None
    assert set(batch.inputs[0].ravel().tolist()) <= known


def test_what_is_read_is_a_function_of_seed_epoch_and_place(sample: pd.DataFrame) -> None:
    corpus = prepare(as_table(sample)).corpus

    def read(*at: int) -> bytes:
        batch = disguised(corpus, 0.1, 0.5)[at[0], at[1]]
        assert batch.inputs is not None
        return batch.inputs[0].tobytes()

    assert read(0, 1) == read(0, 1)
    assert len({read(0, 0), read(0, 1), read(1, 0)}) == 3


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
def test_batches_made_ahead_are_the_same(sample: pd.DataFrame) -> None:
    batches = disguised(prepare(as_table(sample)).corpus, 0.1, 0.5)
    place = len(batches) - 2  # so that it goes on into the next epoch
    here, ahead = (feed(batches, 0, place, workers) for workers in (0, 2))
    for one, other in islice(zip(here, ahead, strict=False), 5):
        np.testing.assert_array_equal(one.token_ids, other.token_ids)
        np.testing.assert_array_equal(one.inputs[0], other.inputs[0])  # type: ignore[index]
