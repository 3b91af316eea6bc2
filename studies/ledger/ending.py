"""How attempts end that are not complete, and which of their trials run again.

A trial is charged with the deaths of its workers, which may be its own fault, and only so often runs again. The end of
a driver, whatever it was, is never held against the trials that it left.
"""

from __future__ import annotations

import json

from optuna.trial import TrialState
from sqlalchemy import Connection, delete, insert, select

from studies.ledger import attempts
from studies.ledger.entries import INTERRUPTED, LOST, Entry
from studies.ledger.leases import Lease, hand_over, is_worker, owner_of
from studies.ledger.transactions import ATTRS, TRIALS

CHARGED = "charged"
"""The attribute of an attempt that says with how many deaths of workers its trial is charged."""


def interrupt(connection: Connection, study_id: int, entry: Entry, failure: str, charged: int | None = None) -> Entry:
    """Close a running attempt, if it still runs, and queue the next one; ``charged`` as this one was, if not told."""
    attempts.end(connection, entry.trial_id, TrialState.FAIL, {"record": {}, "reason": INTERRUPTED, "failure": failure})
    return again(connection, study_id, entry, deaths(connection, entry) if charged is None else charged)


def again(connection: Connection, study_id: int, entry: Entry, charged: int) -> Entry:
    """Queue the next attempt at a trial, or find the one that is queued."""
    attrs = {"attempt": entry.attempt + 1, CHARGED: charged}
    next_id = attempts.again(connection, study_id, entry.trial_id, attrs)
    return next(attempts.read(connection, TRIALS.c.study_id == study_id, TRIALS.c.trial_id == next_id))


def reaped(connection: Connection, study_id: int, lease: Lease, retries: int) -> Entry | None:
    """End what its dead owner left running, and queue it again; None if that was a worker, once too often."""
    (entry,) = attempts.read(connection, TRIALS.c.study_id == study_id, TRIALS.c.trial_id == lease.trial_id)
    if not lease.of_worker:
        return interrupt(connection, study_id, entry, LOST)
    died = deaths(connection, entry) + 1
    if died <= retries:
        return interrupt(connection, study_id, entry, LOST, died)
    end = {"record": {}, "reason": f"worker was lost {died} times (out of memory?)", "failure": LOST}
    attempts.end(connection, entry.trial_id, TrialState.FAIL, end)
    return None


def taken_over(connection: Connection, entry: Entry, worker: str) -> bool:
    """Make a worker the owner of an attempt, charged if another worker had it; False if it runs no more."""
    before = owner_of(connection, entry.trial_id)
    if not hand_over(connection, entry.trial_id, worker):
        return False
    if is_worker(before) and before != worker:  # it died, or was told to stop, and the scheduler tries another
        died = deaths(connection, entry) + 1
        mine = (ATTRS.c.trial_id == entry.trial_id, ATTRS.c.key == CHARGED)
        connection.execute(delete(ATTRS).where(*mine))
        connection.execute(insert(ATTRS).values(trial_id=entry.trial_id, key=CHARGED, value_json=json.dumps(died)))
    return True


def deaths(connection: Connection, entry: Entry) -> int:
    """Of workers, with which a trial is charged by now."""
    found = select(ATTRS.c.value_json).where(ATTRS.c.trial_id == entry.trial_id, ATTRS.c.key == CHARGED)
    return int(json.loads(connection.execute(found).scalar() or "0"))
