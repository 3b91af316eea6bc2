import dataclasses
import os
import signal
import threading
import time

import pytest
from optuna.trial import TrialState

import studies.runner
import tiny
from studies.ledger import INTERRUPTED, Ledger
from studies.measure import FULL
from studies.progress import Progress
from studies.runner import OVERHEAD_SECONDS, Runner, Stop, ctrl_c, expected_seconds
from studies.trial import run_trial

FACTORS = {"pooling": ("cls", "mean")}


@pytest.fixture(scope="module")
def plan():
    return tiny.plan(FACTORS, recipe=tiny.RECIPE.replace(epochs=2), base=tiny.MODEL.replace(dropout=0.1))


@pytest.fixture(scope="module")
def survived(plan, tmp_path_factory):
    """Two workers, one of which is killed in the middle of a trial."""
    observer, folder = tiny.KillOnce(), tmp_path_factory.mktemp("survived")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(studies.runner, "run_trial", tiny.marked)
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
    trials = ledger._storage.get_all_trials(ledger._study_id)
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
        here = run_trial(trial.cell.config, trial.cell.recipe, trial.cell.dataset, trial.seed, "cpu")
        assert here.reason is None
        curve = [{k: v for k, v in point.items() if k != "seconds"} for point in here.record["curve"]]
        mine = {name: here.record[name] for name in tiny.OUTCOME} | {"curve": curve}
        assert mine == expected[trial.content_hash]


def test_seeds_and_arms_give_different_results(survived):
    correct = [entry.record["test_correct"] for entry in survived[0].entries().values()]
    assert len(set(correct)) == 4


def test_a_finished_study_starts_no_worker(plan, survived, monkeypatch):
    before = survived[0].entries()
    monkeypatch.setattr(studies.runner.ProcessExecutor, "submit", lambda *_: pytest.fail("a worker was asked"))
    assert tiny.run(plan, survived[0].folder).entries() == before


def test_a_run_while_another_holds_the_lock_is_refused(plan, survived):
    with survived[0].lock(), pytest.raises(studies.ledger.LedgerError, match="another run is working"):
        tiny.run(plan, survived[0].folder)


def test_what_a_dead_run_left_running_is_queued_again(plan, tmp_path, monkeypatch):
    ledger = Ledger(tmp_path, create=True)
    first, second, third, _ = (ledger.enqueue(trial) for trial in plan.trials)
    ledger.claim(first)  # killed in the middle of a trial
    ledger.claim(second)
    ledger.fail(second, INTERRUPTED)  # killed between closing one attempt and queueing the next
    ledger.claim(third)
    ledger.fail(third, "DivergedError: by itself")
    runner = Runner(plan, ledger, 1, FULL)
    ledger.recover()
    runner._enqueue()
    assert [(trial.seed, trial.cell.name, entry.attempt) for trial, entry in runner.queue] == [
        (0, "cls", 2),
        (0, "mean", 2),
        (1, "mean", 1),
    ]
    assert (runner.progress.waiting, runner.progress.failed) == (3, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_counted_and_handlers_put_back(number):
    before, stop = signal.getsignal(number), Stop()
    with ctrl_c(stop):
        os.kill(os.getpid(), number)
        tiny.until(lambda: stop.presses, "the signal")
    assert stop.presses == (2 if number == signal.SIGTERM else 1)
    assert signal.getsignal(number) is before


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
