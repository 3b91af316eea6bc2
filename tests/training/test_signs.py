"""A training says how far it is, to files that never harm it; whoever reads them gets whole ones."""

import json
from types import SimpleNamespace

import pytest

import tiny
from studies.training import signs
from studies.training.signs import HERE, Sign, signs_in, sweep, told_device
from studies.trial.care import Care, Order
from studies.trial.setup import Setup
from studies.trial.trial import run_trial, run_trials
from studies.trial.tuning import run_tuning_trial

SETUP = Setup(tiny.MODEL, tiny.RECIPE, "mnist")


def session(taken: int, epoch: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        taken=taken, recipe=SimpleNamespace(epochs=4), curves=SimpleNamespace(steps=25, epoch=epoch)
    )  # fmt: skip


def test_a_sign_tells_how_far_a_training_is_and_when_it_will_be_over(tmp_path):
    sign = Sign(["a", "b"], "cpu", tmp_path / "signs")
    sign.after_step(session(20), 100.0)  # it went on from a checkpoint
    sign.after_step(session(25, 1), 101.0)  # too soon
    assert signs_in(tmp_path / "signs")["a"] == HERE["b"]
    assert (HERE["a"]["step"], HERE["a"]["steps"], HERE["a"]["left"]) == (20, 100, None)
    sign.after_step(session(40, 1), 110.0)
    found = signs_in(tmp_path / "signs")
    assert found["a"] == found["b"] == HERE["a"]
    assert (found["a"]["step"], found["a"]["epoch"], found["a"]["epochs"], found["a"]["left"]) == (40, 1, 4, 30)
    sign.over()
    assert signs_in(tmp_path / "signs") == {}
    assert not HERE.keys() & {"a", "b"}


def test_what_cannot_be_written_is_no_matter_and_a_removed_folder_stays_away(tmp_path):
    gone = Sign(["a"], "cpu", tmp_path / "removed" / ".signs")
    gone.after_step(session(1), 0.0)
    gone.over()
    assert not (tmp_path / "removed").exists()


def test_damaged_signs_tell_nothing_and_are_swept(tmp_path):
    folder = tmp_path / ".signs"
    folder.mkdir()
    for name, content in (("a", "{"), ("b", "[1]"), ("c", "{}"), ("d", json.dumps({"trials": ["d"], "step": 1}))):
        (folder / f"{name}.json").write_text(content)
    (folder / ".tmp-1").touch()
    assert signs_in(folder) == {"d": {"step": 1}}
    sweep(folder)
    assert not folder.exists()
    assert signs_in(folder) == {}


@pytest.mark.parametrize(
    ("seen", "device", "told"),
    [("", "cuda:1", "cuda:1"), ("3,5", "cuda:1", "cuda:5"), ("3", "cuda", "cuda:3"), ("3", "cpu", "cpu")],
)
def test_a_gpu_has_the_number_that_the_machine_gives_it(monkeypatch, seen, device, told):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    assert told_device(device) == told


def test_trials_alone_in_packs_and_of_searches_leave_signs_and_take_them_away(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(signs, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(Sign, "_write", lambda self, folder, sign: told.append((sign["trials"], sign["step"])))
    care = Care(signs=tmp_path)
    steps = tiny.RECIPE.num_steps(50_000)
    run_trial(SETUP, 0, "cpu", care=care)
    assert told == [([SETUP.trial_hash(0)], n + 1) for n in range(steps)]
    told.clear()
    run_trials([Order(SETUP, 0), Order(SETUP, 1)], "cpu", care)
    assert told[-1] == ([SETUP.trial_hash(0), SETUP.trial_hash(1)], steps)
    told.clear()
    run_tuning_trial(SETUP, 2, "cpu", signs=tmp_path)
    assert told[-1] == ([SETUP.trial_hash(2)], steps)
    assert not HERE
