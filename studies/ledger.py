"""The only truth about a study: an Optuna storage with one trial per (cell, seed) and attempt.

SQLite under several writers runs queued trials twice (Optuna's own ``ask`` included), so one process
writes: the runner, which holds the lock. Factors are user attributes, not categorical parameters, because
a stored study refuses parameters whose choices have changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import text

from studies.design import Cell, Plan, Trial

INTERRUPTED = "interrupted"
STATES = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.FAIL: "failed",
}
# Straight from the tables: Optuna's own reading builds many objects, 0.4 ms a trial, and keeps them all
ATTEMPTS = text(
    "SELECT t.trial_id, t.state, a.key, a.value_json FROM trials t "
    "JOIN trial_user_attributes a ON a.trial_id = t.trial_id "
    "WHERE t.study_id = :study AND a.key IN ('hash', 'cell_hash', 'seed', 'attempt', 'record', 'reason') "
    "ORDER BY t.trial_id"
)


class LedgerError(RuntimeError):
    """The storage cannot be opened, written or locked; the message says what to do."""


@dataclass(frozen=True)
class Entry:
    """The newest attempt at one trial."""

    trial_id: int
    content_hash: str
    cell_hash: str
    seed: int
    state: str
    attempt: int
    record: dict[str, Any]
    reason: str | None


class Ledger:
    """Every trial of one study: waiting, running, complete or failed(reason).

    Args:
        folder: where ``study.db`` lies.
        create: make it if it does not exist.

    Raises:
        LedgerError: there is none, or the folder cannot be written.
    """

    def __init__(self, folder: Path, create: bool = False) -> None:
        self.folder = folder
        self.path = folder / "study.db"
        if not create and not self.path.exists():
            raise LedgerError(f"no study in {folder}: start one with `vit-ablate run`")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._storage = RDBStorage(f"sqlite:///{self.path}", engine_kwargs={"connect_args": {"timeout": 60}})
            self._study_id = self._open(folder.name)
        except Exception as error:
            cause = str(error.__cause__ or error).splitlines()[0]
            raise LedgerError(
                f"cannot open {self.path}: {cause}; name a folder you can write with --results"
            ) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the right to write; released by the system if the process dies.

        Raises:
            LedgerError: another run holds it.
        """
        lock = FileLock(self.folder / "study.lock")
        try:
            with lock.acquire(timeout=0):
                yield
        except Timeout:
            raise LedgerError(
                f"another run is working on {self.folder.name}; watch it with "
                f"`vit-ablate status {self.folder.name}` or stop it with Ctrl-C there"
            ) from None

    @property
    def plan(self) -> Plan:
        """The declaration that was last run.

        Raises:
            LedgerError: nothing was run yet.
        """
        content = self._study_attrs().get("plan")
        if content is None:
            raise LedgerError(f"nothing was run in {self.folder} yet: start with `vit-ablate run`")
        return Plan.from_json(content)

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self._set_study("plan", plan.to_json())

    def weights_file(self, cell: Cell) -> Path:
        """Where the trained weights of a cell's first seed are kept."""
        return self.folder / "weights" / f"{cell.name.replace('/', '_')}.safetensors"

    @property
    def measurement(self) -> dict[str, Any]:
        """Speed, memory and FLOPs by cell hash, and how they were measured; empty if not yet."""
        return dict(self._study_attrs().get("measurement", {}))

    @measurement.setter
    def measurement(self, content: dict[str, Any]) -> None:
        self._set_study("measurement", content)

    def note(self, key: str, content: Any) -> None:
        """Keep something about the study as a whole."""
        self._set_study(key, content)

    def notes(self, key: str) -> Any:
        """What ``note`` kept, or None."""
        return self._study_attrs().get(key)

    def entries(self) -> dict[str, Entry]:
        """By content hash, in the order they were first enqueued."""
        found: dict[str, Entry] = {}
        for entry in self._attempts():
            if entry.content_hash not in found or found[entry.content_hash].attempt <= entry.attempt:
                found[entry.content_hash] = entry
        return found

    def recover(self) -> int:
        """Queue again what a dead run left running; call it under the lock. Returns how many."""
        stale = [entry for entry in self.entries().values() if entry.state == "running"]
        for entry in stale:
            self.interrupt(entry)
        return len(stale)

    def enqueue(self, trial: Trial, attempt: int = 1) -> Entry:
        """Add one waiting trial."""
        attrs = {
            "hash": trial.content_hash,
            "cell_hash": trial.cell.content_hash,
            "cell": trial.cell.name,
            "seed": trial.seed,
            "attempt": attempt,
            **{f"level:{name}": level for name, level in trial.cell.levels.items()},
        }
        return self._add(attrs)

    def claim(self, entry: Entry) -> bool:
        """Waiting to running; False if somebody else was first."""
        return self._storage.set_trial_state_values(entry.trial_id, TrialState.RUNNING)

    def complete(self, entry: Entry, record: dict[str, Any]) -> None:
        """Store the record, then the state: a crash between the two repeats the trial, never loses it."""
        self._storage.set_trial_user_attr(entry.trial_id, "record", record)
        self._storage.set_trial_state_values(entry.trial_id, TrialState.COMPLETE, values=[record["val_accuracy"]])

    def fail(self, entry: Entry, reason: str, record: dict[str, Any] | None = None) -> None:
        """Store why it failed; it is not run again unless asked."""
        self._storage.set_trial_user_attr(entry.trial_id, "record", record or {})
        self._storage.set_trial_user_attr(entry.trial_id, "reason", reason)
        self._storage.set_trial_state_values(entry.trial_id, TrialState.FAIL)

    def interrupt(self, entry: Entry) -> Entry:
        """Close a running attempt and queue the next one."""
        self.fail(entry, INTERRUPTED)
        return self.retry(entry)

    def retry(self, entry: Entry) -> Entry:
        """Queue another attempt at a failed trial."""
        attrs = self._storage.get_trial(entry.trial_id).user_attrs
        kept = {name: value for name, value in attrs.items() if name not in ("record", "reason")}
        return self._add({**kept, "attempt": entry.attempt + 1})

    def _open(self, name: str) -> int:
        """The id of the one study of this storage, whatever its folder is called by now."""
        studies = self._storage.get_all_studies()
        if not studies:
            optuna.create_study(study_name=name, storage=self._storage, direction="maximize", load_if_exists=True)
            studies = self._storage.get_all_studies()
        return studies[0]._study_id

    def _add(self, attrs: dict[str, Any]) -> Entry:
        template = optuna.trial.create_trial(state=TrialState.WAITING, user_attrs=attrs)
        trial_id = self._storage.create_new_trial(self._study_id, template_trial=template)
        return _entry(trial_id, TrialState.WAITING, attrs)

    def _attempts(self) -> Iterator[Entry]:
        """All attempts in the order they were enqueued."""
        with self._storage.engine.connect() as connection:
            rows = connection.execute(ATTEMPTS, {"study": self._study_id})
            for trial_id, group in groupby(rows, key=itemgetter(0)):
                _, states, keys, values = zip(*group, strict=True)
                attrs = dict(zip(keys, json.loads(f"[{','.join(values)}]"), strict=True))
                yield _entry(trial_id, TrialState[states[0]], attrs)

    def _study_attrs(self) -> dict[str, Any]:
        return self._storage.get_study_user_attrs(self._study_id)

    def _set_study(self, key: str, content: Any) -> None:
        self._storage.set_study_user_attr(self._study_id, key, content)


def _entry(trial_id: int, state: TrialState, attrs: dict[str, Any]) -> Entry:
    return Entry(
        trial_id,
        attrs["hash"],
        attrs["cell_hash"],
        attrs["seed"],
        STATES[state],
        attrs["attempt"],
        attrs.get("record", {}),
        attrs.get("reason"),
    )
