"""The life of a driver: a process that runs trials of a study, whose heart beats whatever its main thread does.

A driver holds a lock in its results folder for as long as it lives. Whoever finds the lock free knows at once that it
died; of a driver elsewhere only silence tells. Nobody is declared dead by one who was away itself: after a server's
restart every driver seems silent.
"""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from studies.ledger.entries import Entry
from studies.ledger.leases import Lease
from studies.ledger.ledger import Ledger

BEAT_SECONDS = 5.0
GRACE_SECONDS = 60.0
"""Silence after which a driver is taken for dead."""
RETRIES = 2
"""How often a trial runs again by itself whose workers die."""
LOCK_SECONDS = 10.0
"""For a lock that somebody else tries for a moment, to see whether its owner lives."""


class Driver:
    """This process, while it runs trials.

    Args:
        ledger: whose attempts it claims.
        home: the results folder; its lock lies in ``home/.drivers``.
        beat_seconds: between two signs of life.
        grace_seconds: of silence, then others are taken for dead.
    """

    def __init__(
        self, ledger: Ledger, home: Path, beat_seconds: float = BEAT_SECONDS, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self.ledger, self.folder = ledger, home / ".drivers"
        self.beat_seconds, self.grace_seconds = beat_seconds, grace_seconds
        self._lock = FileLock(self._file(ledger.owner))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._live, name="heartbeat", daemon=True)
        self._heard, self._quiet_until = time.time(), -math.inf

    def __enter__(self) -> Driver:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire(timeout=LOCK_SECONDS)
        self._thread.start()
        self._sweep()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(timeout=self.beat_seconds)
        self._lock.release()
        self._file(self.ledger.owner).unlink(missing_ok=True)

    def reap(self, retries: int = RETRIES) -> list[Entry]:
        """Queue again what dead drivers left running, and dead workers, so many times."""
        found = self.ledger.reap(self._is_dead, retries)
        if found:
            self._sweep()
        return found

    def _is_dead(self, lease: Lease) -> bool:
        if lease.owner is None:  # of a version that lets no other work beside it
            return True
        if self._has_died(lease.owner):
            return True
        away = time.time() - self._heard > self.grace_seconds / 2  # stopped, asleep, or without a storage
        return lease.silence > self.grace_seconds and not away and time.monotonic() > self._quiet_until

    def _has_died(self, owner: str) -> bool:
        """Whether it held a lock in this folder, on this machine, and does so no more."""
        if owner.partition("@")[2] != self.ledger.owner.partition("@")[2] or not self._file(owner).exists():
            return False
        try:
            with FileLock(self._file(owner), timeout=0):
                return True
        except Timeout:
            return False

    def _sweep(self) -> None:
        """Remove the locks of the dead who left nothing running."""
        owners = {lease.owner for lease in self.ledger.leases()}
        for file in self.folder.glob("*.lock"):
            if file.stem not in owners and file != self._file(self.ledger.owner) and self._has_died(file.stem):
                file.unlink(missing_ok=True)

    def _file(self, owner: str) -> Path:
        return self.folder / f"{owner}.lock"

    def _live(self) -> None:
        while not self._stopped.wait(self.beat_seconds):
            try:
                self.ledger.beat()
            except (SQLAlchemyError, OSError):  # whoever writes results says so, and waits
                continue
            if time.time() - self._heard > self.grace_seconds / 2:
                self._quiet_until = time.monotonic() + self.grace_seconds
            self._heard = time.time()  # not monotonic, which stands still while a machine sleeps
