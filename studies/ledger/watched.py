"""What a watcher reads of a study: attempts, who holds them, searches. Read only, and without Optuna."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnClause, Connection, DateTime, column, text

from studies.ledger.entries import INTERRUPTED, STATES, failure_of
from studies.ledger.folder import ResultsFolder
from studies.ledger.tally import Tally, looking

BEGAN, ENDED, HEARD = (column(f"datetime_{name}", DateTime) for name in ("start", "complete", "heard"))
ATTEMPTS = """
SELECT t.trial_id, t.state, t.datetime_start, t.datetime_complete, h.value_json, n.value_json, c.value_json,
  s.value_json, r.value_json, f.value_json
FROM trials t
JOIN trial_user_attributes h ON h.trial_id = t.trial_id AND h.key = 'hash'
JOIN trial_user_attributes n ON n.trial_id = t.trial_id AND n.key = 'attempt'
LEFT JOIN trial_user_attributes c ON c.trial_id = t.trial_id AND c.key = 'cell'
LEFT JOIN trial_user_attributes s ON s.trial_id = t.trial_id AND s.key = 'seed'
LEFT JOIN trial_user_attributes r ON r.trial_id = t.trial_id AND r.key = 'reason'
LEFT JOIN trial_user_attributes f ON f.trial_id = t.trial_id AND f.key = 'failure'
{where}ORDER BY t.trial_id
"""
OF_STUDY = "WHERE t.study_id = (SELECT study_id FROM studies WHERE study_name = :study) "
LEASES = text("""
SELECT t.trial_id, b.heartbeat AS datetime_heard, o.value_json, g.value_json
FROM trials t
LEFT JOIN trial_heartbeats b ON b.trial_id = t.trial_id
LEFT JOIN trial_system_attributes o ON o.trial_id = t.trial_id AND o.key = 'vit-ablate:owner'
LEFT JOIN trial_system_attributes g ON g.trial_id = t.trial_id AND g.key = 'vit-ablate:sign'
WHERE t.state = 'RUNNING'
""")
SEARCHES = text("""
SELECT a.study_id, a.value_json, t.trial_id, t.state, t.datetime_start, t.datetime_complete, r.value_json, p.value_json
FROM study_user_attributes a
LEFT JOIN trials t ON t.study_id = a.study_id
LEFT JOIN trial_user_attributes r ON r.trial_id = t.trial_id AND r.key = 'reason'
LEFT JOIN trial_user_attributes p ON p.trial_id = t.trial_id AND p.key = 'place'
WHERE a.key = 'vit-ablate search' ORDER BY a.study_id, t.trial_id
""")
NOW = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f000', 'now')", "postgresql": "timezone('utc', clock_timestamp())"}
"""The clock of the storage, in UTC."""
FOUND = {**STATES, "PRUNED": "pruned"}
"""What the storage calls the state of a trial of a search -> what we do."""
FRONT = "front"


@dataclass(frozen=True)
class Attempt:
    """One attempt at a trial; times are UTC without a zone, as the storage has them."""

    trial_id: int
    content_hash: str
    number: int
    state: str
    arm: str
    seed: int | None
    began: datetime | None
    ended: datetime | None
    reason: str | None
    failure: str | None


@dataclass(frozen=True)
class Held:
    """Who runs a trial (``NAME@HOST``), when it was last heard of, and how far it was then."""

    owner: str | None
    heard: datetime | None
    sign: dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A trial of a search, in this ``place`` of its budget; one that was interrupted took none."""

    trial_id: int
    state: str
    place: int
    began: datetime | None
    ended: datetime | None
    interrupted: bool


@dataclass(frozen=True)
class Searched:
    """A search: the arm that is tuned, or ``front``; no budget where an older version did not note it."""

    arm: str
    budget: int | None
    trials: list[Asked] = field(default_factory=list)

    @property
    def over(self) -> list[Asked]:
        """Those that took their place; what a limit kept from training takes none."""
        ends = ("complete", "failed") if self.arm == FRONT else ("complete", "failed", "pruned")
        return [trial for trial in self.trials if trial.state in ends and not trial.interrupted]

    @property
    def left(self) -> int:
        """So many places."""
        return max(0, (self.budget or 0) - len(self.over))


