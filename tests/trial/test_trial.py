import dataclasses
import json
import math

import pytest
import torch
from safetensors.torch import load_file

import studies.training.compute
import studies.trial.trial
import tiny
from studies.data import Split
from studies.training.score import Score
from studies.trial.care import Order
from studies.trial.record import curve_of, explain, pack, unpack
from studies.trial.setup import Setup
from studies.trial.trial import run_trial, run_trials
from vit import ViTConfig


@pytest.fixture
def small(monkeypatch, small_mnist):
    """Trials on 512 images, in this process."""
    monkeypatch.setattr(studies.trial.trial, "load", lambda name: small_mnist)


CONFIG = ViTConfig(patch_size=(14, 28), embed_dim=8, depth=1, num_heads=1)
RECIPE = tiny.RECIPE.replace(batch_size=128, epochs=2)


def run(config=CONFIG, recipe=RECIPE, seed=0):
    return run_trial(Setup(config, recipe, "mnist"), seed, "cpu")


def test_a_record_is_complete_and_plain_json(small):
    outcome = run()
    assert outcome.reason is None
    record = json.loads(json.dumps(outcome.record))
    fields = {f.name for kind in (CONFIG, RECIPE) for f in dataclasses.fields(kind)}
    promised = {
        *("seed", "num_tokens", "params", "flops", "val_accuracy", "test_accuracy", "val_loss", "test_loss"),
        *("train_seconds", "wall_seconds", "host_memory_mib", "device", "packed", "threads", "dtype"),
        *("resumed", "paused_seconds", "notes"),
        *("torch", "python"),
        *("commit", "dirty", "started_at", "curve", "test_correct"),
    }
    assert sorted((fields | promised) - set(record)) == []
    assert record["patch_size"] == [14, 28]
    assert record["num_tokens"] == 3
    assert record["threads"] == record["packed"] == 1
    assert [point["epoch"] for point in curve_of(record)] == [1, 2]


def test_accuracies_are_those_of_the_images(small, small_mnist):
    record = run().record
    correct = unpack(record["test_correct"])
    assert len(correct) == len(small_mnist.test)
    assert correct.float().mean().item() == record["test_accuracy"]
    assert curve_of(record)[-1]["val_accuracy"] == record["val_accuracy"]


@pytest.mark.parametrize("unequal", [False, True])
def test_balanced_accuracy_is_recorded_where_classes_are_unequal(unequal, small_mnist, monkeypatch):
    first = torch.cat([(small_mnist.test.labels == label).nonzero()[:10, 0] for label in range(10)])
    kept = first[5:] if unequal else first  # half of the zeros are left out
    test = Split(small_mnist.test.images[kept], small_mnist.test.labels[kept])
    data = dataclasses.replace(small_mnist, test=test)
    monkeypatch.setattr(studies.trial.trial, "load", lambda name: data)
    record = run().record
    assert ("test_balanced_accuracy" in record) == unequal
    if unequal:
        correct = unpack(record["test_correct"]).float()
        by_class = [correct[test.labels == label].mean() for label in range(10)]
        assert record["test_balanced_accuracy"] == pytest.approx(sum(by_class).item() / 10)


def test_the_test_set_is_scored_once(small, small_mnist, monkeypatch):
    seen, evaluate = [], studies.trial.trial.evaluate
    monkeypatch.setattr(
        studies.trial.trial, "evaluate", lambda m, split, *a: seen.append(split) or evaluate(m, split, *a)
    )
    run()
    assert len(seen) == 1
    assert torch.equal(seen[0].images, small_mnist.test.images)


def test_a_loss_that_is_no_number_is_a_reason(small):
    outcome = run(recipe=RECIPE.replace(learning_rate=1000.0, epochs=9))
    assert outcome.reason is not None
    assert "DivergedError: training loss is" in outcome.reason
    assert outcome.record["learning_rate"] == 1000.0
    assert outcome.record["wall_seconds"] > 0
    assert curve_of(outcome.record) == []
    assert "test_accuracy" not in outcome.record


def test_a_test_loss_that_is_no_number_is_a_reason(small, monkeypatch):
    score = Score(math.nan, 0.1, torch.zeros(3, dtype=torch.bool))
    monkeypatch.setattr(studies.trial.trial, "evaluate", lambda *_: score)
    assert run().reason == "FloatingPointError: test loss is nan"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError("no room"), "out of memory: no room"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory: CUDA out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory: DefaultCPUAllocator"),
        (ValueError("two\n   lines"), "ValueError: two lines"),
        (ValueError("x" * 1000), "ValueError: " + "x" * 300),
    ],
)
def test_whatever_goes_wrong_is_one_line(small, monkeypatch, error, reason):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(studies.trial.trial, "fit", broken)
    found = run().reason
    assert found is not None
    assert found.startswith(reason)
    assert "\n" not in found
    assert len(found) < 330


