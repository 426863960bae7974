"""The evolutionary search: its archive, its moves, and the model that learns on the way."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch

import molvae
from molvae.chem.fingerprints import similarities
from molvae.chem.molecules import canonical, parse
from molvae.chem.properties import compute
from molvae.chem.strings import Decoded
from molvae.codec import NetworkCodec
from molvae.guidance.archive import Archive
from molvae.guidance.earnings import Earnings
from molvae.guidance.evolution import Evolution
from molvae.guidance.moves import Anchors, Between, Graphs, Move, Nearby, Samples, moves_of
from molvae.guidance.region import Region
from molvae.guidance.screening import Screen
from molvae.guidance.tuning import Tuning


def qed(smiles: str) -> float:
    return compute(parse(smiles), ["qed"])["qed"]


def anything(one: Decoded) -> bool:
    return bool(one.smiles)


@pytest.fixture(scope="module")
def molecules(sample: pd.DataFrame) -> list[str]:
    return sample.loc[sample["split"] == "train", "smiles"].head(60).map(canonical).tolist()


@pytest.fixture
def archive(molecules: list[str]) -> Archive:
    return Archive((one, qed(one)) for one in molecules)


def test_an_archive_ranks() -> None:
    archive = Archive([("C", 1.0), ("CC", 3.0), ("CCC", -np.inf), ("CCCC", 2.0)])
    assert archive.best(9) == ["CC", "CCCC", "C"]
    assert archive.add("CCCCC", 2.5) == 1
    assert archive.add("CCCCC", 9.0) == -1
    assert archive.add("O", 2.5) == 2  # of equals the older is the better
    assert archive.mean_of_best(2) == 2.75
    assert "CCC" in archive  # known, but no parent
    assert len(archive) == 5
    assert archive.worst_parent() == 1.0


def test_the_better_are_parents_more_often() -> None:
    archive = Archive((f"C{'C' * place}", float(-place)) for place in range(100))
    drawn = Counter(archive.parents(100_000, np.random.default_rng(0)))
    weights = 1 / (0.01 * 100 + np.arange(100))
    shares = np.array([drawn[one] for one in archive.best(100)]) / 100_000
    assert np.abs(shares - weights / weights.sum()).max() < 0.01


def test_equals_share_their_rank() -> None:
    scores = [2.0] * 50 + [1.0] * 25
    archive = Archive((f"C{'C' * place}", score) for place, score in enumerate(scores))
    drawn = archive.parents(100_000, np.random.default_rng(0))
    better = sum(len(one) <= 50 for one in drawn) / len(drawn)
    weights = 1 / (0.01 * 75 + np.arange(2))
    assert better == pytest.approx(weights[0] / weights.sum(), abs=0.01)


def test_anchors_are_given_back(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    everything = sample["smiles"].map(canonical).tolist()
    anchors = Anchors(model.codec)
    latents = anchors.of([*everything, "not a molecule"])
    back = {one.smiles for one in model.codec.decode(latents)}
    assert back <= set(everything)
    exact = sum(
        one.smiles == name
        for one, name in zip(
            model.codec.decode(model.codec.encode(everything).mean), everything, strict=True
        )
    )
    assert len(latents) == exact
    assert anchors.of([]).shape == (0, model.codec.latent_dim)


def test_noise_follows_what_is_new(model: molvae.MolVAE) -> None:
    move = Nearby(model.codec, Anchors(model.codec))
    move.told(0.05)
    assert move.noise == pytest.approx(0.375)
    move.told(0.3)
    assert move.noise == pytest.approx(0.375)
    move.told(0.9)
    assert move.noise == pytest.approx(0.3)
    for _ in range(9):
        move.widen()
    assert move.noise == 1.0


def test_scaffolds_share_the_weight_of_parents() -> None:
    phenols = [f"{'C' * length}c1ccccc1O" for length in range(1, 10)]
    found = [(one, 1.0) for one in [*phenols, "CCN1CCNCC1"]]
    drawn = [
        Counter(archive.parents(100_000, np.random.default_rng(0)))["CCN1CCNCC1"] / 100_000
        for archive in (Archive(found), Archive(found, scaffolds_share=True))
    ]
    assert drawn == pytest.approx([1 / 10, 1 / (1 + 9 / 3)], abs=0.005)


def test_graphs_breed_molecules(archive: Archive) -> None:
    children = Graphs().propose(archive, 40, np.random.default_rng(0))
    assert len({one.smiles for one in children}) > 20
    assert all(canonical(one.smiles) == one.smiles for one in children)
    assert all(parse(one.smiles).GetNumHeavyAtoms() <= Graphs.MOST_ATOMS for one in children)
    again = Graphs().propose(archive, 40, np.random.default_rng(0))
    assert [one.smiles for one in again] == [one.smiles for one in children]


def searched(moves: list[Move], molecules: list[str], rounds: int, **options) -> Evolution:  # type: ignore[no-untyped-def]
    found = [(one, qed(one)) for one in molecules]
    search = Evolution(moves, found, takes=anything, seed=1, **options)
    for _ in range(rounds):
        asked = search.ask()
        assert not {one.smiles for one in asked} & set(search.region.everything.best(10**6))
        assert len({one.smiles for one in asked}) == len(asked)
        search.tell([qed(one.smiles) for one in asked])
    return search


def test_breeding_gets_better_and_repeats_itself(molecules: list[str]) -> None:
    search = searched([Graphs()], molecules, 15)
    assert (
        search.region.everything.mean_of_best()
        > Archive((one, qed(one)) for one in molecules).mean_of_best()
    )
    again = searched([Graphs()], molecules, 15)
    assert again.region.everything.best(10**6) == search.region.everything.best(10**6)


def test_a_screen_knows_what_is_promising(sample: pd.DataFrame) -> None:
    molecules = sample["smiles"].map(canonical).drop_duplicates().tolist()[:400]
    scores = {one: float(parse(one).GetNumHeavyAtoms()) for one in molecules}
    known, others = molecules[:300], molecules[300:]
    random, screen = np.random.default_rng(0), Screen()
    assert screen.best(others, 10) == others[:10]
    screen.learn(Archive((one, scores[one]) for one in known), random)
    chosen = screen.best(others, 10)
    assert len(set(chosen)) == 10
    means = [np.mean([scores[one] for one in some]) for some in (chosen, others)]
    assert means[0] > means[1] + 2
    assert screen.best(others[:3], 10) == others[:3]
    screen.learn(Archive((one, 1.0) for one in known), random)
    assert screen.best(others, 10) == others[:10]  # nothing can be learned of equals


def test_a_screen_takes_the_better_and_repeats_itself(molecules: list[str]) -> None:
    first, again = (searched([Graphs()], molecules, 6, screen=Screen()) for _ in range(2))
    assert again.region.everything.best(10**6) == first.region.everything.best(10**6)
    plain = searched([Graphs()], molecules, 6)
    found, without = (
        [score for smiles, score in one.region.everything.scored() if smiles not in molecules]
        for one in (first, plain)
    )
    assert np.mean(found) > np.mean(without) + 0.02


@pytest.mark.parametrize("worst", [-10, -1e9, -1e200, -sys.float_info.max])
@pytest.mark.parametrize(("share", "gain"), [(0.05, 0.03), (0.6, 0.03), (0.8, 0.01)])
def test_a_screen_bears_penalties(
    sample: pd.DataFrame, worst: float, share: float, gain: float
) -> None:
    molecules = sample["smiles"].map(canonical).drop_duplicates().tolist()[:400]
    scores = {one: qed(one) for one in molecules}
    known, others = molecules[:300], molecules[300:]
    penalised = np.random.default_rng(0).random(len(known)) < share
    scored = [
        (one, worst if bad else 1e-200 * scores[one])
        for one, bad in zip(known, penalised, strict=True)
    ]
    random, screen = np.random.default_rng(0), Screen()
    with np.errstate(all="raise", under="ignore"):
        screen.learn(Archive(scored[:60]), random)
        screen.learn(Archive(scored), random)
        chosen = screen.best(others, 20)
    means = [np.mean([scores[one] for one in some]) for some in (chosen, others)]
    assert means[0] > means[1] + gain


@pytest.mark.parametrize("later", [(-50.0, -51.0), (1.0, 1.0), (-np.inf, -np.inf)])
def test_a_screen_that_can_tell_nothing_apart_says_so(
    molecules: list[str], later: tuple[float, float]
) -> None:
    random, screen = np.random.default_rng(0), Screen()
    screen.learn(Archive((one, qed(one)) for one in molecules), random)
    assert screen.knows
    with np.errstate(all="raise"):
        screen.learn(Archive(zip(molecules, [*later] * 999, strict=False)), random)
    assert not screen.knows
    assert screen.best(molecules, 3) == molecules[:3]


class Growing:
    """A move that makes each parent longer by six letters."""

    name, breeds = "growing", True

    def propose(self, archive: Archive, count: int, random: np.random.Generator) -> list[Decoded]:
        parents = archive.parents(count, random)
        return [Decoded("".join(random.choice(list("CNO"), 6)) + one, True) for one in parents]

    def told(self, new: float) -> None: ...

    def widen(self) -> None: ...


class Longest(Screen):
    """A screen that hopes for length."""

    knows = True  # type: ignore[assignment]

    def learn(self, archive: Archive, random: np.random.Generator) -> None: ...

    def hopes(self, molecules: Sequence[str]) -> np.ndarray:
        return np.array([float(len(one)) for one in molecules])


def test_a_move_goes_ahead_by_what_the_screen_hopes() -> None:
    search = Evolution([Growing()], [("C", 1.0)], takes=anything, screen=Longest())
    assert len(search.shares) == 2
    asked = [len(one.smiles) for one in search.ask()]
    assert max(asked) == 1 + 6 * (1 + Evolution.AHEAD)
    assert min(asked) == 1 + 6
    plain = Evolution([Growing()], [("C", 1.0)], takes=anything)
    assert len(plain.shares) == 1
    assert {len(one.smiles) for one in plain.ask()} == {1 + 6}


def test_samples_do_not_go_ahead(model: molvae.MolVAE) -> None:
    moves = moves_of(model.codec, Anchors(model.codec))
    search = Evolution(moves, [("CCO", 1.0)], takes=anything, screen=Screen())
    assert len(search.shares) == 7


def test_children_come_in_the_form_that_is_looked_for() -> None:
    charged = "C[N+](C)(C)CC(=O)[O-]", "CC(=O)Nc1ccc([N+](=O)[O-])cc1", "C[C@H](N)C(=O)O"
    archive = Archive((one, 1.0) for one in charged)
    form = NetworkCodec(molvae.load("druglike", device="cpu").checkpoint, flat=True).form
    found = [one.smiles for one in Graphs(form).propose(archive, 400, np.random.default_rng(0))]
    assert found
    assert found == form(found)
    plain = [one.smiles for one in Graphs().propose(archive, 400, np.random.default_rng(0))]
    assert plain != form(plain)


def test_a_search_that_finds_nothing_better_goes_elsewhere(molecules: list[str]) -> None:
    search = Evolution([Graphs()], [(one, qed(one)) for one in molecules], takes=anything, seed=1)
    best = search.region.everything.best(Region.LEFT)
    told = []
    for _ in range(2 * Evolution.LEAVE_AFTER * Evolution.LEARN_EVERY // Evolution.FEWEST):
        if search.region.here.best(Region.LEFT) != best:
            break
        told.append(len(search.region.everything))
        search.tell([-1.0 for _ in search.ask()])
    lessons = Evolution.LEAVE_AFTER * Evolution.LEARN_EVERY
    assert search.region.here.best(Region.LEFT) != best
    assert lessons - Evolution.MOST <= told[-1] - told[0] <= 2 * lessons
    for _ in range(3):
        parents = search.region.here.parents(100, np.random.default_rng(0))
        asked = [one.smiles for one in search.ask()]
        assert len(asked) > 10
        assert all(max(similarities(one, best)) < Region.NEAR for one in [*parents, *asked])
        search.tell([qed(one) for one in asked])
    assert set(best) <= set(search.region.everything.best(10**6))
    search.region.leave()  # back to everything
    assert search.region.here.best(Region.LEFT) == search.region.everything.best(Region.LEFT)
    assert len(search.region.here) == len(search.region.everything)
    for _ in range(99):
        search.region.leave()
        assert len(search.region.here)


def test_what_was_not_asked_for_is_bred_from(molecules: list[str]) -> None:
    search = searched([Graphs()], molecules, 2, screen=Screen())
    better = "CC(C)(C)c1ccc(CCCCCCCCCCCCN)cc1"
    search.hear([(better, 2.0), ("CCO", -np.inf)])
    assert search.region.here.best(1) == [better]
    drawn = Counter(search.region.here.parents(1000, np.random.default_rng(0)))
    assert drawn[better] > 10
    assert not {better, "CCO"} & {one.smiles for one in search.ask()}


def test_all_moves_take_part(model: molvae.MolVAE, molecules: list[str]) -> None:
    anchors = Anchors(model.codec)
    moves = [
        Nearby(model.codec, anchors),
        Between(model.codec, anchors),
        Samples(model.codec),
        Graphs(),
    ]
    search = searched(moves, molecules, 12)
    assert search.shares.sum() == pytest.approx(1)
    assert (search.shares >= Earnings.LEAST_SHARE - 1e-9).all()
    assert len(search.region.everything) > 200


def test_a_search_without_a_scored_start_has_only_what_the_model_writes(
    model: molvae.MolVAE,
) -> None:
    found = [("CCO", -np.inf)]
    search = Evolution([Graphs()], found, takes=anything, screen=Screen())
    assert search.ask() == []
    search.tell([])
    moves = [Samples(model.codec), Graphs()]
    search = Evolution(moves, found, takes=lambda one: bool(one.smiles), screen=Screen())
    asked = search.ask()
    assert len(asked) > 5
    search.tell([-np.inf] * len(asked))
    asked = search.ask()
    assert asked
    search.tell([qed(one.smiles) for one in asked])
    assert len(search.ask()) == Evolution.FEWEST


def test_a_lesson_is_learned_and_unlearned(model: molvae.MolVAE, molecules: list[str]) -> None:
    before = {name: one.clone() for name, one in model.checkpoint.network.state_dict().items()}
    tuning = Tuning(model.checkpoint, workers=1)
    lesson = molecules[:4] * 64

    def nats() -> float:
        encodings = tuning.codec.encode(molecules[:4])
        return float(tuning.codec.distortion(encodings, encodings.mean).mean())

    first = nats()
    tuning.learn([*lesson, "no molecule"])
    assert nats() < 0.9 * first
    tuning.reset()
    assert nats() == pytest.approx(first, rel=1e-5)
    after = model.checkpoint.network.state_dict()
    assert all(torch.equal(one, after[name]) for name, one in before.items())


def test_the_model_is_tuned_on_the_way(model: molvae.MolVAE, molecules: list[str]) -> None:
    tuning = Tuning(model.checkpoint, workers=1)
    anchors = Anchors(tuning.codec)
    moves = [Nearby(tuning.codec, anchors), Graphs()]
    weight = next(tuning.codec._network.parameters()).clone()
    searched(moves, molecules, 7, adaptation=tuning, changed=anchors.forget)
    assert not torch.equal(weight, next(tuning.codec._network.parameters()))
