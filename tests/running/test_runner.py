import dataclasses
import errno
import os
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from optuna.trial import TrialState

import studies.running.runner
import tiny
from bench.files import MachineError
from studies.design.plan import Cell, Trial
from studies.ledger.drivers import Driver
from studies.ledger.entries import INTERRUPTED, KILLED, PREEMPTED
from studies.ledger.folder import ResultsFolder
from studies.ledger.states import unfinished
from studies.running.effort import FULL
from studies.running.estimate import OVERHEAD_SECONDS, expected_seconds
from studies.running.interrupts import Stop, ctrl_c
from studies.running.processes import ProcessExecutor
from studies.running.progress import Observer, Progress
from studies.running.runner import Runner
from studies.trial.record import Outcome
from studies.trial.trial import run_trial

FACTORS = {"pooling": ("cls", "mean")}


@pytest.fixture(scope="module")
def plan():
    return tiny.plan(FACTORS, recipe=tiny.RECIPE.replace(epochs=2), base=tiny.MODEL.replace(dropout=0.1))


@pytest.fixture(scope="module")
def survived(plan, tmp_path_factory):
    """Two workers, one of which is killed in the middle of a trial."""
    observer, folder = tiny.KillOnce(), tmp_path_factory.mktemp("survived")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(studies.running.runner, "run_trial", tiny.marked)
        patched.setenv("TINY_MARKS", str(tmp_path_factory.mktemp("marks")))
        return tiny.run(plan, folder, observer=observer), observer


def test_a_killed_worker_costs_one_attempt_and_nothing_else(plan, survived):
    ledger, observer = survived
    assert tiny.states(ledger) == {"complete": 4}
    ((victim, attempt),) = observer.again
    assert attempt == 2
    expected = {trial.content_hash: 1 for trial in plan.trials} | {victim: 2}
    assert {name: entry.attempt for name, entry in ledger.entries().items()} == expected
    assert sorted(observer.order) == sorted([*expected, victim])


def test_the_attempt_that_was_killed_stays_on_record(survived):
    ledger, observer = survived
    trials = ledger._storage.get_all_trials(ledger.study_id)
    assert [t.state for t in trials].count(TrialState.COMPLETE) == 4
    (lost,) = [t for t in trials if t.state == TrialState.FAIL]
    assert (lost.user_attrs["hash"], lost.user_attrs["reason"]) == (observer.again[0][0], INTERRUPTED)


def test_every_cell_is_measured_once_for_all_its_seeds(plan, survived):
    measured = survived[0].measurement
    assert set(measured) == {cell.content_hash for cell in plan.runnable}
    for facts in measured.values():
        assert facts["train_images_per_second"] > 0
        assert facts["infer_images_per_second"] > 0


def test_bits_do_not_depend_on_order_neighbours_or_process(plan, survived, tmp_path):
    expected = tiny.outcomes(survived[0])
    backwards = dataclasses.replace(plan, cells=plan.cells[::-1], seeds=plan.seeds[::-1])
    assert tiny.outcomes(tiny.run(backwards, tmp_path, workers=1)) == expected
    for trial in (plan.trials[3], plan.trials[0]):
        here = run_trial(trial.setup, trial.seed, "cpu")
        assert here.reason is None
        curve = [{k: v for k, v in point.items() if k != "seconds"} for point in here.record["curve"]]
        mine = {name: here.record[name] for name in tiny.OUTCOME} | {"curve": curve}
        assert mine == expected[trial.content_hash]


def test_seeds_and_arms_give_different_results(survived):
    correct = [entry.record["test_correct"] for entry in survived[0].entries().values()]
    assert len(set(correct)) == 4


def test_a_finished_study_starts_no_worker(plan, survived, monkeypatch):
    before = survived[0].entries()
    monkeypatch.setattr(ProcessExecutor, "submit", lambda *_: pytest.fail("a worker was asked"))
    assert tiny.run(plan, tiny.home(survived[0]).path).entries() == before


