"""What a worker does with the lease of an attempt before and after it trains."""

import pytest

import tiny
from studies.ledger.folder import ResultsFolder
from studies.running.committing import TAKEN, Committing
from studies.running.executor import GivenUpError
from studies.trial.record import Outcome

(TRIAL,) = tiny.plan({}, seeds=1).trials


@pytest.fixture
def ledger(tmp_path):
    return ResultsFolder(tmp_path).ledger(create=True)


def claimed(ledger):
    ledger.claim(entry := ledger.enqueue(TRIAL))
    return entry


def task(ledger, entry, run, retries=2):
    return Committing(ledger.url.render_as_string(), ledger.name, [entry], run, retries)


def test_a_trial_that_cost_too_many_workers_is_not_begun_by_the_next(ledger, tmp_path):
    entry = claimed(ledger)
    for _ in range(3):
        ResultsFolder(tmp_path).ledger(create=True).take_over(entry)
    with pytest.raises(GivenUpError, match="3 workers were lost with it"):
        task(ledger, entry, lambda: pytest.fail("it was begun"))()
    task(ledger, entry, lambda: Outcome({"val_accuracy": 0.5}), retries=3)()
    (found,) = ledger.entries().values()
    assert (found.state, found.attempt) == ("complete", 1)


def test_what_failed_is_left_to_whoever_asked(ledger):
    failed = Outcome({}, "ValueError: x", "Traceback: x")
    assert task(ledger, claimed(ledger), lambda: failed)() == failed
    (found,) = ledger.entries().values()
    assert found.state == "running"


def test_what_comes_too_late_is_written_nowhere_and_said(ledger):
    entry = claimed(ledger)

    def declared_dead_meanwhile():
        ledger.interrupt(entry)
        return Outcome({"val_accuracy": 0.5})

    assert task(ledger, entry, declared_dead_meanwhile)() == Outcome({}, TAKEN)
    assert [(found.state, found.record) for found in ledger.history()] == [("failed", {}), ("waiting", {})]
