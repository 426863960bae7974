"""Reading: each format with known answers, and every row of a file in its place."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdkit import Chem

import molvae
from molvae.corpus.corpus import prepare
from molvae.corpus.formats import content
from molvae.corpus.reading import open_table
from molvae.corpus.table import as_table, numbers, smiles_column
from molvae.errors import MolVAEError, TableError

ETHANOL = """ethanol
  by hand

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.5000    0.0000    0.0000 C   0  0
    2.0000    1.2000    0.0000 O   0  0
  1  2  1  0
  2  3  1  0
M  END
"""
BROKEN = ETHANOL.replace("ethanol", "broken").replace(" O   0", " Xx  0")
CROWDED = ETHANOL.replace("ethanol", "crowded").replace(" C ", " F ")
SDF = (
    f"{ETHANOL}> <logp>\n-0.1\n\n>  <note> (7)\ntwo\nlines\n\n$$$$\n"
    f"{BROKEN}> <logp>\n5\n\n$$$$\n"
    "$$$$\n"
    f"{CROWDED}$$$$\n"
    f"{ETHANOL}> <smiles>\nOCC\n\n> <late>\n1\n"
)
ZIPPED = gzip.compress(b"smiles\nCCO\n", mtime=0)  # the names of tests may not tell the time


def written(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def rows(source: object) -> list[list[str]]:
    return as_table(source).to_numpy().tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("name", "text", "columns", "expected"),
    [
        ("t.csv", "smiles,x\nCCO,1\n", ["smiles", "x"], [["CCO", "1"]]),
        ("t.CSV", "smiles;x\nCCO;1,5\n", ["smiles", "x"], [["CCO", "1,5"]]),
        ("t.tsv", "smiles\ta,b\nCCO\t1\n", ["smiles", "a,b"], [["CCO", "1"]]),
        ("t.txt", '"a;b;c",smiles\n1,CCO\n', ["a;b;c", "smiles"], [["1", "CCO"]]),
        ("t.smi", "CCO ethanol, pure\n\nCCN\n", ["smiles", "name"],
         [["CCO", "ethanol, pure"], ["", ""], ["CCN", ""]]),
        ("t.smiles", "CCO\tethanol\n", ["smiles", "name"], [["CCO", "ethanol"]]),
        ("t.ism", "#SMILES id\nCCO 1 2\n\n", ["SMILES", "id"], [["CCO", "1 2"], ["", ""]]),
        ("t.smi", "smiles\tid\tx y\nCCO\t\t2\nCCN\n", ["smiles", "id", "x y"],
         [["CCO", "", "2"], ["CCN", "", ""]]),
        ("t.smi", "smiles\nCCO ethanol\n", ["smiles"], [["CCO"]]),
    ],
)  # fmt: skip
def test_known_answers(
    tmp_path: Path, name: str, text: str, columns: list[str], expected: object, zipped: bool
) -> None:
    data = gzip.compress(text.encode()) if zipped else text.encode()
    source = open_table(written(tmp_path / (f"{name}.gz" if zipped else name), data))
    table = as_table(source)
    assert list(source.columns) == table.columns.tolist() == columns
    assert table.to_numpy().tolist() == expected
    assert table.index.tolist() == list(range(1, source.count + 1))
    assert source.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert smiles_column(source) == smiles_column(table)


@pytest.mark.parametrize("name", ["t.sdf", "t.sd", "t.sdf.gz"])
def test_an_sdf_has_a_row_for_each_record(tmp_path: Path, name: str) -> None:
    data = SDF.replace("\n", "\r\n").encode()
    table = as_table(written(tmp_path / name, gzip.compress(data) if name[-1] == "z" else data))
    expected = ["smiles", "name", "unreadable", "logp", "note", "smiles.1", "late"]
    assert table.columns.tolist() == expected
    assert table["smiles"].tolist() == ["CCO", "", "", "", "CCO"]
    assert table["name"].tolist() == ["ethanol", "broken", "", "crowded", "ethanol"]
    assert table["logp"].tolist() == ["-0.1", "5", "", "", ""]
    assert table["note"].iloc[0] == "two\nlines"
    assert table["late"].iloc[4] == "1"
    assert table["smiles.1"].iloc[4] == "OCC"
    reasons = table["unreadable"].tolist()
    assert reasons[0] == reasons[4] == ""
    assert reasons[1] == "not a block that RDKit can read"
    assert reasons[2] == "an empty record"
    assert "F" in reasons[3]
    assert smiles_column(table) == "smiles"


def test_an_sdf_is_read_as_rdkit_reads_it(sample: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "t.sdf"
    with Chem.SDWriter(str(path)) as writer:
        for row, smiles in enumerate(sample["smiles"].head(50)):
            molecule = Chem.MolFromSmiles(smiles)
            molecule.SetProp("_Name", f"m{row}")
            if row % 3:
                molecule.SetProp("even" if row % 2 == 0 else "odd <than>", f"{row}\nand more")
            if row % 5 == 0:
                writer.SetForceV3000(row % 10 == 0)
            writer.write(molecule)
    table = as_table(path)
    with path.open("rb") as stream:
        for (_, row), molecule in zip(
            table.iterrows(), Chem.ForwardSDMolSupplier(stream), strict=True
        ):
            assert row["smiles"] == Chem.MolToSmiles(molecule)
            assert row["name"] == molecule.GetProp("_Name")
            properties = molecule.GetPropsAsDict(autoConvertStrings=False)
            for name in ("even", "odd <than>"):
                assert row[name] == properties.get(name, "")


def test_why_a_record_is_unreadable_is_told(model: molvae.MolVAE, tmp_path: Path) -> None:
    path = written(tmp_path / "t.sdf", SDF)
    table = model.reconstruct(path)
    assert table["reason"].tolist()[1:3] == ["not a block that RDKit can read", "an empty record"]
    assert prepare(as_table(path)).rejects.table()["reason"].iloc[0] == table["reason"].iloc[1]
    by_property = model.reconstruct(path, column="smiles.1")
    assert by_property["reason"].iloc[4] == ""


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "smiles": ["CCO", None, "CCC"],
            "v": [0.1, np.nan, 2],
            "n": pd.array([1, None, 3], dtype="Int64"),
            "f": np.array([0.1, 2, np.nan], dtype=np.float32),
            "b": [True, False, True],
        },
        index=["a", "b", "c"],
    )
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=2)
    table = as_table(tmp_path / "t.parquet")
    assert table.to_numpy().tolist() == [
        ["CCO", "0.1", "1", "0.1", "True"],
        ["", "", "", "2.0", "False"],
        ["CCC", "2.0", "3", "", "True"],
    ]
    data = (tmp_path / "t.parquet").read_bytes()
    from_input(monkeypatch, data)
    assert rows("-") == table.to_numpy().tolist()
    for broken in (data[:-5], data[:4], data[:40] + b"\0" * 60 + data[100:], b""):
        with pytest.raises(TableError, match="no Parquet file that can be read"):
            as_table(written(tmp_path / "broken.parquet", broken))
    frame.head(0).to_parquet(tmp_path / "none.parquet")
    with pytest.raises(TableError, match="no rows"):
        as_table(tmp_path / "none.parquet")


def test_parquet_without_pyarrow_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli, run_folder: Path  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(TableError, match=r"pip install 'molvae\[parquet\]'"):
        as_table(written(tmp_path / "t.parquet", b"PAR1"))
    target = tmp_path / "out.parquet"
    result = cli("generate", "-m", run_folder, "-o", target)
    assert result.exit_code == 2
    assert "molvae[parquet]" in result.stderr


def from_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize("data", [b"smiles\nCCO\n", ZIPPED, SDF.encode()])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    from_input(monkeypatch, data)
    source = open_table("-")
    assert as_table(source)["smiles"].iloc[0] == as_table(source)["smiles"].iloc[0] == "CCO"
    copy = source._content.path  # type: ignore[union-attr]
    assert copy.exists()
    del source
    assert not copy.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.smi"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=[b"CCO\nCCN\n"]).start()
    assert rows(pipe) == [["CCO", ""], ["CCN", ""]]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, ends: str) -> None:
    text = ends.join(["smiles,né", "CCO,Zürich", 'CCN,"a', 'b"', ""])
    path = written(tmp_path / "t.csv", text.encode(encoding))
    assert as_table(path).columns.tolist() == ["smiles", "né"]
    assert rows(path) == [["CCO", "Zürich"], ["CCN", f"a{ends}b"]]
    smi = written(tmp_path / "t.smi", ends.join(["CCO é", "CCN", ""]).encode(encoding))
    assert rows(smi) == [["CCO", "é"], ["CCN", ""]]


def test_a_letter_far_behind_decides_on_the_encoding(tmp_path: Path) -> None:
    text = "smiles,n\n" + "CCO,a\n" * 300_000
    path = written(tmp_path / "t.csv", (text + "CCO,é\n").encode("latin-1"))
    assert as_table(path)["n"].iloc[-1] == "é"
    path = written(tmp_path / "t.csv", text.encode() + "CCO,é".encode()[:-1])
    assert as_table(path)["n"].iloc[-1] == "Ã"


def test_headers_as_pandas_has_them(tmp_path: Path) -> None:
    table = as_table(written(tmp_path / "t.csv", "1,1,smiles,1\n007,1e3,CCO,NA\n"))
    assert table.columns.tolist() == ["1", "1.1", "smiles", "1.2"]
    assert table.to_numpy().tolist() == [["007", "1e3", "CCO", "NA"]]
    frame = pd.DataFrame([["CCO", 1], [None, 2]])
    assert as_table(frame).columns.tolist() == ["0", "1"]
    assert smiles_column(as_table(frame), 0) == "0"
    twice = pd.DataFrame([["CCO", 1.5], ["CCN", np.nan]], columns=["a", "a"])
    assert as_table(twice).to_dict("list") == {"a": ["CCO", "CCN"], "a.1": ["1.5", ""]}


def test_what_is_a_row(tmp_path: Path) -> None:
    one = written(tmp_path / "one.csv", "\n\nsmiles\n\nCCO\n  \n\n")
    assert as_table(one)["smiles"].str.strip().tolist() == ["", "CCO", "", ""]
    two = written(tmp_path / "two.csv", '\n  \nsmiles,x\n\nCCO\n  \n,\n""\nCCC,1,2\n\n')
    assert rows(two) == [["CCO", ""], ["", ""], ["", ""], ["CCC", "1"]]
    written(two, two.read_text().replace("1,2", "1"))  # pandas refuses surplus fields
    assert len(pd.read_csv(two)) == 4
    assert rows(written(tmp_path / "t.smi", "\nCCO")) == [["", ""], ["CCO", ""]]
    assert rows([None, "CCO", float("nan")]) == [[""], ["CCO"], [""]]
    assert rows([None, "C\ud800", "CCO"]) == [[""], ["C?"], ["CCO"]]  # half of a surrogate pair


@pytest.mark.parametrize("end", ["", "\n"])
def test_an_open_quote_is_found_wherever_it_is(tmp_path: Path, end: str) -> None:
    for text, line in (('smiles\nCCO\n"', 3), ('smiles\n"odd"ly\n"CC\n\nC', 3), ('"smiles', 1)):
        with pytest.raises(TableError, match=f"line {line}: a quote is opened there"):
            open_table(written(tmp_path / "t.csv", text + end))
    assert rows(written(tmp_path / "t.csv", "smiles\nend" + end)) == [["end"]]


def test_what_is_too_long_to_be_held_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "LONGEST_LINE", 100)
    path = written(tmp_path / "t.csv", f"smiles\nCCO\n{'C' * 100}\n")
    with pytest.raises(TableError, match="line 3: longer than 100 characters"):
        open_table(path)


def test_a_smiles_in_place_of_a_path_is_no_file() -> None:
    with pytest.raises(TableError, match=r"No file CCO\."):
        open_table("CCO")
    with pytest.raises(TableError, match="file name too long"):
        open_table("C" * 5_000)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b" \n\n", "is empty"),
        ("t.smi", b"\n", "is empty"),
        ("t.smi", b"smiles id\n", "but no rows"),
        ("t.sdf", b"\n\n", "is empty"),
        ("t.csv", b"PK\x03\x04\0\0", "no table of text"),
        ("t.sdf", b"\0", "no table of text"),
        ("t.csv.gz", ZIPPED[:-3], "damaged gzip"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(TableError, match=message):
        open_table(written(tmp_path / name, data))


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "smiles\nCCO\nCCN\n")
    source = open_table(path)
    written(path, "smiles\nCCO\n")
    with pytest.raises(TableError, match="was changed while it was read"):
        list(source.chunks())


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_chunks_change_nothing(tmp_path: Path, size: int) -> None:
    text = "smiles,note\n" + "".join(f'C{"C" * row},"{row}\n\nmore"\n' for row in range(10))
    for path in (written(tmp_path / "t.csv", text), written(tmp_path / "t.sdf", SDF)):
        whole = as_table(path)
        chunks = list(open_table(path).chunks(size))
        assert max(map(len, chunks)) <= size
        pd.testing.assert_frame_equal(pd.concat(chunks), whole)


def test_the_checksum_of_a_table_is_that_of_its_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame({"smiles": ["CCO", "CCN"], "n": ['a, "b"', "c"]})
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False, lineterminator="\n")
    assert open_table(frame).sha256 == open_table(path).sha256
    assert open_table(["CCO"]).sha256 == hashlib.sha256(b"smiles\nCCO\n").hexdigest()


@given(data=st.binary(max_size=300), start=st.sampled_from([b"", b"smiles,x\n", ETHANOL.encode()]))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".smi", ".sdf", ".sdf.gz", ".parquet", ""])
def test_any_bytes_end_in_an_error_or_a_table(
    tmp_path: Path, suffix: str, start: bytes, data: bytes
) -> None:
    path = written(tmp_path / f"t{suffix}", start + data)
    try:
        source = open_table(path)
        table = as_table(source)
        column = smiles_column(source, None if "smiles" in source.columns else source.columns[0])
    except MolVAEError as error:
        assert "\n" not in str(error)
        return
    assert len(table) == source.count > 0
    assert table.notna().all(axis=None)
    assert column in table.columns
    assert pd.concat(source.chunks(2)).equals(table)


def test_numbers_are_found_in_every_format(tmp_path: Path) -> None:
    table = as_table(written(tmp_path / "t.sdf", SDF))
    np.testing.assert_array_equal(numbers(table, ["logp"])[:, 0], [-0.1, 5, np.nan, np.nan, np.nan])


def test_a_record_that_is_far_too_long_is_one_reject(tmp_path: Path) -> None:
    endless = "endless\n" + f"{'C' * 99}\n" * 25_000
    table = as_table(written(tmp_path / "t.sdf", f"{endless}$$$$\n{ETHANOL}$$$$\n"))
    assert table["smiles"].tolist() == ["", "CCO"]
    assert table["name"].tolist() == ["endless", "ethanol"]
    assert table["unreadable"].iloc[0] == "longer than 500000 characters"
