import errno
from concurrent.futures import Future

import optuna
import pandas as pd
import pytest

import tiny
from bench.files import MachineError
from studies.design.settings import DesignError
from studies.design.tuned import as_tuned, with_tuned
from studies.findings.findings import find
from studies.findings.tuning import trials_frame
from studies.ledger.folder import ResultsFolder
from studies.ledger.found import searches
from studies.ledger.samplers import Method
from studies.report.tracebacks import write_tracebacks
from studies.running.progress import Observer
from studies.running.tuning import Tuner
from studies.trial.record import Outcome
from studies.trial.tuning import FIRST_SEED
from synthetic import careless

TRIALS = 6


@pytest.fixture(autouse=True)
def hurry():
    with careless():
        yield


class Died(Exception):
    pass


class Inline:
    """An executor that runs a stand-in for training at once, or dies as often as told."""

    worker_died, sight_lost, commits = Died, (), False

    def __init__(self, slots=2, deaths=0):
        self.slots, self.deaths, self.done = slots, deaths, []

    def submit(self, fn, setup, seed, device, watch, *_):
        future = Future()
        if self.deaths:
            self.deaths -= 1
            future.set_exception(Died())
            return future
        self.done.append((setup, seed))
        future.set_result(outcome(setup, seed, watch))
        return future

    def kill(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None


def outcome(setup, seed, watch):
    """Best at a learning rate of 0.03; the class token learns less."""
    rate = setup.recipe.learning_rate
    if rate > 0.045:
        return Outcome({"seed": seed, "curve": [], "pruned": False}, "DivergedError: training loss is nan")
    top = 0.9 - abs(rate - 0.03) - 0.1 * (setup.config.pooling == "cls")
    curve = [{"epoch": 1, "val_accuracy": top - 0.2}, {"epoch": 2, "val_accuracy": top}]
    pruned = bool(watch and watch(1, top - 0.2))
    curve = curve[:1] if pruned else curve
    return Outcome(
        {"seed": seed, "val_accuracy": curve[-1]["val_accuracy"], "curve": curve, "pruned": pruned, "wall_seconds": 1.0}
    )


def plan():
    return as_tuned(tiny.plan({"pooling": ("cls", "mean", "map")}, recipe=tiny.RECIPE.replace(epochs=2)))


def tuner(folder, executor=None, trials=TRIALS, observer=None):
    ledger = ResultsFolder(folder).ledger(create=True)
    return Tuner(plan(), ledger, executor or Inline(), trials, Method(), observer)


def trials_by_arm(folder):
    return {about["arm"]: found for about, found in searches(ResultsFolder(folder).ledger())}


def test_every_arm_gets_the_same_budget_seeds_and_start(tmp_path):
    found = tuner(tmp_path / "s").run()
    by_arm = trials_by_arm(tmp_path / "s")
    assert list(by_arm) == list(found) == ["cls", "mean", "map"]
    declared = {"learning_rate": 0.01, "weight_decay": 0.05}
    for trials in by_arm.values():
        assert len(trials) == TRIALS
        assert all(one.over for one in trials)
        assert [one.record["seed"] for one in trials] == [FIRST_SEED + i for i in range(TRIALS)]
        assert trials[0].settings == declared
    assert by_arm["mean"][1].settings == by_arm["map"][1].settings == found["cls"] != declared
    best = max((one for one in by_arm["mean"] if one.state == "complete"), key=lambda one: one.values[0])
    assert found["mean"] == best.settings


def test_what_is_found_does_not_depend_on_how_many_work(tmp_path):
    one, four = (tuner(tmp_path / name / "s", Inline(slots)).run() for name, slots in (("one", 1), ("four", 4)))
    assert one == four


def test_it_goes_on_where_it_stopped_and_finds_the_same(tmp_path):
    class StopAfter(Observer):
        def __init__(self, tuner, left):
            self.tuner, self.left = tuner, left

        def searched(self, *event):
            self.left -= 1
            if not self.left:
                self.tuner.stop.press()

    whole = tuner(tmp_path / "whole" / "s").run()
    executors = [Inline() for _ in range(4)]
    for left, executor in zip((3, 5, 4), executors[:3], strict=True):
        part = tuner(tmp_path / "parts" / "s", executor)
        part.observer = StopAfter(part, left)
        part.run()
        assert part.stop.asked
    assert tuner(tmp_path / "parts" / "s", executors[3]).run() == whole
    assert sum(len(executor.done) for executor in executors) == 3 * TRIALS
    assert executors[3].done
    assert all(sum(one.over for one in found) == TRIALS for found in trials_by_arm(tmp_path / "parts" / "s").values())


def test_n_is_the_whole_budget_not_what_is_added(tmp_path):
    tuner(tmp_path / "s", trials=4).run()
    executor = Inline()
    tuner(tmp_path / "s", executor, trials=4).run()
    assert executor.done == []
    tuner(tmp_path / "s", executor, trials=5).run()
    assert len(executor.done) == 3
    with pytest.raises(DesignError, match="tuned with 5 trials before: --tune 3 cannot take any back"):
        tuner(tmp_path / "s", trials=3).run()


def test_a_worker_that_dies_costs_no_place_and_three_deaths_only_their_trial(tmp_path):
    tuner(tmp_path / "once" / "s", Inline(slots=1, deaths=2)).run()
    assert {one.reason for one in trials_by_arm(tmp_path / "once" / "s")["cls"]} <= {
        None,
        "DivergedError: training loss is nan",
    }
    tuner(tmp_path / "thrice" / "s", Inline(slots=1, deaths=3)).run()
    first, *others = trials_by_arm(tmp_path / "thrice" / "s")["cls"]
    assert (first.state, first.reason) == ("failed", "worker was killed 3 times (out of memory?)")
    assert all(one.over for one in others)
    assert len(others) == TRIALS - 1


class Lacking(Inline):
    """A disk that is full when the fourth trial ends."""

    def submit(self, *of_it):
        future = super().submit(*of_it)
        if len(self.done) == 4:
            future = Future()
            future.set_exception(MachineError(errno.ENOSPC, "No space left on device"))
        return future


def test_what_the_machine_lacks_ends_the_run_and_costs_no_trial(tmp_path):
    whole = tuner(tmp_path / "whole" / "s").run()
    with pytest.raises(MachineError):
        tuner(tmp_path / "s", Lacking()).run()
    assert all(found.reason is None or "Diverged" in found.reason for found in trials_by_arm(tmp_path / "s")["cls"])
    assert tuner(tmp_path / "s").run() == whole
    assert all(sum(one.over for one in found) == TRIALS for found in trials_by_arm(tmp_path / "s").values())


def test_a_traceback_belongs_to_its_trial_and_the_table_names_its_file(tmp_path, monkeypatch):
    ours = Outcome({"curve": []}, "ValueError: odd", "Traceback of it\n")
    good = Outcome({"seed": 1, "val_accuracy": 0.5, "curve": [], "pruned": False})
    monkeypatch.setattr("test_tuning.outcome", lambda setup, seed, _: ours if seed == FIRST_SEED + 1 else good)
    made = tuner(tmp_path / "s", trials=2)
    made.run()
    frame, _ = trials_frame(made.ledger, {cell.name: cell.name for cell in made.plan.cells}, made.plan)
    write_tracebacks(made.ledger, ResultsFolder(tmp_path / "s"), pd.DataFrame())
    assert frame["traceback"].notna().tolist() == [False, True] * len(trials_by_arm(tmp_path / "s"))
    files = {file.name: file.read_text() for file in (tmp_path / "s" / "tracebacks").iterdir()}
    assert files.keys() == set(frame["traceback"].dropna())
    assert all(text.endswith("ValueError: odd\n\nTraceback of it\n") for text in files.values())


def test_an_arm_without_one_finished_trial_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("test_tuning.outcome", lambda *_: Outcome({"curve": []}, "DivergedError: nan"))
    assert set(tuner(tmp_path / "s").run().values()) == {"DivergedError: nan"}


@pytest.mark.slow
def test_a_tuned_study_really_trained(tmp_path):
    """Tuning, then fresh seeds at both recipes; every table of it."""
    made = as_tuned(tiny.plan({"pooling": ("cls", "mean")}, recipe=tiny.RECIPE.replace(epochs=2), seeds=2))
    place = ResultsFolder(tmp_path / made.folder)
    ledger = place.ledger(create=True)
    found = Tuner(made, ledger, tiny.ProcessExecutor(1), 3, Method()).run()
    tiny.run(with_tuned(made, found), place.path, workers=1)
    told = find(ledger)
    assert len(told.tuning.trials) == 6
    assert set(told.tuning.trials["state"]) <= {"complete", "pruned"}
    assert (told.runs["status"] == "complete").all()
    assert set(told.runs["seed"]) == {0, 1}
    assert set(told.runs["seed"]).isdisjoint(told.tuning.trials["seed"])
    assert list(told.tuning.arms["cell"]) == ["cls/fixed", "mean/fixed"]
    assert told.tuning.arms["made_n"].tolist() == [2, 2]
    names = optuna.get_all_study_names(ledger.storage)
    assert len(names) == 3
