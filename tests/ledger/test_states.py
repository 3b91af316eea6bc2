"""The cheap view of a study says what the whole one says, on every storage, and reads no record."""

from dataclasses import replace

import pytest

import tiny
from studies.ledger import attempts
from studies.ledger.states import scores, states, unfinished, with_records

PLAN = tiny.plan({"pooling": ("cls", "mean")}, seeds=3)
RECORD = {"val_accuracy": 0.5, "curve": []}


@pytest.fixture
def ledger(place):
    """One complete, one failed and queued again, one that runs, three that wait."""
    made = place.ledger(create=True)
    done, failed, runs, *_ = made.enqueue_all(PLAN.trials)
    for entry in (done, failed, runs):
        made.claim(entry)
    made.complete(done, RECORD)
    made.fail(failed, "ValueError: x", RECORD)
    made.retry(failed)
    return made


def test_states_are_entries_without_records(ledger):
    whole = ledger.entries()
    assert states(ledger) == {name: replace(entry, record={}) for name, entry in whole.items()}
    assert list(states(ledger)) == list(whole)
    assert list(with_records(ledger, list(states(ledger).values()))) == sorted(
        whole.values(), key=lambda entry: entry.trial_id
    )


def test_scores_are_those_of_complete_trials(ledger):
    assert scores(ledger) == [(PLAN.trials[0].cell.content_hash, 0.5)]


def test_of_attempts_that_are_known_only_the_state_is_read(ledger, monkeypatch):
    first = unfinished(ledger)
    assert first == [entry for entry in ledger.history() if entry.state in ("running", "waiting")]
    assert [entry.state for entry in first] == ["running", "waiting", "waiting", "waiting", "waiting"]
    known, read = {entry.trial_id: entry for entry in first}, []
    whole = attempts.read
    monkeypatch.setattr(attempts, "read", lambda *which, **keys: read.append(which) or whole(*which, **keys))
    ledger.claim(first[1])
    again = ledger.interrupt(first[0])
    read.clear()
    found = unfinished(ledger, known)
    assert len(read) == 1  # the attempt that is new
    assert [entry.state for entry in found] == ["running", *["waiting"] * 4]
    assert found[0] == replace(first[1], state="running")
    assert found[-1] == again
