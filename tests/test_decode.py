"""Latents of any size are decoded part by part, to the same molecules."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import molvae
from molvae import codec as codecs
from molvae.chem.strings import Decoded
from molvae.corpus import latents as sources
from molvae.corpus import reading
from molvae.corpus.latents import open_latents
from molvae.errors import SettingsError, TableError


@pytest.fixture
def latents() -> np.ndarray:
    """More than two blocks, one row of them empty."""
    drawn = np.random.default_rng(0).standard_normal((600, 32)).astype(np.float32)
    drawn[300] = np.nan
    return drawn


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("rows", [1, 257, 10_000])
def test_the_size_of_the_parts_changes_nothing(
    model: molvae.MolVAE, latents: np.ndarray, temperature: float, rows: int
) -> None:
    settings = {"temperature": temperature, "seed": 4}
    parts = list(model.decode_chunks(latents, rows=rows, **settings))  # type: ignore[arg-type]
    assert max(len(part) for part in parts) <= -(-rows // 256) * 256
    whole = pd.DataFrame(
        [vars_of(one) for one in model.codec.decode(latents, **settings)]  # type: ignore[arg-type]
    )
    joined = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(joined[["smiles", "strict"]], whole)
    assert joined["reason"][300] == "no latent"


def vars_of(decoded: object) -> dict[str, object]:
    return {name: getattr(decoded, name) for name in ("smiles", "strict")}


def test_files_are_read_part_by_part(
    model: molvae.MolVAE, latents: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array, table = tmp_path / "latents.npy", tmp_path / "latents.csv"
    np.save(array, latents.astype(float))
    frame = pd.DataFrame(latents, columns=[f"z{place}" for place in range(1, 33)])
    # Columns count by their number, wherever they stand.
    frame[frame.columns[::-1]].assign(zinc="CCO").to_csv(table, index=False)
    assert isinstance(open_latents(array)._values, np.memmap)  # type: ignore[attr-defined]
    monkeypatch.setattr(reading.TableSource, "head", None)
    expected = model.decode(latents)
    for path in (array, table):
        source = open_latents(path)
        assert source.shape == latents.shape
        parts = list(source.chunks(256))
        assert [len(part) for part in parts] == [256, 256, 88]
        np.testing.assert_array_equal(np.concatenate(parts), latents)
        pd.testing.assert_frame_equal(model.decode(path), expected)


def test_no_row_is_no_error(model: molvae.MolVAE, tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.zeros((0, 32)))
    for empty in (np.zeros((0, 32)), tmp_path / "none.npy"):
        table = model.decode(empty)
        assert list(table.columns) == ["smiles", "strict", "reason"]
        assert table.empty


def test_the_command_decodes_what_the_library_does(  # type: ignore[no-untyped-def]
    cli, run_folder: Path, model: molvae.MolVAE, latents: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "latents.npy", latents)
    options = ["--temperature", "1", "--seed", "4"]
    result = cli("decode", "-m", run_folder, tmp_path / "latents.npy", *options)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(io.StringIO(result.stdout), keep_default_na=False)
    expected = model.decode(latents, temperature=1.0, seed=4)
    pd.testing.assert_frame_equal(table.astype(object), expected.astype(object))


def test_what_holds_no_latents_is_refused(model: molvae.MolVAE, tmp_path: Path) -> None:
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "x.csv").write_text("z,zebra\n1,2\n")
    np.save(tmp_path / "texts.npy", np.full((2, 32), "x"))
    with pytest.raises(TableError, match="no array of numbers"):
        model.decode(tmp_path / "cut.npy")
    with pytest.raises(TableError, match="no columns z1, z2"):
        model.decode(str(tmp_path / "x.csv"))
    with pytest.raises(SettingsError, match="not numbers"):
        sources.open_latents(tmp_path / "texts.npy")
    with pytest.raises(SettingsError, match="The latents are 2 x 3 x 32"):
        model.decode(np.zeros((2, 3, 32)))
    with pytest.raises(SettingsError, match="rows is 1 or more"):
        next(model.decode_chunks(np.zeros((2, 32)), rows=0))


def test_a_string_is_read_once_and_forgotten_at_last(
    model: molvae.MolVAE, latents: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    chemistry, read = codecs.decode_many, []

    def counted(strings: list[tuple[str, ...]], **settings: Any) -> list[Decoded]:
        read.extend(strings)
        return chemistry(strings, **settings)

    monkeypatch.setattr(codecs, "decode_many", counted)
    codec = codecs.NetworkCodec(model.checkpoint, workers=1)
    first = codec.decode(latents[:40])
    assert len(read) == len(set(read)) > 0
    assert codec.decode(latents[:40]) == first
    assert len(read) == len(set(read))
    monkeypatch.setattr(codecs, "REMEMBERED", 1)
    codec.decode(latents[40:80])
    assert codec.decode(latents[:40]) == first
    assert len(read) > len(set(read))


@pytest.mark.skipif(
    not codecs.multiplies_bf16(torch.device("cpu")), reason="this processor has no bf16 products"
)
def test_bf16_writes_what_fp32_writes(
    model: molvae.MolVAE, sample: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    means = model.encode(sample["smiles"].head(256)).mean
    quick = model.decode(means)["smiles"]
    monkeypatch.setattr(codecs, "multiplies_bf16", lambda device: False)
    assert (quick == model.decode(means)["smiles"]).mean() > 0.9
