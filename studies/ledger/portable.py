"""A study on its way from one storage to another: what its tables lack, and finished trials that come from tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import Connection

from studies.design.plan import Trial
from studies.ledger import attempts, ending, notes
from studies.ledger.entries import Entry, LedgerError
from studies.ledger.ledger import Ledger
from studies.ledger.transactions import alone, reading

KEPT = ("plan", "provenance", "runs", "looks", "planned looks", "measurement", "arithmetic")
"""Notes that go along, and all that begin with these and a colon; others are of the drivers of one storage."""
ELSEWHERE = "elsewhere"
"""The driver of runs that came from tables; a real one's name has its machine in it."""


def notes_of(ledger: Ledger) -> dict[str, Any]:
    """What a study's tables do not say: its declaration, measured rounds, looks, machines."""
    found = ledger.do(lambda connection: notes.read(connection, ledger.study_id, ""), reading)
    kept = {name: content for name, content in found.items() if name.split(":")[0] in KEPT}
    without = {name: [_without_driver(run) for run in content] for name, content in kept.items() if name == "runs"}
    return {**kept, **without, **({"provenance": _without_driver(kept["provenance"])} if "provenance" in kept else {})}


@dataclass(frozen=True)
class Adopted:
    """A finished trial of another place: its record, and if it failed, why, how, and its traceback, if there is one."""

    trial: Trial
    record: Mapping[str, Any]
    reason: str | None = None
    failure: str | None = None
    trace: str | None = None


def adopt(ledger: Ledger, told: Mapping[str, Any], found: Sequence[Adopted]) -> None:
    """Keep notes and finished trials, all of them or, if it is interrupted, none.

    A failure stands only where nothing is known; a result in the place of what waits or failed.

    Raises:
        LedgerError: one of them runs or is complete here, and nothing was written.
    """

    def work(connection: Connection) -> None:
        notes.write(connection, ledger.study_id, told)
        known = ledger.enqueued(connection, [one.trial for one in found])
        for one, entry in zip(found, known, strict=True):
            _keep(connection, ledger.study_id, one, entry)

    ledger.do(work, alone)


def _keep(connection: Connection, study_id: int, one: Adopted, entry: Entry) -> None:
    if entry.state == "complete" and json.dumps(entry.record) == json.dumps(one.record):
        return  # asked again, after an answer that was lost
    if entry.state in ("running", "complete"):
        raise LedgerError(f"{one.trial.label} is {entry.state} by now: look with `vit-ablate status`, and merge again")
    if entry.state == "failed":
        if one.reason is not None:
            return
        entry = ending.again(connection, study_id, entry, charged=0)
    attempts.claim(connection, entry.trial_id)
    attrs: dict[str, Any] = {"record": one.record}
    if one.reason is None:
        attempts.end(connection, entry.trial_id, TrialState.COMPLETE, attrs)
        return
    attrs |= {"reason": one.reason, "failure": one.failure} | ({attempts.TRACE: one.trace} if one.trace else {})
    attempts.end(connection, entry.trial_id, TrialState.FAIL, attrs)


def _without_driver(run: Mapping[str, Any]) -> dict[str, Any]:
    return {**run, "driver": ELSEWHERE}
