"""What a ledger promises, over every storage of ``conftest.py``."""

import dataclasses
import math
from datetime import datetime

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import update

import tiny
from studies.ledger.attempts import with_hashes
from studies.ledger.drivers import Driver
from studies.ledger.entries import INTERRUPTED, LOST, STATES, LedgerError
from studies.ledger.exclusion import HeldError
from studies.ledger.ledger import Ledger
from studies.ledger.transactions import BEATS

PLAN = tiny.plan({"pooling": ("cls", "mean")})
RECORD = {"val_accuracy": 0.5, "curve": [{"epoch": 1, "val_loss": 1.5}], "patch_size": [7, 14], "none": None}


@pytest.fixture
def ledger(place):
    return place.ledger(create=True)


def only(ledger: Ledger):
    (entry,) = ledger.entries().values()
    return entry


def test_a_trial_goes_from_waiting_to_complete_and_is_read_back_elsewhere(ledger, place):
    entry = ledger.enqueue(PLAN.trials[0])
    assert (entry.state, entry.attempt, entry.seed, entry.record) == ("waiting", 1, 0, {})
    assert ledger.claim(entry)
    assert only(ledger).state == "running"
    ledger.complete(entry, RECORD)
    found = only(place.ledger())
    assert (found.state, found.record, found.reason) == ("complete", RECORD, None)
    assert (found.content_hash, found.cell_hash) == (PLAN.trials[0].content_hash, PLAN.cells[0].content_hash)


def test_a_trial_is_claimed_once(ledger, place):
    entry = ledger.enqueue(PLAN.trials[0])
    assert [ledger.claim(entry), place.ledger().claim(entry)] == [True, False]


def test_a_failure_keeps_reason_and_record(ledger):
    entry = ledger.enqueue(PLAN.trials[0])
    ledger.claim(entry)
    ledger.fail(entry, "DivergedError: NaN", {"seed": 0})
    assert (only(ledger).state, only(ledger).reason, only(ledger).record) == (
        "failed",
        "DivergedError: NaN",
        {"seed": 0},
    )


def test_a_retry_is_the_same_trial_at_a_further_attempt(ledger):
    entry = ledger.enqueue(PLAN.trials[0])
    ledger.claim(entry)
    ledger.fail(entry, "DivergedError: NaN", {"seed": 0})
    again = ledger.retry(only(ledger))
    assert only(ledger) == again
    assert (again.state, again.attempt, again.record, again.reason) == ("waiting", 2, {}, None)
    assert again.content_hash == entry.content_hash


def test_reaping_queues_what_was_running_and_nothing_else(ledger, place):
    running, finished, _ = (ledger.enqueue(trial) for trial in PLAN.trials[:3])
    ledger.claim(running), ledger.claim(finished)
    ledger.complete(finished, RECORD)
    other = place.ledger(create=True)
    assert other.reap(lambda lease: lease.owner != ledger.owner, 2) == []
    (again,) = other.reap(lambda lease: lease.owner == ledger.owner, 2)
    found = ledger.entries()
    assert [(e.state, e.attempt) for e in found.values()] == [("waiting", 2), ("complete", 1), ("waiting", 1)]
    assert (again, again.charged) == (found[running.content_hash], 0)
    assert [(e.reason, e.failure) for e in ledger.history() if e.state == "failed"] == [(INTERRUPTED, LOST)]
    assert other.reap(lambda lease: True, 2) == []


def test_what_is_held_is_not_reaped_by_its_holder(ledger):
    entry = ledger.enqueue(PLAN.trials[0])
    ledger.claim(entry)
    assert ledger.reap(lambda lease: True, 2) == []
    assert only(ledger).state == "running"


def test_a_late_driver_is_refused_and_nothing_it_brings_is_kept(ledger, place):
    entry = ledger.enqueue(PLAN.trials[0])
    ledger.claim(entry)
    other = place.ledger(create=True)
    (again,) = other.reap(lambda lease: True, 2)
    assert other.claim(again)
    assert not ledger.complete(entry, RECORD | {"val_accuracy": 0.1})
    assert not ledger.fail(entry, "DivergedError: NaN")
    assert only(ledger) == dataclasses.replace(again, state="running")
    assert other.complete(again, RECORD)
    assert ledger.interrupt(entry) == only(ledger)
    found = only(ledger)
    assert (found.state, found.record, found.attempt) == ("complete", RECORD, 2)
    assert len(ledger.history()) == 2