@dataclass(frozen=True)
class Seen:
    """One look at a study; ``now`` is the clock of its storage."""

    now: datetime
    attempts: list[Attempt]
    held: dict[int, Held]
    searches: list[Searched]

    @property
    def newest(self) -> list[Attempt]:
        """The last attempt at every trial."""
        found: dict[str, Attempt] = {}
        for one in self.attempts:
            if one.content_hash not in found or found[one.content_hash].number <= one.number:
                found[one.content_hash] = one
        return list(found.values())

    @property
    def tally(self) -> Tally:
        """Counts of trials, without those of searches."""
        newest = self.newest
        reasons = {one.reason for one in newest if one.state == "failed" and one.reason}
        return Tally(Counter(one.state for one in newest), sorted(reasons))

    @property
    def over(self) -> bool:
        """Whether nothing waits or runs, and something did."""
        open_ = any(one.state in ("waiting", "running") for one in self.newest)
        searching = any(search.left or any(t.state == "running" for t in search.trials) for search in self.searches)
        return bool(self.attempts) and not open_ and not searching


def look(folder: ResultsFolder) -> Seen:
    """What stands in the storage of a study.

    Raises:
        LedgerError, TallyError: it cannot be read; the message says why.
    """
    with looking(folder) as connection:
        (now,) = connection.execute(
            text(f"SELECT {NOW[connection.dialect.name]} AS datetime_start").columns(BEGAN)
        ).one()
        return Seen(now, _attempts(connection, folder), _held(connection), _searches(connection, folder))


def _attempts(connection: Connection, folder: ResultsFolder) -> list[Attempt]:
    """An embedded storage holds one study, whatever its folder is called by now."""
    query = text(ATTEMPTS.format(where=OF_STUDY if folder.server else ""))
    named = [
        *_columns("trial_id", "state"),
        BEGAN,
        ENDED,
        *_columns("hash", "number", "arm", "seed", "reason", "failure"),
    ]
    rows = connection.execute(query.columns(*named), {"study": folder.name} if folder.server else {})
    return [_attempt(*row) for row in rows]


def _attempt(trial_id: int, state: str, began: Any, ended: Any, *attrs: str | None) -> Attempt:
    values: list[Any] = [None if value is None else json.loads(value) for value in attrs]
    name, number, arm, seed, reason, failure = values
    kind = failure or failure_of(reason)
    return Attempt(trial_id, name, number, STATES[state], arm or "?", seed, began, ended, reason, kind)


def _held(connection: Connection) -> dict[int, Held]:
    rows = connection.execute(LEASES.columns(*_columns("trial_id"), HEARD, *_columns("owner", "sign")))
    return {i: Held(json.loads(owner or "null"), heard, json.loads(sign or "{}")) for i, heard, owner, sign in rows}


def _searches(connection: Connection, folder: ResultsFolder) -> list[Searched]:
    named = [*_columns("study_id", "about", "trial_id", "state"), BEGAN, ENDED, *_columns("reason", "place")]
    found: dict[int, Searched] = {}
    for study_id, about, *trial in connection.execute(SEARCHES.columns(*named)):
        facts = json.loads(about)
        if folder.server and facts["ledger"] != folder.name:
            continue
        search = found.setdefault(study_id, Searched(facts["arm"], facts.get("trials")))
        if trial[0] is not None:
            search.trials.append(_asked(*trial))
    return list(found.values())


def _asked(trial_id: int, state: str, began: Any, ended: Any, reason: str | None, place: str | None) -> Asked:
    interrupted = reason is not None and json.loads(reason) == INTERRUPTED
    return Asked(trial_id, FOUND[state], json.loads(place or "-1"), began, ended, interrupted)


def _columns(*names: str) -> list[ColumnClause[Any]]:
    return [column(name) for name in names]
