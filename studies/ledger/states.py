"""How trials stand, without their records: what a driver asks of a study of any size, and asks again.

Records are nine tenths of what a storage holds; of 100,000 trials, reading them takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import ColumnElement, Connection, String, cast, select

from studies.ledger import attempts
from studies.ledger.entries import STATES, Entry, newest
from studies.ledger.ledger import BATCH, OPEN, Ledger
from studies.ledger.transactions import ATTRS, TRIALS, VALUES, reading


def states(ledger: Ledger) -> dict[str, Entry]:
    """As ``Ledger.entries``, records empty."""
    own = TRIALS.c.study_id == ledger.study_id
    return newest(ledger.do(lambda connection: list(attempts.read(connection, own, keys=attempts.FACTS)), reading))


def with_records(ledger: Ledger, entries: list[Entry]) -> Iterator[Entry]:
    """The same attempts with their records, some hundreds in memory at a time."""
    for begin in range(0, len(entries), BATCH):
        which = TRIALS.c.trial_id.in_([entry.trial_id for entry in entries[begin : begin + BATCH]])
        yield from ledger.do(partial(_read, which), reading)


def scores(ledger: Ledger) -> list[tuple[str, float]]:
    """Of every complete trial the hash of its cell and what Optuna calls its value, the validation accuracy."""
    rows = (
        select(ATTRS.c.value_json, VALUES.c.value)
        .join(TRIALS, TRIALS.c.trial_id == VALUES.c.trial_id)
        .join(ATTRS, (ATTRS.c.trial_id == VALUES.c.trial_id) & (ATTRS.c.key == "cell_hash"))
        .where(TRIALS.c.study_id == ledger.study_id, TRIALS.c.state == TrialState.COMPLETE)
        .order_by(TRIALS.c.trial_id)
    )
    found = ledger.do(lambda connection: list(connection.execute(rows)), reading)
    return [(json.loads(cell), value) for cell, value in found]


def unfinished(ledger: Ledger, known: Mapping[int, Entry] = MappingProxyType({})) -> list[Entry]:
    """Trials that wait or run, whoever runs them, in the order in which they were enqueued.

    Args:
        ledger: of the study.
        known: attempts by id; of these only the state is read.
    """

    def work(connection: Connection) -> list[Entry]:
        rows: list[Any] = list(connection.execute(ids))
        new = [trial_id for trial_id, _ in rows if trial_id not in known]
        found = dict(known)
        for begin in range(0, len(new), BATCH):
            which = TRIALS.c.trial_id.in_(new[begin : begin + BATCH])
            found |= {entry.trial_id: entry for entry in attempts.read(connection, which, keys=attempts.FACTS)}
        return [_in(found[trial_id], STATES[state]) for trial_id, state in rows if trial_id in found]

    ids = select(TRIALS.c.trial_id, cast(TRIALS.c.state, String)).order_by(TRIALS.c.trial_id)
    ids = ids.where(TRIALS.c.study_id == ledger.study_id, OPEN)
    return ledger.do(work, reading)


def _read(which: ColumnElement[bool], connection: Connection) -> list[Entry]:
    return list(attempts.read(connection, which))


def _in(entry: Entry, state: str) -> Entry:
    return entry if entry.state == state else replace(entry, state=state)
