"""Molecules at a wanted similarity: what is found, where it is looked for, what is said of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import molvae
from molvae.chem.filters import objection
from molvae.chem.fingerprints import FINGERPRINTS, tanimoto
from molvae.chem.fragments import murcko_scaffold
from molvae.chem.identity import KnownMolecules
from molvae.chem.likeness import Likeness, pattern
from molvae.chem.molecules import canonical, parse
from molvae.chem.strings import Decoded
from molvae.codec import Encodings
from molvae.errors import MoleculeError, SettingsError
from molvae.latent.allocation import Allocation
from molvae.latent.exploration import ROUND, Sought
from molvae.latent.neighborhoods import LEVELS, neighbors

COMPOUND = canonical("OCCc1ccccc1")
NEAR = [canonical(f"OCCc1ccc({end})cc1") for end in ("F", "Cl", "Br", "C", "O", "N", "C#N", "CC")]
FAR = [canonical("C" * length) for length in range(4, 12)]
WANTED = (0.4, 0.9)
WIDE = (0.05, 1.0)


class FamilyCodec:
    """Below noise 0.25 the compound, up to 0.45 a near relative, beyond an alkane.

    The last near one needs repair.
    """

    latent_dim, property_names = 2, ()

    def encode(self, smiles: Sequence[str], *, flat: bool = False) -> Encodings:
        one = np.ones((len(smiles), 2), dtype=np.float32)
        nothing: list[Any] = [()] * len(smiles)
        return Encodings(list(smiles), nothing, one, one, [""] * len(smiles), nothing)

    def decode(
        self,
        latents: np.ndarray,
        *,
        temperature: float = 0.0,
        noise: float | np.ndarray = 0.0,
        seed: int = 0,
        first_block: int = 0,
    ) -> list[Decoded]:
        chosen = np.random.default_rng([seed, first_block]).integers(8, size=len(latents))
        families = np.searchsorted([0.25, 0.45], np.broadcast_to(noise, len(latents)))
        members = ([COMPOUND] * 8, NEAR, FAR)
        names = [members[one][place] for one, place in zip(families, chosen, strict=True)]
        return [Decoded(name, name != NEAR[-1]) for name in names]


def test_draws_go_where_the_answer_is_known_to_be() -> None:
    assert all(WANTED[0] < tanimoto(COMPOUND, one) < WANTED[1] for one in NEAR)
    assert all(tanimoto(COMPOUND, one) < WANTED[0] for one in FAR)
    known = KnownMolecules.of(NEAR[:2])
    found = neighbors(FamilyCodec(), [COMPOUND], known, Sought(WANTED), count=50, budget=4 * ROUND)
    table, (tally,) = found.table, found.tallies
    assert set(table["smiles"]) == set(NEAR[:-1])
    assert table["noise"].isin([0.3, 0.4]).all()
    assert set(table.loc[~table["novel"], "smiles"]) == set(NEAR[:2])
    assert table["similarity"].is_monotonic_decreasing
    assert table["similarity"].tolist() == [tanimoto(COMPOUND, one) for one in table["smiles"]]
    assert sum(astuple(tally)[1:]) == tally.drawn == found.levels["decodes"].sum() == 4 * ROUND
    assert tally.in_range == found.levels["in_range"].sum()
    assert found.levels["distinct"].sum() == tally.taken == 7
    (note,) = found.notes
    assert note.startswith(f"{COMPOUND}: only 7 of 50 neighbours were found")


def test_enough_is_enough_and_conditions_are_kept() -> None:
    codec, nothing = FamilyCodec(), KnownMolecules()
    few = neighbors(codec, [COMPOUND], nothing, Sought(WANTED), count=3)
    assert (len(few.table), few.notes) == (3, [])
    assert few.tallies[0].drawn < ROUND
    alcohol = Sought(WANTED, keep="[OX2H][CH2]")
    assert len(neighbors(codec, [COMPOUND], nothing, alcohol, budget=ROUND).table) == 7
    bare = Sought((0.0, 0.9), keep="c1ccccc1")
    found = neighbors(codec, [COMPOUND], nothing, bare, budget=4 * ROUND)
    assert set(found.table["smiles"]) == set(NEAR[:-1])
    assert found.tallies[0].lacking > 0  # the alkanes
    novel = Sought(WANTED, novel=True, strict=False)
    found = neighbors(codec, [COMPOUND], KnownMolecules.of(NEAR[:2]), novel, budget=ROUND)
    assert set(found.table["smiles"]) == set(NEAR[2:])
    assert found.tallies[0].known > 0


def test_a_range_that_is_not_reached_is_told_with_what_was() -> None:
    sought = Sought((0.95, 1.0))
    found = neighbors(FamilyCodec(), [COMPOUND], KnownMolecules(), sought, budget=ROUND)
    nearest = max(tanimoto(COMPOUND, one) for one in NEAR[:-1])
    assert found.notes == [
        f"{COMPOUND}: no decode of 256 fell in 0.95:1; the nearest reached was a similarity of "
        f"{nearest:.2f}; the model reconstructs the compound."
    ]
    assert found.table.columns[0] == "query"
    assert found.account()[0].startswith(f"{COMPOUND}: 0 molecules from 256 strings, 0 of them")


def test_the_chance_of_something_new_is_counted_by_hand() -> None:
    allocation = Allocation(3, seed=0)
    for level, outcome in [(0, "a"), (0, "b"), (0, ""), (1, "b"), (1, "c"), (1, "c"), (2, "")]:
        allocation.tell(level, outcome)
    assert allocation.drawn.tolist() == [3, 3, 1]
    assert allocation.once.tolist() == [1, 0, 0]  # a; b came twice, c too
    assert allocation.spread(4).tolist() == [2, 0, 1, 2]
    for _ in range(300):
        allocation.tell(1, "")
        allocation.tell(2, "")
    assert np.bincount(allocation.ask(1000), minlength=3)[0] > 900


def test_neighbours_keep_their_promises(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    compounds = sample["smiles"].iloc[[0, 7]].tolist()
    found = model.neighbors(
        compounds, similarity=WIDE, count=12, budget=3000, filters=["moses"], seed=2
    )
    table = found.table
    assert len(table)
    assert table["query"].drop_duplicates().tolist() == compounds
    assert not table.duplicated(["query", "smiles"]).any()
    assert table["strict"].all()
    assert (table["seed"] == 2).all()
    for row in table.itertuples():
        assert row.smiles != row.query
        assert WIDE[0] <= row.similarity == tanimoto(row.query, row.smiles)
        assert objection(parse(row.smiles), ["moses"]) == ""
        assert row.novel == (row.smiles not in model.checkpoint.known)
        assert (row.noise, row.temperature) in LEVELS
    alone = model.neighbors(
        compounds[1], similarity=WIDE, count=12, budget=3000, filters=["moses"], seed=2
    )
    rest = table[table["query"] == compounds[1]].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.table, rest)


def test_other_fingerprints_and_what_is_to_be_kept(model: molvae.MolVAE) -> None:
    compound = "COc1ccc(C(=O)Nc2ccccc2)cc1"
    options = {"similarity": WIDE, "count": 5, "budget": 600, "strict": False}
    for name in FINGERPRINTS:
        likeness = Likeness(compound, fingerprint=name, keep_scaffold=False)
        assert likeness.similarity(parse(compound)) == 1
        assert 0 < likeness.similarity(parse("COc1ccccc1")) < 1
    table = model.neighbors(compound, fingerprint="maccs", keep="cO", **options).table
    likeness = Likeness(compound, fingerprint="maccs", keep_scaffold=False)
    assert len(table)
    for row in table.itertuples():
        assert parse(row.smiles).HasSubstructMatch(pattern("cO"))
        assert row.similarity == likeness.similarity(parse(row.smiles))
    kept = model.neighbors(compound, keep_scaffold=True, **options).table
    assert len(kept)
    assert all(
        murcko_scaffold(parse(one)) == murcko_scaffold(parse(compound)) for one in kept["smiles"]
    )


@pytest.mark.parametrize(
    ("compounds", "options", "error", "message"),
    [
        ([], {}, SettingsError, "Name a compound"),
        (["CCO", "x"], {}, MoleculeError, "x: not a SMILES"),
        (["CCO"], {"similarity": (0.7, 0.5)}, SettingsError, "not 0.7:0.5"),
        (["CCO"], {"similarity": (0.5, 1.5)}, SettingsError, "from 0 to 1"),
        (["CCO"], {"fingerprint": "morgan"}, SettingsError, "Did you mean 'morgan"),
        (["CCO"], {"keep": "C("}, SettingsError, "no SMARTS"),
        (["CCO"], {"keep": "c1ccccc1"}, MoleculeError, "doesn't have the substructure c1ccccc1"),
        (["CCO"], {"keep_scaffold": True}, MoleculeError, "no ring"),
        (["CCO"], {"filters": ["pain"]}, SettingsError, "Did you mean 'pains'"),
        (["CCO"], {"budget": 0}, SettingsError, "1 or more"),
    ],
)
def test_what_cannot_be(model: molvae.MolVAE, compounds, options, error, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message.replace("(", r"\(")):
        model.neighbors(compounds, **options)


def test_the_same_seed_gives_the_same_file(  # type: ignore[no-untyped-def]
    cli, run_folder: Path, sample: pd.DataFrame, tmp_path: Path
) -> None:
    compound, image = sample["smiles"].iloc[3], tmp_path / "near.svg"
    common = ("neighbors", "-m", run_folder, compound, "--similarity", "0.05:1", "-n", 6)
    result = cli(*common, "--workers", 1, "--image", image)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(io.StringIO(result.stdout))
    assert 0 < len(table) <= 6
    assert list(table)[:5] == ["query", "smiles", "similarity", "noise", "temperature"]
    assert f"{compound}: {len(table)} molecules from" in result.stderr
    assert "<svg" in image.read_text()
    assert cli(*common).stdout == result.stdout
    assert cli(*common, "--seed", 1).stdout != result.stdout
    bad = cli(*common, "--similarity", "0.5-0.7")
    assert bad.exit_code == 2
    assert "'0.5-0.7' is no range" in bad.stderr
