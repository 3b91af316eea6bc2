import dataclasses
import errno

import pytest

import tiny
from bench.files import MachineError
from studies.data import load
from studies.trial import tuning
from studies.trial.setup import Setup
from studies.trial.trial import run_trial
from studies.trial.tuning import FIRST_SEED, run_tuning_trial

SETUP = Setup(tiny.MODEL, tiny.RECIPE.replace(epochs=2), "mnist")


def test_it_trains_as_any_trial_does_and_never_sees_the_test_set(monkeypatch):
    whole = load("mnist")
    monkeypatch.setattr(tuning, "load", lambda name: dataclasses.replace(whole, test=whole.val))
    outcome = run_tuning_trial(SETUP, FIRST_SEED, "cpu")
    assert outcome.reason is None
    assert not [name for name in outcome.record if name.startswith("test_")]
    assert not outcome.record["pruned"]
    monkeypatch.undo()
    evaluated = run_trial(SETUP, FIRST_SEED, "cpu").record
    assert outcome.record["val_accuracy"] == evaluated["val_accuracy"] == outcome.record["curve"][-1]["val_accuracy"]


def test_a_hopeless_one_ends_after_its_epoch():
    asked = []

    def hopeless(epoch, value):
        asked.append((epoch, value))
        return True

    outcome = run_tuning_trial(SETUP, FIRST_SEED, "cpu", hopeless)
    assert outcome.reason is None
    assert outcome.record["pruned"]
    assert [point["epoch"] for point in outcome.record["curve"]] == [1] == [epoch for epoch, _ in asked]


def test_the_last_epoch_is_no_time_to_give_up():
    one = Setup(tiny.MODEL, tiny.RECIPE, "mnist")
    assert not run_tuning_trial(one, FIRST_SEED, "cpu", lambda epoch, value: True).record["pruned"]


@pytest.mark.parametrize("rate", [1e3])
def test_one_that_diverges_says_so(rate):
    setup = dataclasses.replace(SETUP, recipe=tiny.RECIPE.replace(learning_rate=rate, epochs=2, schedule="constant"))
    outcome = run_tuning_trial(setup, FIRST_SEED, "cpu")
    assert outcome.reason is None or "DivergedError" in outcome.reason
    assert outcome.record["seed"] == FIRST_SEED


def test_an_error_leaves_its_traceback_and_what_the_machine_lacks_is_no_failure(monkeypatch):
    def broken(_):
        raise error

    monkeypatch.setattr(tuning, "load", broken)
    error = ValueError("of its own")
    outcome = run_tuning_trial(SETUP, FIRST_SEED, "cpu")
    assert outcome.reason == "ValueError: of its own"
    assert "in broken" in outcome.trace
    error = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(MachineError):
        run_tuning_trial(SETUP, FIRST_SEED, "cpu")