def setup(**changes) -> Setup:
    return Setup(CONFIG, RECIPE.replace(**changes), "mnist")


def orders(*rates: float) -> list[Order]:
    return [Order(setup(learning_rate=rate, epochs=9), seed) for seed, rate in enumerate(rates)]


def test_trials_of_a_pack_have_the_record_of_a_trial(small, tmp_path):
    asked = orders(0.01, 0.01)
    kept = dataclasses.replace(asked[1], weights=tmp_path / "kept.safetensors")
    for order, outcome in zip(asked, run_trials([asked[0], kept], "cpu"), strict=True):
        alone = run(recipe=order.setup.recipe, seed=order.seed)
        assert outcome.reason is None
        assert list(outcome.record) == list(alone.record)
        assert (outcome.record["packed"], alone.record["packed"]) == (2, 1)
        assert outcome.record["seed"] == order.seed
        for name in ("val_loss", "test_loss", "train_loss"):
            assert outcome.record[name] == pytest.approx(alone.record[name], abs=1e-4)
        assert len(curve_of(outcome.record)) == 9
    assert load_file(tmp_path / "kept.safetensors")


def test_of_a_pack_only_what_is_wanted_is_scored(small):
    all_of_it = [outcome.record["test_correct"] for outcome in run_trials(orders(0.01, 0.02, 0.01), "cpu")]
    known, wanted, last = orders(0.01, 0.02, 0.01)
    (outcome,) = run_trials(
        [dataclasses.replace(known, wanted=False), wanted, dataclasses.replace(last, wanted=False)], "cpu"
    )
    assert outcome.record["test_correct"] == all_of_it[1]
    assert (outcome.record["packed"], outcome.record["seed"]) == (3, 1)


def test_one_trial_of_a_pack_that_diverges_fails_alone(small):
    first, second, third = run_trials(orders(0.01, 1000.0, 0.01), "cpu")
    assert first.reason is third.reason is None
    assert "DivergedError: training loss is" in second.reason
    assert second.record["learning_rate"] == 1000.0
    assert curve_of(second.record) == []
    assert second.record["wall_seconds"] > 0


def test_what_ends_a_pack_is_the_reason_of_all(small, monkeypatch):
    def too_large(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(studies.trial.trial, "fit_packed", too_large)
    reasons = {outcome.reason for outcome in run_trials(orders(0.01, 0.02), "cpu")}
    assert reasons == {"out of memory: CUDA out of memory"}


def test_an_interrupt_is_no_reason(small, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(studies.trial.trial, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run()


@pytest.mark.parametrize("size", [0, 1, 8, 9, 10_000])
def test_which_images_were_right_survives_packing(size):
    correct = torch.rand(size, generator=torch.Generator().manual_seed(0)) < 0.95
    text = pack(correct)
    assert torch.equal(unpack(text), correct)
    assert len(text) < 100 + size / 6
    assert text.isascii()


def test_an_unknown_data_set_is_a_reason():
    outcome = run_trial(Setup(CONFIG, RECIPE, "nosuch"), 0, "cpu")
    assert explain(KeyError("x")) == "KeyError: 'x'"
    assert outcome.reason is not None
    assert "unknown data set 'nosuch'" in outcome.reason


@pytest.mark.parametrize("packed", [False, True])
def test_the_arithmetic_that_is_recorded_is_the_object_that_training_was_given(small, monkeypatch, packed):
    given, name = [], "fit_packed" if packed else "fit"
    original = getattr(studies.trial.trial, name)

    def recorded(config, recipe, data, seed, compute, *rest, **more):
        given.append(compute)
        return original(config, recipe, data, seed, compute, *rest, **more)

    monkeypatch.setattr(studies.trial.trial, name, recorded)
    long = setup(epochs=2)
    monkeypatch.setattr(studies.training.compute, "COMPILE_FROM_STEPS", 10**6 if not packed else 1)
    (outcome,) = run_trials([Order(long, 0)], "cpu") if packed else [run_trial(long, 0, "cpu")]
    assert outcome.reason is None
    (compute,) = given
    assert {name: outcome.record[name] for name in ("attention", "dtype", "compile")} == dataclasses.asdict(compute)
    assert compute.compile is False  # the rule would compile so long a training, but never a pack


def test_a_pack_of_different_models_is_refused(small):
    other = dataclasses.replace(setup(), config=CONFIG.replace(depth=2))
    reasons = {outcome.reason for outcome in run_trials([Order(setup(), 0), Order(other, 1)], "cpu")}
    assert reasons == {"ValueError: trials of one pack must share their model and their data set"}
