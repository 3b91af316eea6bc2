"""What a driver does while its storage is away: it waits, longer and longer, says so, and goes on or gives up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from studies.ledger.entries import LedgerError
from studies.ledger.transactions import is_away

FIRST_SECONDS, LONGEST_SECONDS = 0.5, 15.0
"""Between two tries."""


class StorageGone(LedgerError):
    """The storage did not come back. What is written is safe; the same command goes on when it is there again."""


@dataclass
class Patience:
    """How long to wait for a storage.

    Args:
        seconds: in all, before ``StorageGone`` is raised.
        told: called before every wait with the seconds that it lasts and what the storage said.
        given_up: asked a few times a second; True ends the waiting at once.
    """

    seconds: float = 600.0
    told: Callable[[float, str], None] = lambda seconds, why: None
    given_up: Callable[[], bool] = lambda: False

    def tries(self) -> Iterator[Callable[[DBAPIError], None]]:
        """One item a try: what waits after an error before the next one, or raises it if waiting does not help."""
        began, pause = time.monotonic(), FIRST_SECONDS

        def wait(error: DBAPIError) -> None:
            nonlocal pause
            if not is_away(error):
                raise error
            why = str(error.orig).strip().splitlines()[0]
            if time.monotonic() + pause - began > self.seconds or self.given_up():
                raise StorageGone(f"the storage is gone ({why}); the same command goes on when it is back") from error
            self.told(pause, why)
            until = time.monotonic() + pause
            while time.monotonic() < until and not self.given_up():
                time.sleep(min(0.2, pause))
            pause = min(2 * pause, LONGEST_SECONDS)

        while True:
            yield wait
