"""What is timed before training, by an executor whose worker is killed or that must not be asked."""

from concurrent.futures import Future
from dataclasses import replace

import pytest

import tiny
from studies.ledger.folder import ResultsFolder
from studies.running.interrupts import Stop
from studies.running.measure import measure_cells
from studies.running.progress import Observer
from studies.running.runner import Runner
from studies.running.timekeeper import KILLED, Timekeeper

PLAN = tiny.plan({"pooling": ("cls", "mean")})
CLS, MEAN = (cell.content_hash for cell in PLAN.cells)


class Died(Exception):
    """What this executor says of a worker."""


class Killed:
    """An executor whose worker is killed so many times, or by cells that are too large, or by Ctrl-C on ``stop``."""

    slots, worker_died = 1, Died
    sight_lost, commits = (), False

    def __init__(self, stop=None, times=99, too_large=()):
        self.stop, self.times, self.too_large, self.asked = stop, times, too_large, []

    def submit(self, _function, cells, *_):
        self.asked.append([cell.content_hash for cell in cells])
        if self.stop is not None:
            self.stop.press()
        future: Future = Future()
        if len(self.asked) <= self.times and (not self.too_large or set(self.too_large) & set(self.asked[-1])):
            future.set_exception(Died())
        else:
            future.set_result({name: tiny.measured(5) for name in self.asked[-1]})
        return future


@pytest.fixture
def ledger(tmp_path):
    ledger = ResultsFolder(tmp_path / "study").ledger(create=True)
    ledger.add_measurement({CLS: tiny.measured(0)})
    return ledger


def measure(ledger, executor):
    Timekeeper(PLAN, ledger, executor, Observer(), Stop()).measure(tiny.BRIEFLY)


def test_a_measurement_that_is_killed_once_is_made_once_more(ledger):
    executor = Killed(times=1)
    measure(ledger, executor)
    assert executor.asked == [[CLS, MEAN]] * 2
    assert ledger.measurement == dict.fromkeys((CLS, MEAN), tiny.measured(5))


def test_a_cell_that_kills_who_measures_takes_no_other_with_it(ledger):
    executor = Killed(too_large=[MEAN])
    ledger.add_measurement({CLS: {"reason": "ValueError: by itself"}})
    measure(ledger, executor)
    assert executor.asked == [[CLS, MEAN], [CLS, MEAN], [CLS], [MEAN]]
    assert ledger.measurement == {CLS: tiny.measured(5), MEAN: KILLED}


def test_what_was_killed_spares_what_was_measured_and_is_measured_next_time(ledger):
    measure(ledger, Killed())
    assert ledger.measurement == {CLS: tiny.measured(0), MEAN: KILLED}
    measure(ledger, Killed(times=0))
    assert ledger.measurement == dict.fromkeys((CLS, MEAN), tiny.measured(5))


def test_a_failure_never_replaces_a_speed(ledger):
    executor = Killed(times=0)
    executor.submit = lambda *_: done({CLS: {"reason": "OSError: busy"}, MEAN: {"reason": "ValueError: shape"}})
    measure(ledger, executor)
    assert ledger.measurement == {CLS: tiny.measured(0), MEAN: {"reason": "ValueError: shape"}}


def done(result):
    future: Future = Future()
    future.set_result(result)
    return future


def test_a_measurement_that_is_interrupted_is_made_next_time(ledger):
    stop = Stop()
    Timekeeper(PLAN, ledger, Killed(stop), Observer(), stop).measure(tiny.BRIEFLY)
    assert set(ledger.measurement) == {CLS}


class Apart(Killed):
    """Two workers, whose first answer is a death where that is asked for; speeds come with the memory that was told."""

    slots = 2

    def submit(self, function, cells, *rest):
        if function is measure_cells:
            assert all(future.done() for future in self.futures)
            told = rest[2] or {cell.content_hash: {} for cell in cells}
            return done({cell.content_hash: tiny.measured(5) | told[cell.content_hash] for cell in cells})
        future = super().submit(function, cells)
        if future.exception() is None:
            future = done({cell.content_hash: {"gpu_memory_mib": len(self.asked)} for cell in cells})
        self.futures = [*self.futures, future]
        return future

    futures: tuple = ()


@pytest.mark.parametrize("deaths", [0, 1])
def test_memory_is_reckoned_by_all_workers_before_one_of_them_times(deaths, ledger):
    executor = Apart(times=deaths)
    measure(ledger, executor)
    assert executor.asked == [[CLS], [MEAN]] * (1 + deaths)
    places = {name: facts["gpu_memory_mib"] for name, facts in ledger.measurement.items()}
    assert places == {CLS: 1 + 2 * deaths, MEAN: 2 + 2 * deaths}


def test_what_is_measured_is_not_measured_again(ledger):
    ledger.add_measurement({MEAN: tiny.measured(1)})
    Timekeeper(PLAN, ledger, None, Observer(), Stop()).measure(tiny.BRIEFLY)
    assert ledger.measurement == {CLS: tiny.measured(0), MEAN: tiny.measured(1)}


def test_a_study_whose_trials_are_over_is_measured_where_that_was_killed(ledger):
    class Executor(Killed):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    for trial in PLAN.trials:
        entry = ledger.enqueue(trial)
        assert ledger.claim(entry)
        ledger.complete(entry, {"val_accuracy": 0.5})
    ledger.add_measurement({MEAN: KILLED})
    executor = Executor(times=0)
    Runner(PLAN, ledger, tiny.home(ledger), executor, tiny.BRIEFLY).run()
    assert executor.asked == [[CLS, MEAN]]
    assert ledger.measurement == dict.fromkeys((CLS, MEAN), tiny.measured(5))
    Runner(PLAN, ledger, tiny.home(ledger), executor, tiny.BRIEFLY).run()
    assert len(executor.asked) == 1


def test_where_memory_is_measured_all_workers_start_before_one_of_them_measures(ledger):
    executor = Apart(times=0)
    Timekeeper(replace(PLAN, device="cuda"), ledger, executor, Observer(), Stop()).measure(tiny.BRIEFLY)
    assert executor.asked == [[], []]
    assert ledger.measurement == dict.fromkeys((CLS, MEAN), tiny.measured(5))
