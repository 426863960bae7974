"""Curves whose shape is known, molecules placed along them, and sums of molecules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import molvae
from molvae.chem.filters import objection
from molvae.chem.fingerprints import tanimoto
from molvae.chem.molecules import parse
from molvae.chem.strings import Decoded
from molvae.codec import Encodings
from molvae.errors import MoleculeError, SettingsError
from molvae.latent.curves import CURVES, dense, evenly, lerp, relaxed, slerp
from molvae.latent.paths import interpolate
from molvae.latent.smoothing import drawn
from molvae.latent.ways import SHARPNESS, Way, placed, smoothest

SHARES = np.linspace(0, 1, 33)


class Flat:
    """A codec whose prior is any density over two numbers."""

    latent_dim = 2
    property_names = ()

    def __init__(self, log_density: Callable[[Tensor], Tensor]) -> None:
        self._log_density = log_density

    def log_density(self, latents: np.ndarray) -> np.ndarray:
        return self._log_density(torch.from_numpy(latents)).numpy()

    def density_slope(self, latents: np.ndarray) -> np.ndarray:
        latent = torch.from_numpy(latents).requires_grad_()
        (slope,) = torch.autograd.grad(self._log_density(latent).sum(), latent)
        return slope.numpy()


def normal(latent: Tensor) -> Tensor:
    return -0.5 * latent.square().sum(dim=-1)


def ring(latent: Tensor) -> Tensor:
    """Dense at a distance of 1 from (3, 0)."""
    return -50 * ((latent - torch.tensor([3.0, 0.0])).norm(dim=-1) - 1).square()


BUMPS = torch.tensor([[4.0, -3.0], [6.0, 0.0], [4.0, 3.0]])


def bumps(latent: Tensor) -> Tensor:
    return torch.logsumexp(-0.5 * (latent[:, None] - BUMPS).square().sum(dim=-1), dim=1)


def row(*numbers: float) -> np.ndarray:
    return np.array([numbers], dtype=np.float32)


def test_a_dense_path_on_a_ring_goes_around_it() -> None:
    angle = np.radians(75)
    starts, ends = (row(3 + np.cos(angle), sign * np.sin(angle)) for sign in (-1, 1))
    (path,) = dense(Flat(ring), starts, ends, 11)
    radii = np.linalg.norm(path - [3, 0], axis=1)
    np.testing.assert_allclose(radii, 1, atol=0.05)
    turned = np.degrees(np.arctan2(path[:, 1], path[:, 0] - 3))
    np.testing.assert_allclose(turned, np.linspace(-75, 75, 11), atol=2)
    (arc,) = slerp(starts, ends, SHARES)
    assert np.linalg.norm(arc - [3, 0], axis=1).min() < 0.5


@pytest.mark.parametrize("curve", [lerp, slerp])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_a_dense_path_between_bumps_bends_over_the_one_beside(curve, scale: float) -> None:  # type: ignore[no-untyped-def]
    codec = Flat(lambda latent: scale * bumps(latent))
    begun = curve(row(4, -3), row(4, 3), SHARES)
    (path,) = relaxed(codec, begun)
    assert np.isfinite(path).all()
    least_before, least = (
        Flat(bumps).log_density(one.astype(np.float32)).min() for one in (begun[0], path)
    )
    assert least > least_before
    if scale >= 1:  # below, all of the space is within a nat of the ends
        assert np.linalg.norm(path[16] - [6, 0]) < 1
        saddle = Flat(bumps).log_density(row(5, 1.5))[0]
        assert least == pytest.approx(saddle, abs=0.1)


def test_on_a_normal_prior_the_great_arc_is_dense_already() -> None:
    random = np.random.default_rng(0)
    starts, ends = random.standard_normal((2, 5, 2)).astype(np.float32)
    arcs = CURVES["slerp"](Flat(normal), starts, ends, 9)
    paths = dense(Flat(normal), starts, ends, 200)
    for arc, path in zip(arcs, paths, strict=True):
        apart = np.linalg.norm(arc[:, None] - path, axis=-1).min(axis=1)
        assert apart.max() < 0.03


def test_bands_are_relaxed_as_they_would_be_alone() -> None:
    starts, ends = np.repeat(row(4, -3), 2, axis=0), np.concatenate([row(4, 3), row(6, 1)])
    together = dense(Flat(bumps), starts, ends, 7)
    for place in range(2):
        alone = dense(Flat(bumps), starts[[place]], ends[[place]], 7)
        np.testing.assert_allclose(together[[place]], alone, atol=1e-4)
    np.testing.assert_array_equal(together, dense(Flat(bumps), starts, ends, 7))
    np.testing.assert_array_equal(together[:, 0], starts)
    np.testing.assert_array_equal(together[:, -1], ends)


def test_a_density_that_is_no_number_moves_nothing() -> None:
    nowhere = Flat(lambda latent: latent.sum(dim=-1) * np.nan)
    begun = lerp(row(0, 0), row(1, 1), SHARES)
    np.testing.assert_allclose(relaxed(nowhere, begun), begun, atol=1e-6)


def test_points_at_equal_distances() -> None:
    corner = np.array([[[0.0, 0.0], [1.0, 0.0], [1.0, 3.0]]])
    np.testing.assert_allclose(
        evenly(corner, 5)[0], [[0, 0], [1, 0], [1, 1], [1, 2], [1, 3]], atol=1e-12
    )
    np.testing.assert_array_equal(evenly(0 * corner, 4), np.zeros((1, 4, 2)))


class Alcohols(Flat):
    """A latent x decodes to an alcohol whose chain grows with x^4."""

    def __init__(self) -> None:
        super().__init__(normal)

    def encode(self, smiles: Sequence[str], *, flat: bool = False) -> Encodings:
        x = np.array([((one.count("C") - 1) / 11) ** 0.25 for one in smiles])
        mean = np.column_stack([x, 0 * x]).astype(np.float32)
        count = len(smiles)
        return Encodings(list(smiles), [[]] * count, mean, mean + 1, [""] * count, [()] * count)

    def decode(self, latents: np.ndarray, **_: object) -> list[Decoded]:
        lengths = 1 + np.floor(11 * np.clip(latents[:, 0], 0, 1) ** 4 + 1e-3).astype(int)
        return [Decoded("C" * length + "O", True) for length in lengths]


def test_similarity_spacing_is_more_even_than_latent_spacing() -> None:
    start, end = "CO", "C" * 12 + "O"
    unevenness = {}
    for spacing in ("latent", "similarity"):
        path = interpolate(Alcohols(), [start, end], steps=7, spacing=spacing)
        assert path.table["smiles"].iloc[[0, -1]].tolist() == [start, end]
        assert path.table["points"].sum() == 7
        course = path.table["similarity_start"] - path.table["similarity_end"]
        unevenness[spacing] = np.abs(np.diff(course)).max()
    assert unevenness["similarity"] < unevenness["latent"]
    assert path.table["density"].iloc[-1] == pytest.approx(-0.5)


def test_the_best_places_in_order_are_those_of_a_full_search() -> None:
    from itertools import combinations_with_replacement

    smiles = ["CCCCCO", "CCCO", "CCCCO", "CCO", "CCCN", "CO", "CCCCN"]
    start, end = "CCCCCCO", "CCN"
    wanted = np.linspace(1, -1, 5)[1:-1] * (1 - tanimoto(start, end))
    nearer = np.array([tanimoto(start, one) - tanimoto(end, one) for one in smiles])
    best = min(
        combinations_with_replacement(range(len(smiles)), 3),
        key=lambda places: np.square(nearer[list(places)] - wanted).sum(),
    )
    found = placed(smiles, start, end, 3)
    assert found == sorted(found)
    cost, least = (np.square(nearer[list(one)] - wanted).sum() for one in (found, best))
    assert cost == pytest.approx(least)
    assert placed([], start, end, 3) == []


def test_the_smoothest_way_is_that_of_a_full_search() -> None:
    from itertools import combinations

    smiles = ["CCCCCN", "CCCCO", "c1ccccc1", "CCCCN", "CCCO", "CCO", "CCCN"]
    start, end = "CCCCCO", "CCN"

    def cost(places: Sequence[int]) -> float:
        way = Way([start, *(smiles[place] for place in places), end])
        return float(np.power(way.jumps, SHARPNESS).sum())

    choices = [one for count in range(4) for one in combinations(range(len(smiles)), count)]
    found = smoothest(smiles, start, end, 3)
    assert cost(found) == pytest.approx(min(cost(one) for one in choices))
    assert 0 < len(found) <= 3
    assert smoothest([], start, end, 3) == smoothest(["c1ccccc1"], start, end, 3) == []


def test_a_smooth_path_takes_the_smallest_steps() -> None:
    ends = ["CO", "C" * 12 + "O"]
    smooth, plain = (
        interpolate(Alcohols(), ends, steps=7, spacing=spacing) for spacing in ("smooth", "latent")
    )
    assert smooth.largest_jumps[0] < plain.largest_jumps[0]
    every = ["C" * length + "O" for length in range(1, 13)]
    best = smoothest(every[1:-1], *ends, 5)
    assert smooth.table["smiles"].tolist() == [
        ends[0],
        *(every[place + 1] for place in best),
        ends[1],
    ]
    assert smooth.table["position"].is_monotonic_increasing
    assert smooth.table.loc[~smooth.table["given"], "noise"].between(0.2, 0.8).all()


def test_a_smooth_path_repeats_by_its_seed(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    ends = sample["smiles"].iloc[[3, 7, 3]].tolist()
    walked, again, longer = (
        model.interpolate(ends, steps=5, rounds=rounds, seed=3) for rounds in (1, 1, 3)
    )
    pd.testing.assert_frame_equal(walked.table, again.table)
    assert (~walked.table["given"]).sum() <= 2 * 3
    assert max(longer.largest_jumps) <= max(walked.largest_jumps)
    passing = model.interpolate(ends[:2], rounds=1, filters=["moses"], strict=False).table
    assert all(not objection(parse(one), ["moses"]) for one in passing["smiles"][~passing["given"]])
    with pytest.raises(SettingsError, match="No filter 'mose'"):
        model.interpolate(ends, filters=["mose"])
    same = model.interpolate([ends[0], ends[0]])
    assert same.table["smiles"].tolist() == ends[:1]
    assert same.largest_jumps == [0]


def test_no_path_is_said_and_why() -> None:
    assert "nothing lies between" in Way(["CCO", "CCO", "c1ccccc1"]).objection()
    gap = Way(["CCCO", "CCCCO", "c1ccccc1Br", "c1ccccc1Cl"])
    assert gap.largest_jump == 1 - tanimoto("CCCCO", "c1ccccc1Br")
    assert "from CCCCO to c1ccccc1Br, covers 1.00" in gap.objection()
    assert not Way(["C" * length + "O" for length in range(2, 9)]).objection()
    assert Way(["CCO", "CCO"]).largest_jump == 0


@pytest.mark.parametrize("path", CURVES)
@pytest.mark.parametrize("spacing", ["latent", "similarity"])
def test_ends_are_given_on_every_path(
    model: molvae.MolVAE, sample: pd.DataFrame, path: str, spacing: str
) -> None:
    ends = sample["smiles"].iloc[[3, 7, 9]].tolist()
    found = model.interpolate(ends, steps=4, path=path, spacing=spacing, strict=False)
    table = found.table
    assert table.loc[table["given"], "smiles"].tolist() == ends
    assert table["smiles"].iloc[[0, -1]].tolist() == [ends[0], ends[-1]]
    assert table["points"].sum() == 3 + 2 * 2
    assert len(found.largest_jumps) == 2
    given = model.codec.log_density(model.encode(ends).mean)
    np.testing.assert_allclose(table.loc[table["given"], "density"], given, rtol=1e-5)


def test_one_molecule_combined_is_its_reconstruction(
    model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    smiles = sample["smiles"].head(3).tolist()
    back = model.reconstruct(smiles)["reconstruction"]
    for one, other in zip(smiles, back, strict=True):
        found = model.combine({one: 1.0}, count=0, strict=False)
        assert found.table["smiles"].tolist() == [other]
        assert found.table["similarity_1"].iloc[0] == tanimoto(one, other)
        assert found.density == pytest.approx(model.codec.log_density(found.latent[None])[0])


def test_what_is_added_and_taken_away_is_gone(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    a, b, c = sample["smiles"].head(3)
    (own,) = model.encode([c]).mean
    found = model.combine([(a, 1), (a, -1), (c, 1)], count=0, strict=False)
    np.testing.assert_allclose(found.latent, own, atol=1e-5)  # it had batch mates
    assert found.notes == []
    middle = model.encode([a, b]).mean.mean(axis=0)
    np.testing.assert_allclose(model.combine([a, b], count=0).latent, middle, atol=1e-6)
    whole = model.combine(mean=[a, b, "c1cc"], count=0)
    np.testing.assert_allclose(whole.latent, middle, atol=1e-6)
    assert "1 of 3 molecules of the set can't be encoded." in whole.notes
    assert any("sum to 2" in one for one in model.combine({a: 1, b: 1}, count=0).notes)


def test_what_is_drawn_around_a_point_is_distinct_and_repeats_by_its_seed(
    model: molvae.MolVAE, sample: pd.DataFrame
) -> None:
    a, b = sample["smiles"].head(2)
    options = {"count": 5, "noise": 0.5, "strict": False, "seed": 4}
    table = model.combine([a, b], **options).table
    assert len(table) == 6
    assert table["smiles"].is_unique
    assert table["noise"].tolist() == [0.0] + [0.5] * 5
    assert (table["seed"] == 4).all()
    assert table["novel"].dtype == table["strict"].dtype == bool
    pd.testing.assert_frame_equal(table, model.combine([a, b], **options).table)
    still = model.combine([a, b], count=5, noise=0.0, temperature=0.0)
    assert any("Only 0 of 5" in one for one in still.notes)


@pytest.mark.parametrize(
    ("terms", "options", "error", "message"),
    [
        ([], {}, SettingsError, "nothing to combine"),
        ({"CCO": np.inf}, {}, SettingsError, "weight of CCO is no number"),
        ([("CCO", 1), "CCN"], {}, SettingsError, "Some terms have a weight"),
        ([("CCO", "many")], {}, SettingsError, "a SMILES and its weight"),
        (["x"], {}, MoleculeError, "x: not a SMILES"),
        ([], {"mean": ["x", "C[Si]"]}, MoleculeError, "None of the 2 molecules"),
        (["CCO"], {"noise": 2}, SettingsError, "noise is a number from 0 to 1"),
        (["CCO"], {"count": -1}, SettingsError, "count is 0 or more"),
    ],
)
def test_what_cannot_be_combined(model: molvae.MolVAE, terms, options, error, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message):
        model.combine(terms, **options)


def test_a_spacing_that_there_is_not(model: molvae.MolVAE) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'similarity'"):
        model.interpolate(["CCO", "CCN"], spacing="similar")


def test_combine_on_the_command_line(cli, run_folder, sample: pd.DataFrame, tmp_path) -> None:  # type: ignore[no-untyped-def]
    a, b, c = sample["smiles"].head(3)
    sample.head(4).to_csv(tmp_path / "set.csv", index=False)
    result = cli(
        "combine", "-m", run_folder, "--plus", a, "--minus", b, "--times", 0.5, c,
        "--mean", tmp_path / "set.csv", "-n", 2, "--keep-repaired",
        "-o", tmp_path / "made.csv", "--image", tmp_path / "made.svg",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "made.csv")
    assert len(table) == 3
    alike = [one for one in table.columns if one.startswith("similarity_")]
    assert alike == ["similarity_1", "similarity_2", "similarity_3", "similarity_set"]
    assert "sum to 1.5" in result.stderr
    assert "log density" in result.stderr
    assert "<svg" in (tmp_path / "made.svg").read_text()
    assert cli("combine", "-m", run_folder).exit_code == 2


def test_what_is_drawn_around_one_point_has_places_between_which_more_fits() -> None:
    points = np.array([[0.5, 0.0], [0.6, 0.0]])
    rows = drawn(Alcohols(), points, np.array([0.2, 0.5, 0.8]), low=0.2, high=0.4)
    assert rows["noise"].tolist() == [0.2, 0.5, 0.8] * 2
    assert rows["smiles"].nunique() == 2
    assert (np.diff([0.2, *rows["position"], 0.4]) > 0.01).all()


def test_legs_know_of_each_other(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    one, other = sample["smiles"].iloc[[3, 7]]
    walked = model.interpolate([one, other, one], rounds=2, strict=False, filters="moses")
    assert (walked.table.loc[~walked.table["given"], "points"] == 1).all()


def test_what_refused_everything_is_named(model: molvae.MolVAE, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("molvae.latent.smoothing.objection", lambda *_: "no")
    found = model.interpolate(["CCO", "CCN"], rounds=1, filters=iter(["moses"]))
    assert any("needs no repair and passes the filters" in one for one in found.notes)
