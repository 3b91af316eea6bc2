"""Attempts at trials as rows of Optuna's tables: a trial of Optuna each, with parameters, values and a curve.

Rows are written directly, many at once: Optuna's own call makes over a hundred statements for one trial of ours.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    update,
)

from studies.design.plan import Plan, Trial
from studies.ledger.entries import Entry, entry_of
from studies.ledger.space import Value, params_of, values_of
from studies.ledger.space_rows import grow_space, param_rows, read_space
from studies.ledger.transactions import ATTRS, CURVES, PARAMS, SYSTEM_ATTRS, TRIALS, VALUES
from studies.trial.record import curve_of

METRIC = "val_accuracy"
"""What Optuna's tools show as the value of a trial, and its curve."""
TRACE = "traceback"
"""The attribute of a failed attempt that has the traceback; read only where it is asked for."""
OWN = ("record", "reason", "failure", TRACE)
"""Attributes of one attempt; the others are the trial's."""
HASH = "hash"
"""The attribute that says which trial an attempt is at."""
BY_HASH = text(f"CREATE INDEX IF NOT EXISTS vit_ablate_hash ON {ATTRS.name} (value_json) WHERE key = '{HASH}'")
"""With it, a trial is found in the same time among a hundred and among a million; Optuna does not mind."""
NEXT = "vit-ablate:next"
"""The attribute of an attempt that says which attempt came after it."""

FACTS = (HASH, "cell_hash", "seed", "attempt", "reason", "failure", "charged")
KNOWN = (*FACTS, "record")
# Straight from the tables: Optuna's own reading builds many objects, 0.4 ms a trial, and keeps them all
ATTEMPTS = (
    select(TRIALS.c.trial_id, cast(TRIALS.c.state, String), ATTRS.c.key, ATTRS.c.value_json)
    .join(ATTRS, ATTRS.c.trial_id == TRIALS.c.trial_id)
    .order_by(TRIALS.c.trial_id)
)


@dataclass(frozen=True)
class New:
    """An attempt that is to be made: attributes, and parameters by name."""

    attrs: Mapping[str, Any]
    params: Mapping[str, Value]


def add(connection: Connection, study_id: int, new: Sequence[New]) -> list[int]:
    """Waiting attempts, whose parameters have room in the study's space already; returns their ids, in order."""
    if not new:
        return []
    known = read_space(connection, study_id)
    made = _rows(connection, study_id, len(new))
    connection.execute(insert(ATTRS), [row for i, one in zip(made, new, strict=True) for row in _attrs(i, one.attrs)])
    if params := [row for i, one in zip(made, new, strict=True) for row in param_rows(i, one.params, known)]:
        connection.execute(insert(PARAMS), params)
    return made


def again(connection: Connection, study_id: int, trial_id: int, attrs: Mapping[str, Any]) -> int:
    """The next attempt at a trial: made once, whoever asks how often; returns its id."""
    where = (SYSTEM_ATTRS.c.trial_id == trial_id, SYSTEM_ATTRS.c.key == NEXT)
    there = connection.execute(select(SYSTEM_ATTRS.c.value_json).where(*where)).scalar()
    if there is not None:
        return int(json.loads(there))
    (made,) = _rows(connection, study_id, 1)
    same = select(literal(made), ATTRS.c.key, ATTRS.c.value_json)
    same = same.where(ATTRS.c.trial_id == trial_id, ATTRS.c.key.not_in((*OWN, *attrs)))
    connection.execute(insert(ATTRS).from_select(["trial_id", "key", "value_json"], same))
    connection.execute(insert(ATTRS), _attrs(made, attrs))
    columns = ("param_name", "param_value", "distribution_json")
    same = select(literal(made), *(PARAMS.c[name] for name in columns)).where(PARAMS.c.trial_id == trial_id)
    connection.execute(insert(PARAMS).from_select(["trial_id", *columns], same))
    connection.execute(insert(SYSTEM_ATTRS), _attrs(trial_id, {NEXT: made}))
    return made


def attrs_of(trial: Trial) -> dict[str, Any]:
    """What is kept of a trial that is enqueued for the first time."""
    return {
        "hash": trial.content_hash,
        "cell_hash": trial.cell.content_hash,
        "cell": trial.cell.name,
        "seed": trial.seed,
        "attempt": 1,
    }


def describe_older(connection: Connection, study_id: int, plan: Plan) -> None:
    """Give attempts of a format without parameters those that they were run with, where the plan has their arm."""
    bare = select(TRIALS.c.trial_id).where(
        TRIALS.c.study_id == study_id, ~exists().where(PARAMS.c.trial_id == TRIALS.c.trial_id)
    )
    rows = connection.execute(
        select(ATTRS.c.trial_id, ATTRS.c.key, ATTRS.c.value_json).where(ATTRS.c.trial_id.in_(bare))
    )
    older: dict[int, dict[str, Any]] = defaultdict(dict)
    for trial_id, key, value in rows:
        older[trial_id][key] = json.loads(value)
    cells = {cell.content_hash: cell for cell in plan.runnable}
    trials = {i: Trial(cells[a["cell_hash"]], a["seed"]) for i, a in older.items() if a.get("cell_hash") in cells}
    if not trials:
        return
    known = grow_space(connection, study_id, *values_of(trials.values()))
    connection.execute(
        insert(PARAMS), [r for i, trial in trials.items() for r in param_rows(i, params_of(trial), known)]
    )
    if curves := [row for i in trials for row in _curve(i, older[i].get("record", {}))]:
        connection.execute(insert(CURVES), curves)