def test_what_has_ended_stays_so(ledger, place):
    entry = ledger.enqueue(PLAN.trials[0])
    assert not ledger.complete(entry, RECORD), "it was not claimed"
    ledger.claim(entry)
    assert ledger.complete(entry, RECORD)
    before = only(ledger)
    for handle in (ledger, place.ledger(create=True)):
        assert not handle.claim(entry)
        assert not handle.fail(entry, "DivergedError: NaN")
        assert handle.reap(lambda lease: True, 2) == []
    assert only(ledger) == before


def test_every_write_bears_to_be_done_twice(ledger):
    """A server may go away after it wrote and before it said so."""
    first, second = (ledger.enqueue(trial) for trial in PLAN.trials[:2])
    assert ledger.enqueue(PLAN.trials[0]) == first
    assert ledger.claim(first)
    assert ledger.claim(first)
    assert ledger.complete(first, RECORD)
    assert ledger.complete(first, RECORD)
    ledger.claim(second)
    assert ledger.fail(second, "DivergedError: NaN")
    assert ledger.fail(second, "DivergedError: NaN")
    again = ledger.retry(second)
    assert ledger.retry(second) == again
    ledger.claim(again)
    assert ledger.interrupt(again, charged=1) == ledger.interrupt(again, charged=1)
    found = ledger.history()
    assert [entry.attempt for entry in found] == [1, 1, 2, 3]
    assert [entry.charged for entry in found] == [0, 0, 0, 1]


def test_the_clock_of_the_storage_tells_the_silence(ledger, place):
    first, second = ledger.enqueue(PLAN.trials[0]), ledger.enqueue(PLAN.trials[1])
    assert ledger.leases() == []
    ledger.claim(first), place.ledger(create=True).claim(second)
    mine, other = ledger.leases()
    assert (mine.trial_id, mine.owner) == (first.trial_id, ledger.owner)
    assert other.owner not in (None, ledger.owner)
    assert 0 <= mine.silence < 60
    silence(ledger)
    assert all(lease.silence > 1e8 for lease in ledger.leases())
    ledger.beat()
    mine, other = ledger.leases()
    assert (mine.silence < 60, other.silence > 1e8) == (True, True)


def test_a_study_left_by_a_version_without_leases_is_reaped(ledger, place):
    entry = ledger.enqueue(PLAN.trials[0])
    ledger._storage.set_trial_state_values(entry.trial_id, TrialState.RUNNING)
    ledger._storage.set_trial_user_attr(entry.trial_id, "record", RECORD)  # and then it was killed
    assert [(lease.owner, lease.silence) for lease in ledger.leases()] == [(None, math.inf)]
    with Driver(place.ledger(create=True), place.home) as driver:
        driver.reap()
    assert (only(ledger).state, only(ledger).attempt, only(ledger).record) == ("waiting", 2, {})


def silence(ledger: Ledger) -> None:
    with ledger._engine.begin() as connection:
        connection.execute(update(BEATS).values(heartbeat=datetime(2020, 1, 1)))


def test_a_driver_beats_by_itself_and_a_silent_one_is_reaped(ledger, place):
    entry = ledger.enqueue(PLAN.trials[0])
    with Driver(ledger, place.home, beat_seconds=0.05) as busy, Driver(place.ledger(True), place.home) as watcher:
        busy.ledger.claim(entry)
        silence(ledger)
        tiny.until(lambda: ledger.leases()[0].silence < 60, "a beat")
        assert watcher.reap() == []
        busy._stopped.set()  # as if the whole process were stopped, with its lock
        busy._thread.join()
        silence(ledger)
        assert len(watcher.reap()) == 1
    assert (only(ledger).state, only(ledger).attempt) == ("waiting", 2)


def test_a_driver_that_died_is_reaped_at_once(ledger, place):
    entry = ledger.enqueue(PLAN.trials[0])
    ledger.claim(entry)
    dead = Driver(ledger, place.home)
    dead.folder.mkdir(parents=True)
    dead._file(ledger.owner).touch()  # what a process that was killed leaves behind
    with Driver(place.ledger(create=True), place.home) as driver:
        assert [again.content_hash for again in driver.reap()] == [entry.content_hash]
    assert list(dead.folder.iterdir()) == []


