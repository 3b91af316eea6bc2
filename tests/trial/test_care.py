"""How trials are protected: a time limit of its own kind, checkpoints under a name that only their bits fit."""

import dataclasses

import pytest
import torch

import studies.training.upkeep
import studies.trial.care
import studies.trial.trial
import tiny
from studies.ledger.entries import failure_of
from studies.trial.care import NO_CARE, Care, Order, bits_of
from studies.trial.setup import Setup
from studies.trial.trial import run_trial, run_trials

SETUP = Setup(tiny.MODEL, tiny.RECIPE.replace(batch_size=128, epochs=3), "mnist")


@pytest.fixture
def small(monkeypatch, small_mnist):
    monkeypatch.setattr(studies.trial.trial, "load", lambda name: small_mnist)
    monkeypatch.setattr(studies.training.upkeep, "SHARE", float("inf"))


@pytest.mark.parametrize("packed", [False, True])
def test_a_trial_that_is_given_more_time_goes_on_and_ends_as_if_it_had_had_it(packed, small, tmp_path, monkeypatch):
    def train(care):
        return (
            run_trials([Order(SETUP, 0), Order(SETUP, 1)], "cpu", care)[1]
            if packed
            else run_trial(SETUP, 0, "cpu", care=care)
        )

    late = iter(range(10**6))
    whole = train(NO_CARE)
    with monkeypatch.context() as patched:
        patched.setattr(studies.training.upkeep.time, "monotonic", lambda: float(next(late)))
        patched.setattr("studies.training.stopwatch._now", lambda: (0.0, 0.0))
        short = train(Care(tmp_path / "checkpoints", every=0.0, limit=20.0))
    assert short.reason is not None
    assert short.reason.startswith("timed out: not over after 20 s, at step ")
    assert failure_of(short.reason) == "timeout"
    (kept,) = (tmp_path / "checkpoints").iterdir()
    longer = train(Care(tmp_path / "checkpoints"))
    assert tiny.decided(longer.record) == tiny.decided(whole.record)
    assert (longer.record["resumed"], longer.record["notes"], whole.record["resumed"]) == (1, "", 0)
    assert kept.exists()  # until its result is safe


def test_a_checkpoint_has_a_name_of_its_pack_and_is_forgotten(tmp_path):
    care = Care(tmp_path / "here")
    paths = {care.path(names) for names in (["a"], ["b"], ["a", "b"], ["b", "a"], ["ab"])}
    assert len(paths) == 5
    assert {path.parent for path in paths} == {tmp_path / "here"}
    (tmp_path / "here").mkdir()
    for path in paths:
        path.touch()
    care.forget(["a", "b"])
    care.forget(["a", "b"])
    assert len(list((tmp_path / "here").iterdir())) == 4
    assert NO_CARE.path(["a"]) is None
    NO_CARE.forget(["a"])


def test_what_killed_writes_left_is_swept_and_a_kept_checkpoint_is_not(tmp_path):
    care = Care(tmp_path / "here")
    care.sweep()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / ".tmp-1-a.safetensors").touch()
    (tmp_path / "here" / "a.safetensors").touch()
    care.sweep()
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["a.safetensors"]
    (tmp_path / "here" / "a.safetensors").unlink()
    care.sweep()
    assert not (tmp_path / "here").exists()


def test_bits_depend_on_all_that_a_checkpoint_is_compared_by(monkeypatch):
    compute = SETUP.compute_on("cpu", 10_000)
    found = bits_of(["a"], compute, "cpu")
    assert found["torch"] == torch.__version__
    others = [
        bits_of(["a", "b"], compute, "cpu"),
        bits_of(["a"], dataclasses.replace(compute, dtype="float16"), "cpu"),
        bits_of(["a"], compute, "cuda"),
    ]
    for name, changed in {"arithmetic": lambda: "x", "cpu_name": lambda: "y", "capabilities": lambda: ("z",)}.items():
        with monkeypatch.context() as patched:
            patched.setattr(studies.trial.care, name, changed)
            others.append(bits_of(["a"], compute, "cpu"))
    assert all(other != found for other in others)
