"""Signs of life of attempts that a worker runs, whatever became of the driver that sent them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from studies.ledger.drivers import BEAT_SECONDS
from studies.ledger.entries import Entry
from studies.ledger.ledger import Ledger


class Heart:
    """Beats in a thread while it is entered; torch lets other threads run while it computes."""

    def __init__(self, ledger: Ledger, attempts: Sequence[Entry]) -> None:
        self.ledger, self.attempts = ledger, attempts
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._live, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self.thread.join(timeout=BEAT_SECONDS)
        self.ledger.let_go(self.attempts)

    def _live(self) -> None:
        while not self.stopped.wait(BEAT_SECONDS):
            try:
                self.ledger.beat()
            except (SQLAlchemyError, OSError):  # the storage is away: what is written next waits for it
                continue
