"""Rows line up: encode and reconstruct give a row for each row, whatever is wrong with it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae.codec import Encodings
from molvae.corpus import reading
from molvae.errors import SettingsError

BROKEN = (
    "",
    "c1cc",
    "hello world",
    "C" * 3_000,
    "[Xx]",
    "C[Si](C)C",
    "Zürich",
    '"quoted"',
    "C(",
    "*",
)


@pytest.fixture(scope="module")
def texts(sample: pd.DataFrame) -> list[str]:
    """Thirty molecules of which every third is broken in its own way."""
    good = iter(sample["smiles"])
    return [next(good) if row % 3 else BROKEN[row // 3] for row in range(30)]


@pytest.fixture
def broken_file(texts: list[str], tmp_path: Path) -> Path:
    path = tmp_path / "broken.csv"
    pd.DataFrame({"smiles": texts}).to_csv(path, index=False, lineterminator="\n")
    return path


@pytest.mark.parametrize("chunk", [7, 10_240])
def test_every_row_has_its_row(  # type: ignore[no-untyped-def]
    chunk: int,
    cli,
    texts: list[str],
    broken_file: Path,
    model: molvae.MolVAE,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(molvae.MolVAE.encode_chunks, "__kwdefaults__",
                        {"column": None, "flat": False, "rows": chunk})  # fmt: skip
    array, table = broken_file.with_suffix(".npy"), broken_file.with_name("latents.csv")
    for target in (array, table):
        result = cli("encode", "-m", run_folder, broken_file, "-o", target)
        assert result.exit_code == 0, result.output
        assert "20 of 30 rows encoded." in result.stderr
        assert "The first that isn't: row 1: empty." in result.stderr
    latents = np.load(array)
    assert latents.shape == (30, 32)
    usable = np.arange(30) % 3 > 0
    assert (np.isfinite(latents).all(axis=1) == usable).all()
    assert (np.isnan(latents).all(axis=1) == ~usable).all()
    alone = model.encode([one for one in texts if one not in BROKEN]).mean
    np.testing.assert_allclose(latents[usable], alone, atol=1e-5)
    told = pd.read_csv(table, keep_default_na=False)
    assert ((told["reason"] == "") == usable).all()
    np.testing.assert_array_equal(told["z1"][usable].astype(np.float32), latents[usable, 0])


def test_a_reconstruction_lies_beside_its_molecule(  # type: ignore[no-untyped-def]
    cli, texts: list[str], broken_file: Path, run_folder: Path
) -> None:
    result = cli("reconstruct", "-m", run_folder, broken_file)
    table = pd.read_csv(io.StringIO(result.stdout), keep_default_na=False)
    assert table["input"].tolist() == texts
    usable = np.arange(30) % 3 > 0
    for name in ("smiles", "reconstruction"):
        assert ((table[name] != "") == usable).all()
    assert ((table["reason"] == "") == usable).all()
    assert "20 of 30 rows reconstructed" in result.stderr


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_the_size_of_the_parts_changes_nothing(
    rows: int, texts: list[str], model: molvae.MolVAE
) -> None:
    whole = model.encode(texts)
    parts = list(model.encode_chunks(texts, rows=rows))
    assert max(len(part.reasons) for part in parts) <= rows
    joined = Encodings.joined(parts)
    assert (joined.smiles, joined.tokens, joined.reasons, joined.flattened) == (
        whole.smiles, whole.tokens, whole.reasons, whole.flattened)  # fmt: skip
    np.testing.assert_allclose(joined.mean, whole.mean, atol=1e-5)
    np.testing.assert_allclose(joined.deviation, whole.deviation, atol=1e-5)
    for sample in (False, True):
        again = model.reconstruct_chunks(texts, sample=sample, seed=3, rows=rows)
        table = model.reconstruct(texts, sample=sample, seed=3)
        pd.testing.assert_frame_equal(pd.concat(list(again), ignore_index=True), table)
    with pytest.raises(SettingsError, match="rows is 1 or more"):
        next(model.encode_chunks(texts, rows=0))


def test_an_array_is_what_numpy_writes(  # type: ignore[no-untyped-def]
    cli, broken_file: Path, model: molvae.MolVAE, run_folder: Path
) -> None:
    target, expected = broken_file.with_suffix(".npy"), io.BytesIO()
    cli("encode", "-m", run_folder, broken_file, "-o", target)
    np.save(expected, model.encode(broken_file).mean)
    assert target.read_bytes() == expected.getvalue()


def test_parts_are_written_as_one_table(  # type: ignore[no-untyped-def]
    cli, broken_file: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    whole, target = broken_file.with_name("latents.csv"), broken_file.with_name("l.parquet")
    assert cli("encode", "-m", run_folder, broken_file, "-o", whole).exit_code == 0
    monkeypatch.setattr(molvae.MolVAE.encode_chunks, "__kwdefaults__",
                        {"column": None, "flat": False, "rows": 7})  # fmt: skip
    result = cli("encode", "-m", run_folder, broken_file, "-o", target)
    assert result.exit_code == 0, result.output
    table = pd.read_parquet(target)
    assert table["z1"].dtype == np.float32
    expected = pd.read_csv(whole, keep_default_na=False, na_values={"z1": [""]})
    assert table["smiles"].tolist() == expected["smiles"].tolist()
    np.testing.assert_allclose(table["z1"], expected["z1"], atol=1e-5)
    decoded = [cli("decode", "-m", run_folder, one).stdout for one in (whole, target)]
    assert decoded[0] == decoded[1]


def test_nothing_half_written_stays(  # type: ignore[no-untyped-def]
    cli, broken_file: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(self: object, rows: int = 0) -> object:
        yield next(chunks(self, 5))
        raise OSError(28, "No space left on device")

    chunks = reading.TableSource.chunks
    monkeypatch.setattr(reading.TableSource, "chunks", failing)
    before = sorted(broken_file.parent.iterdir())
    for name in ("l.npy", "l.csv"):
        result = cli("encode", "-m", run_folder, broken_file, "-o", broken_file.with_name(name))
        assert result.exit_code == 2
        assert "no space left" in result.stderr
    assert sorted(broken_file.parent.iterdir()) == before
