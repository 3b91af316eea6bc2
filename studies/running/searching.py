"""What becomes of a trial of a search: its outcome, once more, or the end of the run; and how long the rest takes."""

from __future__ import annotations

import time
from concurrent.futures import Future

from studies.running.executor import TrialExecutor
from studies.trial.record import Outcome
from studies.trial.trial import failed

MAX_ATTEMPTS = 3
"""Workers that a trial of a search may cost."""


def outcome_of(future: Future[Outcome], executor: TrialExecutor, attempt: int) -> Outcome | None:
    """Of a future that is done; None if its trial is to run again, because its worker is gone or out of sight.

    Raises:
        MachineError: a disk is full, say, which is no fault of the trial.
    """
    try:
        return future.result()
    except executor.sight_lost:
        return None
    except executor.worker_died:
        if attempt < MAX_ATTEMPTS:
            return None
        return Outcome({}, f"worker was killed {attempt} times (out of memory?)")
    except Exception as error:  # a result that cannot be sent back, say
        return failed(error)


class Pace:
    """How fast the trials of a search come to their end in this process."""

    def __init__(self) -> None:
        self.began, self.over = time.monotonic(), 0

    def seconds_left(self, left: int) -> float:
        """For so many trials, after one more is over."""
        self.over += 1
        return (time.monotonic() - self.began) / self.over * left
