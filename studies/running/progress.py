"""What is told while a study runs: every event, the counts, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from studies.design.plan import Plan, Trial
from studies.ledger.entries import Entry
from studies.ledger.found import Found
from studies.trial.record import Outcome


@dataclass(frozen=True)
class Tried:
    """A trial of a search that is over.

    Args:
        arm: that is tuned, or ``front``.
        place: of the budget, from 1.
        trials: the budget.
        found: as it was asked for.
        outcome: its record says if it was given up.
        seconds_left: until the search is over, by the pace so far.
    """

    arm: str
    place: int
    trials: int
    found: Found
    outcome: Outcome
    seconds_left: float

    @property
    def ended(self) -> Found:
        """As it is stored now."""
        record, reason = self.outcome.record, self.outcome.reason
        state = "failed" if reason else "pruned" if record.get("pruned") else "complete"
        return replace(self.found, state=state, record=record, reason=reason, trace=self.outcome.trace)


class Observer:
    """What a screen shows; every hook does nothing by default."""

    def measuring(self, num_cells: int, seconds: float) -> None:
        """Speed is about to be measured; takes about so many seconds."""

    def training(self, progress: Progress) -> None:
        """Trials are about to run."""

    def started(self, trial: Trial) -> None:
        """A worker took a trial."""

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        """A trial is complete or failed."""

    def kept(self, entry: Entry) -> None:
        """A trial is over, as the ledger has it now."""

    def searched(self, tried: Tried) -> None:
        """A trial of a search is over."""

    def requeued(self, trial: Trial, attempt: int) -> None:
        """Its worker was killed; the trial runs again."""

    def divided(self, trials: list[Trial], together: int, why: str) -> None:
        """A pack was killed or ran out of memory; its trials run again, at most so many together."""

    def taken(self, trial: Trial) -> None:
        """It took too long to be heard of, and another driver has taken the trial over."""

    def elsewhere(self, running: int) -> None:
        """Nothing is left to do here, but so many trials run in the hands of other drivers: their end is awaited."""

    def storage_away(self, seconds: float, why: str) -> None:
        """The storage cannot be reached; it is tried again after so many seconds."""

    def stopping(self, running: int) -> None:
        """Ctrl-C was pressed once; so many trials are still finishing."""

    def tick(self) -> None:
        """A few times a second."""


def several(*observers: Observer) -> Observer:
    """One that tells all of them, in this order."""
    told = Observer()
    for name in (name for name in vars(Observer) if not name.startswith("_")):
        setattr(told, name, partial(_tell, [getattr(observer, name) for observer in observers]))
    return told


def _tell(hooks: list[Any], *event: Any) -> None:
    for hook in hooks:
        hook(*event)


@dataclass
class Progress:
    """Counts of a study, and the time that is left."""

    plan: Plan
    complete: int = 0
    failed: int = 0
    waiting: int = 0
    workers: int = 1
    work: dict[str, float] = field(default_factory=dict)  # trial hash -> seconds expected, while not over
    begun: dict[str, tuple[float, int]] = field(default_factory=dict)  # -> when a worker took it, with how many
    expected: float = 0.0  # seconds, of the trials that are over
    taken: float = 0.0

    def begin(self, trial: Trial, together: int = 1) -> None:
        """A worker took it, as one of so many that share its time."""
        self.begun[trial.content_hash] = time.monotonic(), together

    def end(self, trial: Trial, over: bool) -> None:
        """It is over, or has to run again."""
        seconds = self._spent(trial.content_hash)
        del self.begun[trial.content_hash]
        if over:
            self.expected += self.work.pop(trial.content_hash, 0.0)
            self.taken += seconds

    def leave(self, names: Collection[str]) -> None:
        """All but these are over, elsewhere."""
        over = self.work.keys() - names
        for name in over:
            del self.work[name]
        self.waiting -= len(over)
        self.complete += len(over)

    @property
    def eta_seconds(self) -> float:
        """Time left: what the trials were expected to take, scaled by how long those took that are over."""
        pace = self.taken / self.expected if self.expected else 1.0
        begun = {name: self.work[name] for name in self.begun if name in self.work}
        left = sum(max(0.0, pace * work - self._spent(name)) for name, work in begun.items())
        left += pace * max(0.0, sum(self.work.values()) - sum(begun.values()))
        return left / max(1, min(self.workers, len(self.work)))

    def _spent(self, name: str) -> float:
        """Its share of a worker's seconds so far."""
        since, together = self.begun.get(name, (time.monotonic(), 1))
        return (time.monotonic() - since) / together
