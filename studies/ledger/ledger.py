"""The only truth about a study: an Optuna storage with one trial per (cell, seed) and attempt.

Plain Optuna opens it: a trial has its factors, recipe and seed as parameters, its validation accuracy as value, its
curve as intermediate values. Any number of drivers may work on one study; ``leases`` says why none disturbs another.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from platform import node
from typing import Any, TypeVar

from optuna.storages import BaseStorage
from optuna.trial import TrialState
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from studies.design.plan import Plan, Trial
from studies.ledger import attempts, ending, notes
from studies.ledger.entries import PREEMPTED, Entry, LedgerError, entry_of, failure_of, newest
from studies.ledger.exclusion import sole
from studies.ledger.leases import WORKER, Lease, beat, leases, take
from studies.ledger.opening import study_in
from studies.ledger.patience import Patience
from studies.ledger.space import params_of, values_of, values_of_plan
from studies.ledger.space_rows import grow_space
from studies.ledger.storages import can_write, open_storage
from studies.ledger.transactions import TRIALS, alone, reading, writing
from studies.ledger.urls import file_of

T = TypeVar("T")
BATCH = 500  # of trials that are asked for in one statement
MEASURED = "measurement:"  # and the hash of a cell: one row each, so that no writer overwrites another's
MEASURED_AT_ONCE = "measurement"  # of all cells in one row, in studies of format 1
OPEN = TRIALS.c.state.in_((TrialState.WAITING, TrialState.RUNNING))


class Ledger:
    """Every trial of one study: waiting, running, complete or failed(reason).

    Args:
        storage: its URL, as SQLAlchemy writes them.
        name: what people call the study. An embedded storage holds one study, whatever its folder is called
            by now; a server holds many.
        create: make the study if it does not exist.

    Raises:
        LedgerError: there is none, or the storage cannot be opened, or not be written though ``create`` wants it.
            From every method, ``StorageGone``: a server did not come back.
    """

    def __init__(self, storage: URL | str, name: str, create: bool = False) -> None:
        self.url, self.name = make_url(storage), name
        self.owner = f"{uuid.uuid4().hex}@{node()}"
        """Who writes here: made anew for every handle, so that nobody is taken for somebody who died."""
        self.held: frozenset[int] = frozenset()
        self.patience = Patience()
        self.signs: Callable[[], Mapping[str, Any]] = dict  # how far what is held is, by hash: asked with every beat
        self._storage = open_storage(self.url, create)
        self._engine = self._storage.engine
        self.study_id = study_in(self._storage, self.url, name, create)

    @property
    def plan(self) -> Plan:
        """The declaration that was last run.

        Raises:
            LedgerError: nothing was run yet.
        """
        content = self.notes("plan")
        if content is None:
            raise LedgerError(f"nothing was run in {self.name} yet: start with `vit-ablate run`")
        return Plan.from_json(content)

    @plan.setter
    def plan(self, plan: Plan) -> None:
        def work(connection: Connection) -> None:
            grow_space(connection, self.study_id, *values_of_plan(plan))
            attempts.describe_older(connection, self.study_id, plan)
            notes.write(connection, self.study_id, {"plan": plan.to_json()})

        self.do(work, alone)

    @property
    def measurement(self) -> dict[str, Any]:
        """Speed, memory and FLOPs by cell hash, and how they were measured; empty if not yet."""
        found = self.do(lambda connection: notes.read(connection, self.study_id, MEASURED_AT_ONCE), reading)
        at_once = found.pop(MEASURED_AT_ONCE, None) or {}
        return at_once | {key.removeprefix(MEASURED): facts for key, facts in found.items() if facts}

    def add_measurement(self, found: Mapping[str, Any]) -> None:
        """Keep what was measured, by cell hash; that of other cells stays."""
        self._keep({MEASURED + cell_hash: facts for cell_hash, facts in found.items()})

    def forget_measurement(self) -> None:
        """As if nothing had been measured."""
        self._keep({MEASURED_AT_ONCE: None, **{MEASURED + cell_hash: None for cell_hash in self.measurement}})

    @property
    def storage(self) -> BaseStorage:
        """Where searches of this study keep Optuna studies of their own."""
        return self._storage

    @property
    def writable(self) -> bool:
        """Whether anything can be kept here; False where an embedded storage may only be read."""
        file = file_of(self.url)
        return file is None or can_write(file)

    def note(self, key: str, content: Any) -> None:
        """Keep something about the study as a whole."""
        self._keep({key: content})

    def notes(self, key: str) -> Any:
        """What ``note`` kept, or None."""
        return self.do(lambda connection: notes.read(connection, self.study_id, key), reading).get(key)

    def history(self) -> list[Entry]:
        """Every attempt, in the order in which they were enqueued."""
        return self.do(lambda connection: list(self._attempts(connection)), reading)

    def entries(self) -> dict[str, Entry]:
        """By content hash, in the order they were first enqueued."""
        return newest(self.history())

    def enqueue(self, trial: Trial) -> Entry:
        """As ``enqueue_all`` for one."""
        return self.enqueue_all([trial])[0]

    def enqueue_all(self, trials: Iterable[Trial]) -> list[Entry]:
        """Trials that wait to be run, once each: what the storage knows already is returned as it is there."""
        wanted = list(trials)
        return self.do(lambda connection: self.enqueued(connection, wanted), alone) if wanted else []

    def claim(self, entry: Entry) -> bool:
        """Waiting to running, and ours until it ends or nothing is heard of us; False if somebody else was first."""
        claimed = self.do(lambda connection: take(connection, entry.trial_id, self.owner), writing)
        self.held |= {entry.trial_id} if claimed else set()
        return claimed

    def take_over(self, entry: Entry) -> bool:
        """A running attempt that a driver claimed is ours, as a worker's, from now on; False if it runs no more."""
        taken = self.do(lambda connection: ending.taken_over(connection, entry, WORKER + self.owner), alone)
        self.held |= {entry.trial_id} if taken else set()
        return taken

    def deaths(self, entry: Entry) -> int:
        """Of workers, with which a trial is charged by now."""
        return self.do(lambda connection: ending.deaths(connection, entry), reading)

    def let_go(self, entries: Iterable[Entry]) -> None:
        """Beat for these no more: they are over, or in other hands."""
        self.held -= {entry.trial_id for entry in entries}

    def complete(self, entry: Entry, record: dict[str, Any]) -> bool:
        """Keep the record, all of it at once; False, and nothing is kept, if this attempt runs no more."""
        return self._end(entry, TrialState.COMPLETE, {"record": record})

    def fail(self, entry: Entry, reason: str, record: dict[str, Any] | None = None, trace: str | None = None) -> bool:
        """Keep why it failed; it is not run again unless asked. False if this attempt runs no more."""
        attrs = {"record": record or {}, "reason": reason, "failure": failure_of(reason)}
        return self._end(entry, TrialState.FAIL, attrs | ({attempts.TRACE: trace} if trace else {}))

    def traces(self) -> dict[tuple[str, int], str]:
        """Tracebacks of failed attempts, by the trial's hash and the number of the attempt."""
        return self.do(lambda connection: attempts.traces(connection, self.study_id), reading)

    def interrupt(self, entry: Entry, failure: str = PREEMPTED, charged: int | None = None) -> Entry:
        """Close a running attempt, if it still runs, and queue the next one; see ``ending.interrupt``."""
        work = partial(ending.interrupt, study_id=self.study_id, entry=entry, failure=failure, charged=charged)
        again = self.do(work, alone)
        self.held -= {entry.trial_id}
        return again

    def retry(self, entry: Entry) -> Entry:
        """Queue another attempt at a failed trial, or find the one that somebody else has queued."""
        return self.do(partial(ending.again, study_id=self.study_id, entry=entry, charged=0), alone)

    def beat(self) -> None:
        """Say that all that is held here is alive; not patient: the next time will do."""
        with writing(self._engine, self.study_id) as connection:
            beat(connection, self.held, self.signs())

    def leases(self) -> list[Lease]:
        """Of all attempts that run."""
        return self.do(lambda connection: leases(connection, self.study_id), reading)

    def reap(self, is_dead: Callable[[Lease], bool], retries: int) -> list[Entry]:
        """Queue again what others left running when they died, of workers so many times; see ``ending.reaped``."""

        def dead(connection: Connection) -> list[Lease]:
            found = leases(connection, self.study_id)
            return [lease for lease in found if lease.trial_id not in self.held and is_dead(lease)]

        def work(connection: Connection) -> list[Entry]:
            stale = sorted(dead(connection), key=lambda lease: lease.trial_id)
            return [e for lease in stale if (e := ending.reaped(connection, self.study_id, lease, retries))]

        return self.do(work, alone) if self.do(dead, reading) else []

    def sole(self, what: str) -> AbstractContextManager[None]:
        """The right to do something that one at a time may do; see ``exclusion.sole``."""
        return sole(self._engine, file_of(self.url), self.study_id, what)

    def do(
        self,
        work: Callable[[Connection], T],
        how: Callable[[Engine, int], AbstractContextManager[Connection]],
    ) -> T:
        """Read or write, again and again while a server is away; so the work must bear to be done twice."""
        for failed in self.patience.tries():
            try:
                with how(self._engine, self.study_id) as connection:
                    return work(connection)
            except DBAPIError as error:
                failed(error)
        raise AssertionError("tries never end")

    def _keep(self, contents: Mapping[str, Any]) -> None:
        self.do(lambda connection: notes.write(connection, self.study_id, contents), alone)

    def enqueued(self, connection: Connection, wanted: list[Trial]) -> list[Entry]:
        """As ``enqueue_all``, as a part of more that is written together."""
        known: dict[str, Entry] = {}
        for begin in range(0, len(wanted), BATCH):
            hashes = [trial.content_hash for trial in wanted[begin : begin + BATCH]]
            ids = attempts.with_hashes(self.study_id, hashes)
            known |= newest(self._attempts(connection, TRIALS.c.trial_id.in_(ids)))
        unknown = {trial.content_hash: trial for trial in wanted if trial.content_hash not in known}
        grow_space(connection, self.study_id, *values_of(unknown.values()))
        new = [attempts.New(attempts.attrs_of(trial), params_of(trial)) for trial in unknown.values()]
        made = zip(new, attempts.add(connection, self.study_id, new), strict=True)
        known |= {one.attrs["hash"]: entry_of(i, TrialState.WAITING.name, one.attrs) for one, i in made}
        return [known[trial.content_hash] for trial in wanted]

    def _end(self, entry: Entry, state: TrialState, attrs: dict[str, Any]) -> bool:
        kept = self.do(lambda connection: attempts.end(connection, entry.trial_id, state, attrs), writing)
        self.held -= {entry.trial_id}
        return kept

    def _attempts(self, connection: Connection, *which: Any) -> Iterator[Entry]:
        return attempts.read(connection, TRIALS.c.study_id == self.study_id, *which)
