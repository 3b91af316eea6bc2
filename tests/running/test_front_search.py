from concurrent.futures import Future

import optuna
import pytest

import tiny
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

    worker_died = Died
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
