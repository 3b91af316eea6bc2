"""Results of another place, written into a ledger: all of them or none, once, and only where nothing stands."""

import pytest

import tiny
from studies.ledger.entries import LedgerError
from studies.ledger.portable import Adopted, adopt

PLAN = tiny.plan({"pooling": ("cls", "mean")})
RECORD = {"val_accuracy": 0.5, "curve": [{"epoch": 1, "val_accuracy": 0.5}], "odd": float("nan")}


@pytest.fixture
def ledger(place):
    """Of four trials one waits, one failed, and two are not known."""
    made = place.ledger(create=True)
    made.enqueue(PLAN.trials[0])
    made.claim(entry := made.enqueue(PLAN.trials[1]))
    made.fail(entry, "ValueError: x")
    return made


def test_a_result_takes_the_place_of_what_waits_or_failed_and_a_failure_of_nothing_else(ledger):
    first, second, third, fourth = PLAN.trials
    found = [Adopted(trial, RECORD) for trial in (first, second, third)]
    found.append(Adopted(fourth, {}, "DivergedError: NaN", "nan", "Traceback"))
    for _ in range(2):  # asked again, after an answer that was lost
        adopt(ledger, {}, found)
    entries = list(ledger.entries().values())
    assert [(e.state, e.attempt, e.failure) for e in entries] == [
        ("complete", 1, None),
        ("complete", 2, None),
        ("complete", 1, None),
        ("failed", 1, "nan"),
    ]
    assert ledger.traces() == {(fourth.content_hash, 1): "Traceback"}
    adopt(ledger, {}, [Adopted(fourth, {}, "ValueError: another", "error")])
    assert ledger.entries()[fourth.content_hash].reason == "DivergedError: NaN"
    (complete, *_) = ledger._storage.get_all_trials(ledger.study_id)
    assert (complete.value, complete.intermediate_values) == (0.5, {1: 0.5})


def test_what_runs_by_now_refuses_all_of_it(ledger, place):
    other = place.ledger(create=True)
    other.claim(ledger.enqueue(PLAN.trials[3]))
    before = ledger.history()
    with pytest.raises(LedgerError, match=r"mean seed 1 is running by now: .*merge again"):
        adopt(ledger, {"a": 1}, [Adopted(trial, RECORD) for trial in PLAN.trials])
    assert ledger.history() == before
    assert ledger.notes("a") is None
