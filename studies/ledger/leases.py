"""Leases: which driver runs an attempt, and for how long nothing was heard of it.

An attempt is claimed once and ends once, and whoever runs the trial again makes another attempt, with another id. So
its id is the fencing token: every write carries it, and is refused unless that attempt still runs. A driver that comes
back after it was declared dead finds its attempts ended, and nothing that it brings is kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import Connection, and_, delete, insert, select, update

from studies.ledger import attempts
from studies.ledger.transactions import ATTRS, BEATS, SYSTEM_ATTRS, TRIALS, clock

OWNER = "vit-ablate:owner"
"""The attribute of an attempt that says which driver claimed it, or which worker has it."""
WORKER = "worker "
"""How the names of workers begin that write their results themselves."""
SIGN = "vit-ablate:sign"
"""That which says how far it was when it was last heard of."""
NO_SIGNS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Lease:
    """An attempt that runs.

    Args:
        trial_id: of the attempt.
        owner: the driver, or the worker that has taken it over; None in a study of a format before there were leases.
        silence: seconds since it was last heard of, by the clock of the storage.
    """

    trial_id: int
    owner: str | None
    silence: float

    @property
    def of_worker(self) -> bool:
        """Whether a worker has it, whose death may be the trial's fault."""
        return is_worker(self.owner)


def is_worker(owner: str | None) -> bool:
    """Whether this is the name of a worker, not of a driver."""
    return owner is not None and owner.startswith(WORKER)


def take(connection: Connection, trial_id: int, owner: str) -> bool:
    """Claim a waiting attempt; True as well if it is ours already, for whoever has to ask twice."""
    if not attempts.claim(connection, trial_id):
        state = connection.execute(select(TRIALS.c.state).where(TRIALS.c.trial_id == trial_id)).scalar()
        return state == TrialState.RUNNING and owner_of(connection, trial_id) == owner
    connection.execute(delete(BEATS).where(BEATS.c.trial_id == trial_id))
    connection.execute(insert(BEATS).values(trial_id=trial_id, heartbeat=clock(connection)))
    connection.execute(insert(SYSTEM_ATTRS).values(trial_id=trial_id, key=OWNER, value_json=json.dumps(owner)))
    return True


def hand_over(connection: Connection, trial_id: int, owner: str) -> bool:
    """Make somebody else the owner of an attempt; False if it runs no more."""
    state = select(TRIALS.c.state).where(TRIALS.c.trial_id == trial_id)
    if connection.execute(state).scalar() != TrialState.RUNNING:
        return False
    own = and_(SYSTEM_ATTRS.c.trial_id == trial_id, SYSTEM_ATTRS.c.key == OWNER)
    connection.execute(update(SYSTEM_ATTRS).where(own).values(value_json=json.dumps(owner)))
    beat(connection, [trial_id])
    return True


def beat(connection: Connection, trial_ids: Iterable[int], signs: Mapping[str, Any] = NO_SIGNS) -> None:
    """These attempts are alive, and so far, by content hash."""
    ids = list(trial_ids)
    connection.execute(update(BEATS).where(BEATS.c.trial_id.in_(ids)).values(heartbeat=clock(connection)))
    if signs:
        _sign(connection, ids, signs)


def _sign(connection: Connection, trial_ids: list[int], signs: Mapping[str, Any]) -> None:
    hashes = select(ATTRS.c.trial_id, ATTRS.c.value_json)
    rows = connection.execute(hashes.where(ATTRS.c.key == attempts.HASH, ATTRS.c.trial_id.in_(trial_ids)))
    told = {trial_id: signs[name] for trial_id, text in rows if (name := json.loads(text)) in signs}
    if told:
        own = and_(SYSTEM_ATTRS.c.key == SIGN, SYSTEM_ATTRS.c.trial_id.in_(list(told)))
        connection.execute(delete(SYSTEM_ATTRS).where(own))
        rows_of = [{"trial_id": i, "key": SIGN, "value_json": json.dumps(sign)} for i, sign in told.items()]
        connection.execute(insert(SYSTEM_ATTRS), rows_of)


def leases(connection: Connection, study_id: int) -> list[Lease]:
    """Of all attempts that run."""
    owned = and_(SYSTEM_ATTRS.c.trial_id == TRIALS.c.trial_id, SYSTEM_ATTRS.c.key == OWNER)
    rows = (
        select(TRIALS.c.trial_id, SYSTEM_ATTRS.c.value_json, BEATS.c.heartbeat, clock(connection))
        .outerjoin(BEATS, BEATS.c.trial_id == TRIALS.c.trial_id)
        .outerjoin(SYSTEM_ATTRS, owned)
        .where(TRIALS.c.study_id == study_id, TRIALS.c.state == TrialState.RUNNING)
    )
    return [
        Lease(trial_id, owner and json.loads(owner), (now - heard).total_seconds() if heard else math.inf)
        for trial_id, owner, heard, now in connection.execute(rows)
    ]


def owner_of(connection: Connection, trial_id: int) -> str | None:
    """Who has an attempt; None if nobody claimed it."""
    where = (SYSTEM_ATTRS.c.trial_id == trial_id, SYSTEM_ATTRS.c.key == OWNER)
    found = connection.execute(select(SYSTEM_ATTRS.c.value_json).where(*where)).scalar()
    return json.loads(found) if found else None