def test_who_was_away_itself_declares_nobody_dead(ledger, place):
    entry = ledger.enqueue(PLAN.trials[0])
    ledger.claim(entry)
    with Driver(place.ledger(create=True), place.home, grace_seconds=0.0) as driver:
        driver._heard -= 1000
        assert driver.reap() == []


def test_plan_measurement_and_notes_come_back(ledger, place):
    with pytest.raises(LedgerError, match="nothing was run in study yet"):
        _ = ledger.plan
    assert (ledger.measurement, ledger.notes("provenance")) == ({}, None)
    ledger.plan = PLAN
    ledger.add_measurement({"a": {"flops": 1}})
    ledger.note("provenance", {"command": "x"})
    again = place.ledger()
    assert (again.plan, again.measurement, again.notes("provenance")) == (PLAN, {"a": {"flops": 1}}, {"command": "x"})


def test_what_was_measured_can_be_forgotten_and_measured_anew(ledger):
    ledger.add_measurement({"a": {"flops": 1}, "b": {"flops": 1}})
    ledger.forget_measurement()
    assert ledger.measurement == {}
    ledger.add_measurement({"a": {"flops": 2}})
    assert ledger.measurement == {"a": {"flops": 2}}


def test_two_writers_of_measurements_lose_none(ledger, place):
    other = place.ledger()
    assert ledger.measurement == other.measurement == {}
    ledger.add_measurement({"a": {"flops": 1}, "b": {"flops": 1}})
    other.add_measurement({"b": {"flops": 2}, "c": {"flops": 2}})
    assert {name: facts["flops"] for name, facts in ledger.measurement.items()} == {"a": 1, "b": 2, "c": 2}


def test_a_note_is_found_by_its_whole_name_only(ledger):
    ledger.note("xy", 1)
    assert (ledger.notes("xy"), ledger.notes("x%"), ledger.notes("x_")) == (1, None, None)


def test_a_missing_study_is_not_made_by_looking(place):
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"no study .*start one with `vit-ablate run`"):
            place.ledger()


def test_reading_the_tables_finds_what_optuna_finds(ledger):
    first, second, third, _ = (ledger.enqueue(trial) for trial in PLAN.trials)
    for entry in (first, second, third):
        ledger.claim(entry)
    ledger.complete(first, RECORD)
    ledger.fail(second, 'quoted "reason", ] and\nlines', {"val_loss": float("inf"), "größe": [None, True]})
    ledger.retry(second)
    theirs = optuna.load_study(study_name=None, storage=ledger._storage).trials
    assert [entry.trial_id for entry in ledger.history()] == [trial._trial_id for trial in theirs]
    for ours, trial in zip(ledger.history(), theirs, strict=True):
        attrs = trial.user_attrs
        assert (ours.state, ours.content_hash, ours.seed) == (STATES[trial.state.name], attrs["hash"], attrs["seed"])
        assert (ours.record, ours.reason) == (attrs.get("record", {}), attrs.get("reason"))


def test_one_at_a_time_does_what_one_may_do(ledger, place):
    other = place.ledger()
    with ledger.sole("tuning"):
        with pytest.raises(HeldError, match="another run is tuning in this study"), other.sole("tuning"):
            pass
        with other.sole("measuring"):
            pass
    with pytest.raises(ZeroDivisionError), ledger.sole("tuning"):
        _ = 1 / 0
    with other.sole("tuning"):
        pass


def test_a_trial_is_found_by_the_index_of_hashes(ledger):
    ledger.enqueue_all(PLAN.trials)
    with ledger._engine.connect() as connection:
        statement = with_hashes(ledger.study_id, [PLAN.trials[0].content_hash]).compile(
            ledger._engine, compile_kwargs={"literal_binds": True}
        )
        lite = ledger._engine.dialect.name == "sqlite"
        connection.exec_driver_sql("SELECT 1" if lite else "SET enable_seqscan = off")
        plan = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' if lite else ''}{statement}").all()
    assert "vit_ablate_hash" in str(plan)
