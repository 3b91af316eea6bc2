"""A task whose worker writes what it trained to the ledger itself, whoever asked for it still being there or not.

The worker takes the lease of its attempts over: its own heart beats for them, so that they are safe from the death of
the driver that claimed them. Failures are left to the driver, which may want to try again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from platform import node
from typing import Any

from bench.files import MachineError
from studies.ledger.drivers import RETRIES
from studies.ledger.entries import Entry, LedgerError
from studies.ledger.heart import Heart
from studies.ledger.ledger import Ledger
from studies.running.executor import GivenUpError
from studies.training.signs import HERE
from studies.trial.record import Outcome

TAKEN = "another worker has this trial"


@dataclass(frozen=True)
class Committing:
    """``run`` for these attempts, whose outcomes it returns: one without a reason is written.

    Raises:
        MachineError: the worker cannot reach the storage.
        GivenUpError: too many workers that had these attempts died, or were told to stop.

    Args:
        storage: of the ledger; without a password, which every worker finds where it runs.
        study: its name.
        attempts: claimed by whoever sends this.
        run: returns an ``Outcome``, or one an attempt.
        retries: how many workers that die these attempts may cost.
    """

    storage: str
    study: str
    attempts: Sequence[Entry]
    run: Callable[..., Outcome | list[Outcome]]
    retries: int = RETRIES

    def __call__(self, *args: Any) -> Outcome | list[Outcome]:
        """In the worker."""
        try:
            ledger = _ledger(self.storage, self.study)
        except LedgerError as error:
            raise MachineError(errno.EIO, f"a worker on {node()}: {error}") from None
        taken = [ledger.take_over(attempt) for attempt in self.attempts]
        if not any(taken):  # declared dead before it began
            outcomes = [Outcome({}, TAKEN) for _ in self.attempts]
            return outcomes if len(outcomes) > 1 else outcomes[0]
        died = max(ledger.deaths(attempt) for attempt, ours in zip(self.attempts, taken, strict=True) if ours)
        if died > self.retries:
            ledger.let_go(self.attempts)
            raise GivenUpError(f"{died} workers were lost with it")
        with Heart(ledger, self.attempts):
            found = self.run(*args)
            outcomes = found if isinstance(found, list) else [found]
            kept = [self._kept(ledger, *both) for both in zip(self.attempts, outcomes, strict=True)]
        return kept if isinstance(found, list) else kept[0]

    def _kept(self, ledger: Ledger, attempt: Entry, outcome: Outcome) -> Outcome:
        if outcome.reason is None and not ledger.complete(attempt, outcome.record):
            return Outcome({}, TAKEN)
        return outcome


@dataclass(frozen=True)
class Reach:
    """Asked in a worker before it is given a trial: why it cannot reach the storage; None where it can."""

    storage: str
    study: str

    def __call__(self) -> str | None:
        """In the worker, whose trials find the connection made."""
        try:
            _ledger(self.storage, self.study)
        except LedgerError as error:
            return str(error)
        return None


@cache
def _ledger(storage: str, study: str) -> Ledger:
    """One a process: connections are kept."""
    ledger = Ledger(storage, study)
    ledger.signs = HERE.copy
    return ledger
