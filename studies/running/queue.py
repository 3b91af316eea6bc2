"""What waits to be run, here or in the hands of others who work on the same study."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from studies.design.plan import Plan, Trial
from studies.ledger.entries import FAILURES, INTERRUPTED, Entry
from studies.ledger.ledger import Ledger
from studies.ledger.states import states, unfinished

ALL_FAILURES = frozenset(FAILURES)


@dataclass(frozen=True)
class Queued:
    """A trial, and its newest attempt in the ledger."""

    trial: Trial
    entry: Entry


@dataclass(frozen=True)
class Growth:
    """How a study goes on: a plan of more seeds, of which some arms take none."""

    plan: Plan
    resting: frozenset[str] = frozenset()


@dataclass
class Queue:
    """Trials of a plan: those that wait, and those that another driver runs.

    Args:
        wanted: every trial that is to be run, by content hash, in the order of the plan.
        waiting: may be taken.
        elsewhere: hashes of what others run.
        met: whether anything was ever found to be run elsewhere.
        seen: attempts that are known already, by id.
    """

    wanted: dict[str, Trial] = field(default_factory=dict)
    waiting: deque[Queued] = field(default_factory=deque)
    elsewhere: frozenset[str] = frozenset()
    met: bool = False
    seen: dict[int, Entry] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """Hashes of all that is to come: what waits, and what others run."""
        return {queued.trial.content_hash for queued in self.waiting} | self.elsewhere

    def fill(self, found: Collection[Queued]) -> None:
        """From what the ledger says of every trial of a plan."""
        self.wanted = {queued.trial.content_hash: queued.trial for queued in found}
        self.seen = {queued.entry.trial_id: queued.entry for queued in found}
        self._sort(queued for queued in found if queued.entry.state in ("waiting", "running"))

    def refresh(self, ledger: Ledger, in_hand: Collection[str]) -> None:
        """Look what others have taken, finished or left since; what is in hand here is no part of it."""
        found = {entry.content_hash: entry for entry in unfinished(ledger, self.seen)}
        self.seen = {entry.trial_id: entry for entry in found.values()}
        there = [name for name in self.wanted if name in found and name not in in_hand]
        self._sort(Queued(self.wanted[name], found[name]) for name in there)

    def _sort(self, unfinished: Iterator[Queued]) -> None:
        found = list(unfinished)
        self.waiting = deque(queued for queued in found if queued.entry.state == "waiting")
        self.elsewhere = frozenset(q.trial.content_hash for q in found if q.entry.state == "running")
        self.met = self.met or bool(self.elsewhere)


def known_to(ledger: Ledger, plan: Plan, retry: Collection[str], resting: Collection[str] = ()) -> Iterator[Queued]:
    """Every trial of a plan, in its order; new ones are enqueued, and those to be run again get another attempt.

    Args:
        ledger: of the study.
        plan: whose trials are wanted.
        retry: kinds of failures of which trials are run again.
        resting: names of arms of which no trial is enqueued.
    """
    known = states(ledger)
    wanted = [t for t in plan.trials if t.content_hash in known or t.cell.name not in resting]
    made = ledger.enqueue_all(trial for trial in wanted if trial.content_hash not in known)
    known |= {entry.content_hash: entry for entry in made}
    for trial in wanted:
        entry = known[trial.content_hash]
        if entry.state == "failed" and (entry.failure in retry or entry.reason == INTERRUPTED):
            entry = ledger.retry(entry)
        yield Queued(trial, entry)
