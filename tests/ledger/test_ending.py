"""Which ends of an attempt are held against its trial, and after how many it runs no more by itself."""

import pytest

import tiny
from studies.ledger.entries import INTERRUPTED, LOST
from studies.ledger.leases import WORKER

(TRIAL,) = tiny.plan({}, seeds=1).trials


@pytest.fixture
def ledger(place):
    made = place.ledger(create=True)
    made.enqueue(TRIAL)
    return made


def only(ledger):
    (entry,) = ledger.entries().values()
    return entry


def by_worker(ledger, place):
    """The waiting attempt, claimed by a driver and taken over by a new worker, who is returned with it."""
    ledger.claim(entry := only(ledger))
    worker = place.ledger(create=True)
    assert worker.take_over(entry)
    ledger.let_go([entry])  # as another process sees it
    return worker, entry


def test_a_trial_whose_worker_falls_silent_runs_twice_again_and_is_then_recorded_as_lost(ledger, place):
    for died in range(3):
        by_worker(ledger, place)
        ledger.reap(lambda lease: lease.of_worker, 2)
        assert only(ledger).charged == min(died + 1, 2)
    found = only(ledger)
    assert (found.state, found.attempt, found.failure) == ("failed", 3, LOST)
    assert found.reason == "worker was lost 3 times (out of memory?)"
    again = ledger.retry(found)
    assert (again.state, again.charged) == ("waiting", 0)


def test_the_death_of_a_driver_charges_nobody(ledger):
    for _ in range(4):
        ledger.claim(only(ledger))
        ledger.let_go([only(ledger)])
        assert ledger.reap(lambda lease: not lease.of_worker, 2)
    assert (only(ledger).state, only(ledger).charged, only(ledger).attempt) == ("waiting", 0, 5)
    assert {(past.reason, past.failure) for past in ledger.history()[:-1]} == {(INTERRUPTED, LOST)}


def test_a_worker_that_takes_over_from_another_counts_it_as_dead_once(ledger, place):
    first, entry = by_worker(ledger, place)
    assert first.take_over(entry)  # asked again, after an answer that was lost
    assert ledger.deaths(entry) == 0
    second = place.ledger(create=True)
    for _ in range(2):
        assert second.take_over(entry)
    assert ledger.deaths(entry) == 1
    assert [lease.owner for lease in ledger.leases()] == [WORKER + second.owner]
    assert ledger.interrupt(entry).charged == 1  # whoever queues it again, though it knew the attempt before that
    assert not first.take_over(entry)


def test_a_traceback_belongs_to_its_attempt(ledger):
    ledger.claim(entry := only(ledger))
    ledger.fail(entry, "ValueError: x", {}, "Traceback: x")
    assert ledger.traces() == {(TRIAL.content_hash, 1): "Traceback: x"}
    ledger.claim(again := ledger.retry(entry))
    assert ledger.complete(again, {"val_accuracy": 0.5})
    assert ledger.traces().keys() == {(TRIAL.content_hash, 1)}