def test_two_drivers_share_a_study_and_each_trial_has_one_result(plan, survived, tmp_path):
    """Two handles in threads of one process, as two terminals have them; the same bits as of one driver."""
    home = ResultsFolder(tmp_path)
    ledgers = [home.ledger(create=True) for _ in range(2)]
    ledgers[0].add_measurement(survived[0].measurement)
    runners = [Runner(plan, ledger, home, ProcessExecutor(1), FULL) for ledger in ledgers]
    with ThreadPoolExecutor() as threads:
        ends = list(threads.map(lambda runner: runner.run(), runners))
    assert [(end.complete, end.failed, end.waiting) for end in ends] == [(4, 0, 0)] * 2
    assert [entry.attempt for entry in ledgers[0].history()] == [1] * 4
    assert tiny.outcomes(ledgers[1]) == tiny.outcomes(survived[0])
    assert list((tmp_path / ".drivers").iterdir()) == []


class Instant:
    """An executor whose every trial ends at once, as it did in another study."""

    slots, worker_died = 1, ProcessExecutor.worker_died
    sight_lost, commits = (), False

    def __init__(self, known):
        self.known = known.entries()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, _run, setup, seed, *_):
        future = Future()
        future.set_result(Outcome(self.known[Trial(Cell("", {}, setup), seed).content_hash].record))
        return future


def beside(survived, folder):
    """Two handles on a new study whose speeds are known."""
    home = ResultsFolder(folder)
    ledgers = [home.ledger(create=True) for _ in range(2)]
    ledgers[0].add_measurement(survived[0].measurement)
    return home, *ledgers


def test_what_another_driver_runs_is_awaited_and_taken_over_if_it_dies(plan, survived, tmp_path, monkeypatch):
    home, ledger, other = beside(survived, tmp_path)
    other.claim(other.enqueue(plan.trials[0]))
    monkeypatch.setattr(studies.running.runner, "LOOK_SECONDS", 0.0)
    with Driver(other, home.path) as dies:

        class Watch(Observer):
            def elsewhere(self, running: int) -> None:
                assert running == 1
                dies._lock.release()  # as the system does when a process ends

        progress = Runner(plan, ledger, home, Instant(survived[0]), FULL, Watch()).run()
    assert (progress.complete, progress.waiting) == (4, 0)
    assert sorted(entry.attempt for entry in ledger.history()) == [1, 1, 1, 1, 2]
    assert tiny.outcomes(ledger) == tiny.outcomes(survived[0])


def test_a_driver_that_was_declared_dead_is_refused_quietly(plan, survived, tmp_path):
    """It wakes up when what it ran has been taken over: nothing of it is kept, and it goes on."""
    home, ledger, other = beside(survived, tmp_path)
    told = []

    class Watch(Observer):
        def started(self, trial: Trial) -> None:
            if not told:
                told.append(trial)
                (again,) = other.reap(lambda lease: True, 2)
                other.claim(again)
                assert other.complete(again, survived[0].entries()[trial.content_hash].record)

        def taken(self, trial: Trial) -> None:
            told.append(trial)

    progress = Runner(plan, ledger, home, Instant(survived[0]), FULL, Watch()).run()
    assert told == [plan.trials[0]] * 2
    assert (progress.complete, progress.failed, progress.waiting) == (4, 0, 0)
    assert tiny.outcomes(ledger) == tiny.outcomes(survived[0])


def test_the_deaths_of_drivers_are_no_fault_of_the_trial(plan, tmp_path):
    home = ResultsFolder(tmp_path)
    home.ledger(create=True).enqueue(plan.trials[0])
    for _ in range(5):
        dies = home.ledger(create=True)
        dies.claim(*unfinished(dies))
        home.ledger(create=True).reap(lambda lease: True, 2)
    (entry,) = unfinished(home.ledger())
    assert (entry.state, entry.attempt, entry.charged) == ("waiting", 6, 0)


def test_a_trial_whose_worker_dies_again_and_again_is_recorded_and_run_if_asked(plan, survived, tmp_path):
    home, ledger, _ = beside(survived, tmp_path)
    one, well = dataclasses.replace(plan, cells=plan.cells[:1], seeds=[0]), Instant(survived[0])

    class Deadly(Instant):
        def submit(self, *_):
            future = Future()
            future.set_exception(ProcessExecutor.worker_died())
            return future

    assert Runner(one, ledger, home, Deadly(survived[0]), FULL, retries=1).run().failed == 1
    (entry,) = ledger.entries().values()
    assert (entry.reason, entry.failure) == ("worker was killed 2 times (out of memory?)", KILLED)
    assert [past.failure for past in ledger.history()] == [KILLED, KILLED]
    assert Runner(one, ledger, home, well, FULL, retry=["nan", "error"]).run().failed == 1
    assert Runner(one, ledger, home, well, FULL, retry=["killed"]).run().complete == 1