def read(connection: Connection, *which: Any, keys: Sequence[str] = KNOWN) -> Iterator[Entry]:
    """Attempts in the order in which they were enqueued; without their records, if ``keys`` are ``FACTS``."""
    rows = connection.execute(ATTEMPTS.where(ATTRS.c.key.in_(keys), *which))
    for trial_id, group in groupby(rows, key=itemgetter(0)):
        _, states, keys, values = zip(*group, strict=True)
        attrs = dict(zip(keys, json.loads(f"[{','.join(values)}]"), strict=True))
        yield entry_of(trial_id, states[0], attrs)


def traces(connection: Connection, study_id: int) -> dict[tuple[str, int], str]:
    """Tracebacks by the trial's hash and the number of the attempt, of those that left one."""
    rows = (
        select(TRIALS.c.trial_id, ATTRS.c.key, ATTRS.c.value_json)
        .join(ATTRS, ATTRS.c.trial_id == TRIALS.c.trial_id)
        .where(TRIALS.c.study_id == study_id, TRIALS.c.state == TrialState.FAIL)
        .where(ATTRS.c.key.in_((HASH, "attempt", TRACE)))
    )
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for trial_id, key, value in connection.execute(rows):
        found[trial_id][key] = json.loads(value)
    return {(attrs[HASH], attrs["attempt"]): attrs[TRACE] for attrs in found.values() if TRACE in attrs}


def with_hashes(study_id: int, hashes: Sequence[str]) -> Select[tuple[int]]:
    """Ids of all attempts at trials with these content hashes, found by their index."""
    key: ColumnElement[str] = literal_column(f"'{HASH}'")  # of a bound value, SQLite cannot know that the index has it
    return (
        select(TRIALS.c.trial_id)
        .join(ATTRS, ATTRS.c.trial_id == TRIALS.c.trial_id)
        .where(TRIALS.c.study_id == study_id, ATTRS.c.key == key, ATTRS.c.value_json.in_(map(json.dumps, hashes)))
    )


def claim(connection: Connection, trial_id: int) -> bool:
    """Waiting to running; False if somebody else was first."""
    waiting = update(TRIALS).where(TRIALS.c.trial_id == trial_id, TRIALS.c.state == TrialState.WAITING)
    taken = connection.execute(waiting.values(state=TrialState.RUNNING, datetime_start=_now()))
    return taken.rowcount == 1


def end(connection: Connection, trial_id: int, state: TrialState, attrs: Mapping[str, Any]) -> bool:
    """Running to a final state, with what is to be known of it; False if it did not run (any more).

    True as well if it ended just so already, for whoever has to ask twice.
    """
    running = update(TRIALS).where(TRIALS.c.trial_id == trial_id, TRIALS.c.state == TrialState.RUNNING)
    if connection.execute(running.values(state=state, datetime_complete=_now())).rowcount != 1:
        return _ended_so(connection, trial_id, state, attrs)
    half = delete(ATTRS).where(ATTRS.c.trial_id == trial_id, ATTRS.c.key.in_(attrs))  # of a program before this one
    connection.execute(half)
    connection.execute(insert(ATTRS), _attrs(trial_id, attrs))
    if curve := _curve(trial_id, attrs.get("record") or {}):
        connection.execute(insert(CURVES), curve)
    if state == TrialState.COMPLETE:
        stored, kind = models.TrialValueModel.value_to_stored_repr(attrs["record"][METRIC])
        row = {"trial_id": trial_id, "objective": 0, "value": stored, "value_type": kind}
        connection.execute(insert(VALUES), row)
    return True


def _ended_so(connection: Connection, trial_id: int, state: TrialState, attrs: Mapping[str, Any]) -> bool:
    if connection.execute(select(TRIALS.c.state).where(TRIALS.c.trial_id == trial_id)).scalar() != state:
        return False
    why = select(ATTRS.c.value_json).where(ATTRS.c.trial_id == trial_id, ATTRS.c.key == "reason")
    return connection.execute(why).scalar() == (json.dumps(attrs["reason"]) if "reason" in attrs else None)


def _rows(connection: Connection, study_id: int, count: int) -> list[int]:
    """New rows of waiting trials, numbered on from those that are there; their ids."""
    there = connection.execute(select(func.count()).where(TRIALS.c.study_id == study_id)).scalar_one()
    rows = [{"study_id": study_id, "number": there + i, "state": TrialState.WAITING} for i in range(count)]
    made = insert(TRIALS).returning(TRIALS.c.trial_id, sort_by_parameter_order=True)
    return list(connection.execute(made, rows).scalars())


def _attrs(trial_id: int, attrs: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attrs.items()]


def _curve(trial_id: int, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    points = {point["epoch"]: point[METRIC] for point in curve_of(record) if METRIC in point}
    return [_point(trial_id, step, value) for step, value in points.items()]


def _point(trial_id: int, step: int, value: float) -> dict[str, Any]:
    stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
    return {"trial_id": trial_id, "step": step, "intermediate_value": stored, "intermediate_value_type": kind}


def _now() -> datetime:
    """As Optuna stores times."""
    return datetime.now(UTC).replace(tzinfo=None)
