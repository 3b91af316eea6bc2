import sqlite3

import optuna
import pytest

import tiny
from studies.ledger import INTERRUPTED, STATES, Ledger, LedgerError

PLAN = tiny.plan({"pooling": ("cls", "mean")})
RECORD = {"val_accuracy": 0.5, "curve": [{"epoch": 1, "val_loss": 1.5}], "patch_size": [7, 14], "none": None}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "study", create=True)


def only(ledger: Ledger):
    (entry,) = ledger.entries().values()
    return entry


def test_a_trial_goes_from_waiting_to_complete_and_is_read_back_elsewhere(ledger):
    entry = ledger.enqueue(PLAN.trials[0])
    assert (entry.state, entry.attempt, entry.seed, entry.record) == ("waiting", 1, 0, {})
    assert ledger.claim(entry)
    assert only(ledger).state == "running"
    ledger.complete(entry, RECORD)
    found = only(Ledger(ledger.folder))
    assert (found.state, found.record, found.reason) == ("complete", RECORD, None)
    assert (found.content_hash, found.cell_hash) == (PLAN.trials[0].content_hash, PLAN.cells[0].content_hash)


def test_a_trial_is_claimed_once(ledger):
    entry = ledger.enqueue(PLAN.trials[0])
    assert [ledger.claim(entry), Ledger(ledger.folder).claim(entry)] == [True, False]


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


def test_recovery_queues_what_was_running_and_nothing_else(ledger):
    running, finished, _ = (ledger.enqueue(trial) for trial in PLAN.trials[:3])
    ledger.claim(running), ledger.claim(finished)
    ledger.complete(finished, RECORD)
    assert ledger.recover() == 1
    found = ledger.entries()
    assert [(e.state, e.attempt) for e in found.values()] == [("waiting", 2), ("complete", 1), ("waiting", 1)]
    first = ledger._storage.get_trial(running.trial_id)
    assert first.user_attrs["reason"] == INTERRUPTED
    assert ledger.recover() == 0


def test_a_death_between_record_and_state_repeats_the_trial(ledger):
    entry = ledger.enqueue(PLAN.trials[0])
    ledger.claim(entry)
    ledger._storage.set_trial_user_attr(entry.trial_id, "record", RECORD)  # and then the driver was killed
    ledger.recover()
    assert (only(ledger).state, only(ledger).attempt, only(ledger).record) == ("waiting", 2, {})


def test_plan_measurement_and_notes_come_back(ledger):
    with pytest.raises(LedgerError, match="nothing was run in"):
        _ = ledger.plan
    assert (ledger.measurement, ledger.notes("provenance")) == ({}, None)
    ledger.plan, ledger.measurement = PLAN, {"a": {"flops": 1}}
    ledger.note("provenance", {"command": "x"})
    again = Ledger(ledger.folder)
    assert (again.plan, again.measurement, again.notes("provenance")) == (PLAN, {"a": {"flops": 1}}, {"command": "x"})


def test_one_run_holds_the_lock(ledger):
    other = Ledger(ledger.folder)
    with (
        ledger.lock(),
        pytest.raises(LedgerError, match=r"another run is working on study.*vit-ablate status study"),
        other.lock(),
    ):
        pass
    with other.lock():
        pass


def test_the_lock_is_released_by_an_error(ledger):
    with pytest.raises(ZeroDivisionError), ledger.lock():
        _ = 1 / 0
    with ledger.lock():
        pass


def test_a_missing_study_is_not_made_by_looking(tmp_path):
    with pytest.raises(LedgerError, match=r"no study in .*start one with `vit-ablate run`"):
        Ledger(tmp_path / "nosuch")
    assert not (tmp_path / "nosuch").exists()


def test_a_file_that_is_no_storage_is_named(tmp_path):
    (tmp_path / "study.db").write_text("not a database, but long enough to be read as one " * 40)
    with pytest.raises(LedgerError, match=r"cannot open .*study.db: .*not a database"):
        Ledger(tmp_path)


def test_a_renamed_folder_is_the_same_study(ledger, tmp_path):
    ledger.plan = PLAN
    ledger.enqueue(PLAN.trials[0])
    moved = Ledger(ledger.folder.rename(tmp_path / "kept for later"))
    assert (moved.plan, len(moved.entries())) == (PLAN, 1)


def test_looking_at_a_study_writes_nothing(ledger):
    ledger.enqueue(PLAN.trials[0])
    before = ledger.path.read_bytes()
    held = sqlite3.connect(ledger.path)
    held.execute("BEGIN IMMEDIATE")  # somebody is writing
    assert len(Ledger(ledger.folder).entries()) == 1
    held.close()
    assert ledger.path.read_bytes() == before


def test_reading_the_tables_finds_what_optuna_finds(ledger):
    first, second, third, _ = (ledger.enqueue(trial) for trial in PLAN.trials)
    for entry in (first, second, third):
        ledger.claim(entry)
    ledger.complete(first, RECORD)
    ledger.fail(second, 'quoted "reason", ] and\nlines', {"val_loss": float("inf"), "größe": [None, True]})
    ledger.retry(second)
    theirs = optuna.load_study(study_name=None, storage=f"sqlite:///{ledger.path}").trials
    assert [entry.trial_id for entry in ledger._attempts()] == [trial._trial_id for trial in theirs]
    for ours, trial in zip(ledger._attempts(), theirs, strict=True):
        attrs = trial.user_attrs
        assert (ours.state, ours.content_hash, ours.seed) == (STATES[trial.state], attrs["hash"], attrs["seed"])
        assert (ours.record, ours.reason) == (attrs.get("record", {}), attrs.get("reason"))
