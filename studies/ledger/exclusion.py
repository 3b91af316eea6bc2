"""What only one process at a time may do in a study, because it depends on what nobody else does meanwhile.

The system, or the server, gives the right back when its holder dies; nobody has to be declared dead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from studies.ledger.entries import LedgerError


class HeldError(LedgerError):
    """Another process does it; the message says what."""


@contextmanager
def sole(engine: Engine, file: Path | None, study_id: int, what: str) -> Iterator[None]:
    """Be the only one who does ``what``.

    Args:
        engine: of the storage.
        file: of an embedded storage.
        study_id: of the study.
        what: a word, such as ``tuning``.

    Raises:
        HeldError: another process does.
    """
    held = HeldError(f"another run is {what} in this study: watch it with `vit-ablate status`, or stop it there")
    if file is not None:
        lock = FileLock(file.with_name(f".{what}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise held from None
        with lock:
            lock.release()  # counted: the block holds it
            yield
        return
    number = int.from_bytes(hashlib.sha256(f"{study_id} {what}".encode()).digest()[:8], signed=True)
    with engine.connect() as connection:
        if not connection.execute(select(func.pg_try_advisory_lock(number))).scalar():
            raise held
        connection.commit()
        try:
            yield
        finally:
            with suppress(DBAPIError):  # the server may be gone
                connection.execute(select(func.pg_advisory_unlock(number)))
            connection.invalidate()  # closes it: then the lock is given back even if that failed