@pytest.mark.parametrize("lack", [errno.ENOSPC, errno.EIO, errno.EMFILE])
def test_what_the_machine_lacks_ends_the_run_and_is_no_fault_of_the_trial(lack, plan, survived, tmp_path):
    home, ledger, _ = beside(survived, tmp_path)

    class Full(Instant):
        def submit(self, *words):
            future = super().submit(*words)
            if ledger.history()[0].state == "complete":  # at the second trial
                future = Future()
                future.set_exception(MachineError(lack, os.strerror(lack)))
            return future

    with pytest.raises(MachineError, match=os.strerror(lack)):
        Runner(plan, ledger, home, Full(survived[0]), FULL).run()
    found = list(ledger.entries().values())
    assert [(e.state, e.attempt, e.charged) for e in found[:3]] == [
        ("complete", 1, 0),
        ("waiting", 2, 0),
        ("waiting", 1, 0),
    ]
    assert [past.failure for past in ledger.history() if past.state == "failed"] == [PREEMPTED]
    assert Runner(plan, ledger, home, Instant(survived[0]), FULL).run().complete == 4
    assert tiny.outcomes(ledger) == tiny.outcomes(survived[0])


def test_what_a_dead_run_left_running_is_queued_again(plan, tmp_path):
    folder = ResultsFolder(tmp_path)
    ledger = folder.ledger(create=True)
    first, second, third, _ = (ledger.enqueue(trial) for trial in plan.trials)
    ledger.claim(first)  # killed in the middle of a trial
    ledger.claim(second)
    ledger.fail(second, INTERRUPTED)  # killed between closing one attempt and queueing the next
    ledger.claim(third)
    ledger.fail(third, "DivergedError: by itself")
    runner = Runner(plan, ledger, folder, ProcessExecutor(1), FULL)
    folder.ledger(create=True).reap(lambda lease: True, 2)
    runner._enqueue()
    assert [(q.trial.seed, q.trial.cell.name, q.entry.attempt) for q in runner.queue.waiting] == [
        (0, "cls", 2),
        (0, "mean", 2),
        (1, "mean", 1),
    ]
    assert (runner.progress.waiting, runner.progress.failed) == (3, 1)


@pytest.mark.parametrize(
    ("signals", "at_once"),
    [([signal.SIGINT], False), ([signal.SIGINT] * 2, True), ([signal.SIGINT] * 3, True), ([signal.SIGTERM], True)],
)
def test_signals_are_noted_and_handlers_put_back(signals, at_once):
    before, stop = [signal.getsignal(number) for number in signals], Stop()
    assert (stop.asked, stop.at_once) == (False, False)
    with ctrl_c(stop):
        for number in signals:
            signal.raise_signal(number)
    assert (stop.asked, stop.at_once) == (True, at_once)
    assert [signal.getsignal(number) for number in signals] == before


def test_outside_the_main_thread_signals_are_left_alone():
    seen = []

    def body():
        with ctrl_c(Stop()):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


def test_time_left_follows_the_pace_and_falls_between_trials(plan, monkeypatch):
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    progress = Progress(plan, workers=2, work={trial.content_hash: 10.0 for trial in plan.trials})
    a, b, c, _ = plan.trials
    assert progress.eta_seconds == 20
    progress.begin(a), progress.begin(b)
    now = 5.0
    assert progress.eta_seconds == 15
    now = 20.0  # twice as slow as expected
    progress.end(a, over=True)
    assert progress.eta_seconds == 20  # two are to come, of 20 s each; b is due
    progress.end(b, over=False)  # killed: all of it is to come again
    assert progress.eta_seconds == 30
    for trial in (b, c):
        progress.begin(trial), progress.end(trial, over=True)
    assert 0 < progress.eta_seconds < 20  # one is left, and one worker cannot share it


def test_an_expectation_without_a_measurement_is_the_overhead(plan):
    cell = plan.cells[0]
    assert expected_seconds(cell, {}, 50_000) == OVERHEAD_SECONDS
    speed = {cell.content_hash: {"train_images_per_second": 1000.0}}
    assert expected_seconds(cell, speed, 50_000) == OVERHEAD_SECONDS + 2 * 50
