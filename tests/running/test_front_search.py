import errno
from concurrent.futures import Future

import optuna
import pytest

import tiny
from bench.files import MachineError
from studies.design.front import OBJECTIVES, Limits
from studies.design.settings import DesignError
from studies.design.space import Choice, Range
from studies.findings.fronts import to_confirm, trials_frame
from studies.ledger.folder import ResultsFolder
from studies.ledger.found import importances
from studies.ledger.samplers import NEVER, NSGA2, RANDOM, TPE, Method
from studies.running.fronts import FrontSearch
from studies.running.measure import measure_cells
from studies.trial.record import Outcome
from synthetic import careless

SPACE = {
    "embed_dim": Choice((6, 8, 16)),
    "num_heads": Choice((1, 2, 3, 4)),
    "depth": Range(1, 3),
    "learning_rate": Range(1e-3, 1e-1, log=True),
}


@pytest.fixture(autouse=True)
def hurry():
    with careless():
        yield


class Died(Exception):
    pass


class Inline:
    """Stands in for measuring and training; notes what was measured, and whether anything ran beside it."""

    worker_died, sight_lost = Died, ()
    slots = 2

    def __init__(self):
        self.measured, self.trained = [], 0

    def submit(self, fn, *args):
        future = Future()
        if fn is measure_cells:
            self.measured += [(cell.config.embed_dim, cell.config.num_heads, cell.config.depth) for cell in args[0]]
            future.set_result({cell.content_hash: facts(cell.config) for cell in args[0]})
        else:
            self.trained += 1
            setup, seed, *_ = args
            value = 0.5 + setup.config.embed_dim / 100 + setup.config.depth / 100
            future.set_result(Outcome({"val_accuracy": value, "curve": [], "seed": seed, "pruned": False}))
        return future

    def kill(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None


def facts(config):
    size = config.embed_dim * config.depth
    return {
        "train_images_per_second": 1e5 / size,
        "infer_images_per_second": 4e5 / size,
        "gpu_memory_mib": 10.0 + size,
        "params": 100 * size,
    }


def search(folder, trials=20, sampler=TPE, executor=None, **limits):
    plan = tiny.plan({}, search=SPACE, objectives=True)
    ledger = ResultsFolder(folder).ledger(create=True)
    executor = executor or Inline()
    return FrontSearch(plan, ledger, executor, trials, Method(sampler, NEVER), Limits(**limits)), executor, plan


@pytest.mark.parametrize("sampler", [RANDOM, TPE, NSGA2])
def test_nothing_impossible_is_ever_sampled_and_a_shape_is_measured_once(tmp_path, sampler):
    made, executor, _ = search(tmp_path / "s", sampler=sampler)
    found = made.run()
    assert len(found) == executor.trained == 20
    assert {one.state for one in made.search.trials()} == {"complete"}
    assert all(one.settings["embed_dim"] % one.settings["num_heads"] == 0 for one in found)
    assert len(executor.measured) == len(set(executor.measured))
    assert len({tuple(list(one.settings.values())[:3]) for one in found}) == len(executor.measured)


def test_what_exceeds_a_limit_is_not_trained_and_takes_no_place(tmp_path):
    made, executor, plan = search(tmp_path / "s", throughput=4e5 / 20)
    found = made.run()
    assert len(found) == executor.trained == 20
    assert max(one.settings["embed_dim"] * one.settings["depth"] for one in found) <= 20
    frame = trials_frame(made.ledger, plan)
    left_out = frame[frame["state"] == "pruned"]
    assert len(left_out)
    assert set(left_out["reason"]) == {"over the limit on throughput"}
    assert not left_out["on_front"].any()


def test_limits_that_leave_nothing_are_told(tmp_path):
    made, executor, _ = search(tmp_path / "s", trials=2, params=10)
    with pytest.raises(DesignError, match=r"40 of 40 configurations exceed the limits \(params=10\): loosen them"):
        made.run()
    assert executor.trained == 0


def test_it_goes_on_to_the_number_that_is_asked_for(tmp_path):
    search(tmp_path / "s", trials=8)[0].run()
    made, executor, _ = search(tmp_path / "s", trials=12)
    assert len(made.run()) == 12
    assert executor.trained == 4
    _, executor, _ = search(tmp_path / "s", trials=12)
    assert executor.trained == 0


def test_optuna_sees_objectives_and_the_front_is_told(tmp_path):
    made, _, plan = search(tmp_path / "s")
    found = made.run()
    study = made.search.study
    assert study.metric_names == list(OBJECTIVES)
    assert {"params_depth", "params_embed_dim", "values_val_accuracy"} <= set(study.trials_dataframe())
    points = to_confirm(found)
    frame = trials_frame(made.ledger, plan).set_index("configuration")
    assert points.keys() <= set(frame.index[frame["on_front"]])
    assert frame["hypervolume"].is_monotonic_increasing
    numbers = {trial.number for trial in study.best_trials}
    assert set(frame.index[frame["on_front"]]) == {f"trial-{number}" for number in numbers}
    shares = importances(made.ledger)
    assert list(shares) == list(OBJECTIVES)
    assert optuna.study.StudyDirection.MINIMIZE in study.directions


class Dying(Inline):
    """Workers die at these submissions, counted from 1; at others something is lacking."""

    def __init__(self, *deaths, lacks=()):
        super().__init__()
        self.deaths, self.lacks, self.submitted = deaths, lacks, 0

    def submit(self, fn, *args):
        self.submitted += 1
        if self.submitted not in (*self.deaths, *self.lacks):
            return super().submit(fn, *args)
        future = Future()
        lacking = MachineError(errno.ENOSPC, "No space left on device")
        future.set_exception(lacking if self.submitted in self.lacks else Died())
        return future


def test_workers_that_die_once_lose_no_speed_and_no_trial(tmp_path):
    whole = search(tmp_path / "whole" / "s", trials=4)[0].run()
    made, executor, _ = search(tmp_path / "s", trials=4, executor=Dying(1, 4))  # measuring, and the second trial
    assert [one.settings for one in made.run()] == [one.settings for one in whole]
    assert executor.submitted == 1 + 1 + 1 + 4


def test_a_shape_that_kills_who_measures_takes_no_other_with_it(tmp_path):
    made, _, _ = search(tmp_path / "s", trials=4, executor=Dying(1, 2, 3))
    assert len(made.run()) == 3
    (failed,) = [one for one in made.search.trials() if one.state == "failed"]
    assert failed.reason == "not measured: the process that measured was killed (out of memory?)"
    assert not [facts for facts in made.ledger.measurement.values() if "reason" in facts]


def test_what_the_machine_lacks_ends_the_search_and_costs_no_trial(tmp_path):
    whole = search(tmp_path / "whole" / "s", trials=4)[0].run()
    with pytest.raises(MachineError):
        search(tmp_path / "s", trials=4, executor=Dying(lacks=(3,)))[0].run()
    made, _, _ = search(tmp_path / "s", trials=4)
    assert sorted(str(one.settings) for one in made.run()) == sorted(str(one.settings) for one in whole)
    assert not [one for one in made.search.trials() if one.over and one.state == "failed"]
