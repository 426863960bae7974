"""Training: it learns, it repeats itself, it ends well."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import molvae
from molvae.corpus.batches import Batch, Batches
from molvae.corpus.corpus import Corpus, prepare
from molvae.corpus.splits import TRAIN, VALID
from molvae.corpus.table import as_table
from molvae.errors import OutputError, SettingsError, TableError, TrainingError
from molvae.network.config import sized
from molvae.network.vae import SequenceVAE
from molvae.training import held_out
from molvae.training.balance import Balance
from molvae.training.config import TrainingConfig
from molvae.training.held_out import HeadFit
from molvae.training.loop import fit
from molvae.training.precision import MasterWeights
from molvae.training.progress import Progress, Watch
from molvae.training.schedule import Schedule
from molvae.training.state import State


@pytest.fixture(scope="module")
def corpus(sample: pd.DataFrame) -> Corpus:
    return prepare(as_table(sample.head(64))).corpus


def network_for(corpus: Corpus, **shape: float) -> SequenceVAE:
    torch.manual_seed(0)
    fixed = {"vocabulary_size": len(corpus.vocabulary), "max_tokens": 60, "latent_dim": 8}
    return SequenceVAE(sized("small", **fixed, **shape))


def batches(corpus: Corpus, split: int = TRAIN) -> Batches:
    return Batches(corpus, corpus.rows(split), 8)


def test_twenty_molecules_are_overfitted_to_exact_reconstruction(sample: pd.DataFrame) -> None:
    smiles = sample["smiles"].head(20).tolist()
    model = molvae.train(
        smiles,
        held_out=0,
        size="small",
        steps=700,
        batch_size=20,
        learning_rate=5e-3,
        beta=0.01,
        precision="fp32",
        patience=1000,
        quiet=True,
    )
    back = model.reconstruct(smiles)
    assert back["exact"].mean() == 1.0
    assert (back["similarity"] == 1).all()


def test_two_hundred_rows_train_without_special_options(
    sample: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "small.csv"
    sample.head(200).to_csv(path, index=False)
    model = molvae.train(path, tmp_path / "run", quiet=True, max_minutes=0.2)
    data = model.record["data"]
    assert (data["train"], data["valid"]) == (190, 10)
    report = model.record["report"]
    assert report["reconstruction"]["active_units"] > 0
    assert math.isfinite(report["reconstruction"]["distortion"])
    assert len(model.generate(5, strict=False).table) == 5


def test_the_same_seed_gives_the_same_model_byte_for_byte(csv_file: Path, tmp_path: Path) -> None:
    for name in ("one", "two", "other"):
        molvae.train(
            csv_file,
            tmp_path / name,
            size="small",
            steps=12,
            seed=int(name == "other"),
            precision="fp32",
            report=False,
            quiet=True,
        )
    one, two, other = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two", "other")
    )
    assert one == two
    assert one != other


def test_the_run_folder_holds_what_it_says(run_folder: Path, sample: pd.DataFrame) -> None:
    assert sorted(one.name for one in run_folder.iterdir()) == [
        ".lock",
        "call.json",
        "curves.png",
        "held_out.csv",
        "metrics.csv",
        "model.safetensors",
        "rejects.csv",
        "run.json",
        "tensorboard",
    ]
    log = pd.read_csv(run_folder / "metrics.csv")
    assert log["step"].iloc[-1] == 300
    assert log["held_out_loss"].iloc[-1] < log["held_out_loss"].iloc[0]
    facts = json.loads((run_folder / "run.json").read_text())
    assert facts["data"]["rows"] == len(sample)
    assert facts["molecules_per_second"] > 0
    held_out = pd.read_csv(run_folder / "held_out.csv")
    assert held_out["split"].value_counts().to_dict() == {"test": 40, "valid": 20}
    assert (sample["smiles"].iloc[held_out["row"] - 1] == held_out["smiles"].to_numpy()).all()


def test_the_log_tells_how_the_heads_do(run_folder: Path, model: molvae.MolVAE) -> None:
    log = pd.read_csv(run_folder / "metrics.csv")
    best = log.loc[log["step"] == model.record["outcome"]["best_step"]].iloc[0]
    (head,) = model.record["report"]["heads"]
    # The log looks at draws of the posterior, the report at its means, by heads fitted anew.
    assert best["logp_mae"] == pytest.approx(head["mae"], rel=0.4)
    assert best["logp_r2"] == pytest.approx(head["r2"], abs=0.3)


def test_the_fit_of_heads_by_hand(corpus: Corpus) -> None:
    """Values 0 and 2, errors 1 and -1: errors explain as little as the mean does."""
    sums = held_out._sums(
        Batch(np.zeros((3, 1)), np.ones(3), np.array([[0.0], [2.0], [np.nan]])),
        torch.tensor([[1.0], [-1.0], [0.0]]),
    )
    assert sums.flatten().tolist() == [2, 2, 4, 2, 2]
    assert held_out._fit(*sums.flatten().tolist()) == HeadFit(r2=0.0, mae=1.0)
    assert held_out._fit(0, 0, 0, 0, 0) == HeadFit(None, None)
    assert held_out._fit(2, 2, 2, 1, 1) == HeadFit(None, 0.5)  # two equal values


def test_few_labels_count_as_much_as_many(corpus: Corpus, sample: pd.DataFrame) -> None:
    """In training as in a look, whatever the shares: an error of 1 costs half a nat a property."""
    values = np.zeros((len(corpus), 2))
    held = corpus.rows(VALID)
    values[held[1:], 0] = values[corpus.rows(TRAIN)[::2], 0] = np.nan
    table = sample.head(64).assign(few=values[:, 0], all=values[:, 1])
    labelled = prepare(table, property_names=("few", "all")).corpus
    np.testing.assert_array_equal(labelled.rows(VALID), held)
    network = SequenceVAE(replace(network_for(corpus).config, properties=2))
    looks = {}
    for weight in (0.0, 1.0):
        for parameter in network.heads.parameters():  # type: ignore[union-attr]
            torch.nn.init.zeros_(parameter)
        torch.nn.init.ones_(network.heads[-1].bias)  # type: ignore[index,arg-type]
        seen: list[Progress] = []
        fit(
            copy.deepcopy(network),
            batches(labelled),
            batches(labelled, VALID),
            TrainingConfig(steps=1, precision="fp32", learning_rate=1e-12, property_weight=weight),
            Watch(on_look=seen.append),
        )
        looks[weight] = seen[-1]
    assert looks[1.0].held_out_loss - looks[0.0].held_out_loss == pytest.approx(1.0, abs=1e-3)  # type: ignore[operator]
    assert [head.mae for head in looks[1.0].heads] == pytest.approx([1, 1])


def test_tensorboard_gets_what_the_log_has(run_folder: Path) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulators.EventAccumulator(str(run_folder / "tensorboard")).Reload()
    log = pd.read_csv(run_folder / "metrics.csv")
    assert set(events.Tags()["scalars"]) == set(log.columns) - {"step", "steps"}
    shown = events.Scalars("distortion")
    assert [one.step for one in shown] == log["step"].tolist()
    assert [one.value for one in shown] == pytest.approx(log["distortion"].tolist(), rel=1e-4)


def test_curves_are_a_picture(run_folder: Path) -> None:
    with Image.open(run_folder / "curves.png") as picture:
        assert picture.size == (1000, 700)
        assert len(picture.convert("RGB").getcolors(10**6)) > 50


def test_a_property_may_be_called_as_it_likes(sample: pd.DataFrame, tmp_path: Path) -> None:
    name = r"$\foo$ 熱, a/b"
    table = sample.head(30).rename(columns={"logp": name})
    run = tmp_path / "run"
    molvae.train(table, run, properties=[name], size="small", steps=2, report=False, quiet=True)
    assert f"{name}_r2" in pd.read_csv(run / "metrics.csv").columns
    assert (run / "curves.png").exists()


def test_what_stands_in_the_way_is_named(sample: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "run" / "curves.png").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"curves.png is a folder. Name another"):
        molvae.train(sample.head(9), tmp_path / "run", steps=2, quiet=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "tensorboard").write_text("a file")
    molvae.train(
        sample.head(9), tmp_path / "other", size="small", steps=2, report=False, quiet=True
    )
    assert (tmp_path / "other" / "model.safetensors").exists()


def test_training_on_every_device(corpus: Corpus, device: str) -> None:
    looks: list[Progress] = []
    states: list[State] = []
    config = TrainingConfig(steps=60, precision="fp32", target_rate=5.0, state_seconds=0)
    watch = Watch(on_look=looks.append, on_state=states.append)
    network = network_for(corpus).to(device)
    fit(network, batches(corpus), batches(corpus, VALID), config, watch)
    assert looks[-1].distortion < looks[0].distortion
    again = network_for(corpus).to(device)
    fit(again, batches(corpus), batches(corpus, VALID), config, state=states[0])
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_heads_learn_what_they_are_given(model: molvae.MolVAE, sample: pd.DataFrame) -> None:
    train = sample.head(380)
    predicted = model.codec.predict(model.encode(train).mean)[:, 0]
    assert np.corrcoef(predicted, train["logp"])[0, 1] > 0.5
    (scale,) = model.checkpoint.properties
    assert (scale.name, scale.count) == ("logp", 380)
    assert scale.mean == pytest.approx(sample["logp"].mean(), abs=0.2)


def test_an_interrupted_run_keeps_what_there_is(corpus: Corpus) -> None:
    network = network_for(corpus)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    looks: list[Progress] = []
    outcome = fit(
        network,
        batches(corpus),
        batches(corpus, VALID),
        TrainingConfig(steps=400),
        Watch(on_look=looks.append, stop_asked=lambda: bool(looks)),
    )
    assert outcome.ending == "interrupted"
    assert outcome.best_step == outcome.steps == looks[0].step
    assert any(not torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_training_stops_early_and_keeps_the_best_weights(corpus: Corpus) -> None:
    looks: list[Progress] = []
    outcome = fit(
        network_for(corpus),
        batches(corpus),
        batches(corpus, VALID),
        TrainingConfig(steps=4000, patience=3, learning_rate=1e-2, precision="fp32"),
        Watch(on_look=looks.append),
    )
    assert outcome.ending == "early stop"
    losses = [look.held_out_loss for look in looks]
    assert outcome.held_out_loss == min(losses)
    assert outcome.best_step == looks[int(np.argmin(losses))].step < outcome.steps


def test_a_loss_that_is_not_finite_stops_with_the_remedy(corpus: Corpus) -> None:
    network = network_for(corpus)
    torch.nn.init.constant_(network.decoder.to_logits.bias, torch.nan)
    with pytest.raises(TrainingError, match=r"not finite at step .* smaller --learning-rate"):
        fit(network, batches(corpus), None, TrainingConfig(steps=40, precision="fp32"))


def test_bf16_learns_as_fp32_does(corpus: Corpus) -> None:
    def last_loss(precision: str) -> float:
        looks: list[Progress] = []
        config = TrainingConfig(steps=120, precision=precision)
        network = network_for(corpus, encoder_hidden=32, decoder_hidden=64)
        fit(network, batches(corpus), None, config, Watch(on_look=looks.append))
        return looks[-1].distortion

    assert last_loss("bf16") == pytest.approx(last_loss("fp32"), rel=0.1)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_network_at_rest_learns_as_any_other(corpus: Corpus, precision: str) -> None:
    weights = []
    for at_rest in (True, False):
        network = network_for(corpus, dropout=0.5).train(not at_rest)
        fit(network, batches(corpus), None, TrainingConfig(steps=2, precision=precision))
        weights.append(network.decoder.to_logits.weight)
    assert torch.equal(*weights)


def test_master_weights_move_by_less_than_bf16_can_tell(corpus: Corpus) -> None:
    weights = MasterWeights(network_for(corpus), torch.bfloat16)
    master = weights.network.decoder.to_logits.bias
    with torch.no_grad():
        master.fill_(1.0).add_(1e-4)
    weights.spread_weights()
    assert weights.working.decoder.to_logits.bias[0] == 1.0
    assert master[0] > 1.0


def test_a_limit_in_minutes_ends_the_schedule_in_time() -> None:
    config = TrainingConfig(max_minutes=1)
    schedule = Schedule.plan(config, steps_per_epoch=100)
    assert schedule.steps == 3000
    for step in range(1, 600):
        schedule.settle(step, seconds=0.1 * step)  # ten steps a second
    assert schedule.steps == pytest.approx(600, rel=0.03)
    assert schedule.learning_rate(schedule.steps) == pytest.approx(0, abs=1e-9)
    assert not schedule.out_of_time(59)
    assert schedule.out_of_time(60)


def test_a_run_that_time_cuts_short_looks_at_its_last_weights(corpus: Corpus) -> None:
    looks: list[Progress] = []
    config = TrainingConfig(max_minutes=0.0001, precision="fp32")
    outcome = fit(
        network_for(corpus),
        batches(corpus),
        batches(corpus, VALID),
        config,
        Watch(on_look=looks.append),
    )
    assert outcome.ending == "time"
    assert looks[-1].step == outcome.steps == outcome.best_step >= 1


def test_schedules() -> None:
    config = TrainingConfig(steps=1000, beta=0.5, beta_warmup=0.1)
    schedule = Schedule.plan(config, 10)
    balance = Balance(config, torch.device("cpu"))
    assert balance.beta(49, 1000) == pytest.approx(0.25)
    assert balance.beta(99, 1000) == balance.beta(999, 1000) == 0.5
    cyclical = Balance(replace(config, beta_cycles=4), torch.device("cpu"))
    assert [cyclical.beta(step, 1000) for step in (24, 249, 250 + 11)] == [0.5, 0.5, 0.24]
    assert schedule.learning_rate(49) == pytest.approx(2e-3)
    assert schedule.learning_rate(525) == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 1, "steps": 1}, "not both"),
        ({"beta": -1}, "beta can't be below 0"),
        ({"learning_rat": 1}, "Did you mean 'learning_rate'"),
        ({"precision": "fp8"}, "one of auto, fp32, bf16"),
        ({"decoder_hidden": 0}, "decoder_hidden is from 1 to"),
        ({"decoder_hidden": 1.5}, "decoder_hidden is a whole number"),
        ({"beta": float("nan")}, "beta is a number"),
        ({"vocabulary_size": 3}, "There is no setting 'vocabulary_size'"),
        ({"held_out": 1.0}, "held-out share is from 0 to below 1"),
        ({"device": "meta"}, "No device 'meta' here"),
        ({"latent_dim": 10**8}, "from 1 to 65,536"),
        ({"seed": 2**32}, "seed is a whole number"),
        ({"device": "warp"}, "No device 'warp' here"),
    ],
)
def test_settings_out_of_range(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        molvae.train(["CCO", "CCN"], quiet=True, **settings)


def test_a_constant_property_is_learned_without_harm() -> None:
    table = pd.DataFrame({"smiles": ["CCO", "CCN", "CCC", "CCCC"], "v": [0.1] * 4})
    model = molvae.train(table, properties=["v"], size="small", steps=3, quiet=True)
    assert model.checkpoint.properties[0].deviation == 1.0
    assert model.record["report"]["heads"] == []


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    model = molvae.train(
        ["CCO", "CCN", "CCC"],
        tmp_path / "run",
        seed=np.int64(3),
        steps=np.int64(2),
        learning_rate=np.float32(1e-3),
        latent_dim=np.int64(8),
        report=False,
        quiet=True,
    )
    assert molvae.load(tmp_path / "run").latent_dim == model.latent_dim == 8


def test_a_table_that_cannot_be_used() -> None:
    huge = pd.DataFrame({"smiles": ["CCO", "CCN", "CCC"], "v": ["1e308", "-1e308", "1e308"]})
    with pytest.raises(TableError, match="too large"):
        molvae.train(huge, properties="v", quiet=True)
    with pytest.raises(TableError, match="No molecules were given"):
        molvae.train([], quiet=True)
    with pytest.raises(TableError, match=r"None of the 2 rows can be used.*not a SMILES"):
        molvae.train(pd.DataFrame({"smiles": ["x", "y"]}), quiet=True)
    with pytest.raises(TableError, match=r"No column 'logP'.*Did you mean 'logp'"):
        molvae.train(pd.DataFrame({"smiles": ["C"], "logp": [1]}), properties=["logP"], quiet=True)


def test_a_model_is_not_overwritten_unasked(csv_file: Path, run_folder: Path) -> None:
    with pytest.raises(OutputError, match="--overwrite"):
        molvae.train(csv_file, run_folder, quiet=True)
