"""What becomes of trials that ran: kept, or queued again; or refused, because another driver has taken them over."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from bench.files import MachineError
from studies.design.plan import Trial
from studies.ledger.drivers import RETRIES
from studies.ledger.entries import KILLED, LOST, PREEMPTED
from studies.ledger.ledger import Ledger
from studies.running.executor import GivenUpError, TrialExecutor
from studies.running.interrupts import Stop
from studies.running.packs import Packing
from studies.running.progress import Observer, Progress
from studies.running.queue import Queued
from studies.trial.care import Care
from studies.trial.record import Outcome
from studies.trial.traces import trace_of


@dataclass
class Results:
    """Where outcomes go.

    Args:
        retries: how often a trial runs again whose worker died.
        refused: how many outcomes were, of trials that another driver has taken over.
        lacking: what this machine has too little of, a full disk say: then the run stops.
    """

    ledger: Ledger
    executor: TrialExecutor
    packing: Packing
    progress: Progress
    observer: Observer
    stop: Stop
    care: Care
    retries: int = RETRIES
    refused: int = 0
    lacking: MachineError | None = None

    def collect(self, future: Future[Any], pack: list[Queued]) -> list[Queued]:
        """Write what became of trials; those that are to run again are returned. A pack that was too much is halved."""
        alone = len(self.packing.of(pack[0].trial)) == 1
        try:
            found = future.result()
            outcomes: list[Outcome] = [found] if alone else found
        except self.executor.worker_died as error:
            if self.stop.at_once:
                return self._requeue(pack, "was stopped", PREEMPTED)
            lost = isinstance(error, GivenUpError)  # which a worker says that lives
            died = max(self.ledger.deaths(queued.entry) for queued in pack) + (not lost)
            if died <= self.retries:
                return self._requeue(pack, "was killed", KILLED, died)
            if not alone:
                return self._requeue(pack, "was killed", KILLED, self.retries, divided=True)
            outcomes = [Outcome({}, f"worker was {'lost' if lost else 'killed'} {died} times (out of memory?)")]
        except self.executor.sight_lost:
            return self._lost_from_sight(pack)
        except MachineError as error:
            self.lacking, self.stop.asked = error, True
            return self._requeue(pack, str(error), PREEMPTED)
        except Exception as error:  # a result that cannot be sent back, say
            outcomes = [Outcome({}, f"{type(error).__name__}: {error}", trace_of(error)) for _ in pack]
        if not alone and all(outcome.out_of_memory for outcome in outcomes):
            return self._requeue(pack, "ran out of memory", KILLED, divided=True)
        kept = [self._write(queued, outcome) for queued, outcome in zip(pack, outcomes, strict=True)]
        if all(kept) and not any(outcome.timed_out for outcome in outcomes):  # else more time may be given to it
            self._forget(pack[0].trial)
        return []

    def _write(self, queued: Queued, outcome: Outcome) -> bool:
        if outcome.reason is None and self.executor.commits:  # its worker did, or would say why not
            self.ledger.let_go([queued.entry])
            kept = True
        elif outcome.reason is None:
            kept = self.ledger.complete(queued.entry, outcome.record)
        else:
            kept = self.ledger.fail(queued.entry, outcome.reason, outcome.record, outcome.trace)
        self.progress.end(queued.trial, over=kept)
        if not kept:
            self.refused += 1
            self.observer.taken(queued.trial)
            return False
        self.progress.waiting -= 1
        if outcome.reason is None:
            self.progress.complete += 1
        else:
            self.progress.failed += 1
        state = "complete" if outcome.reason is None else "failed"
        self.observer.kept(replace(queued.entry, state=state, record=outcome.record, reason=outcome.reason))
        self.observer.finished(queued.trial, outcome)
        return True

    def _lost_from_sight(self, pack: list[Queued]) -> list[Queued]:
        """Those that no worker has taken over wait again; of the others the ledger will tell."""
        owners = {lease.trial_id: lease.owner for lease in self.ledger.leases()}
        ours = [queued for queued in pack if owners.get(queued.entry.trial_id) == self.ledger.owner]
        elsewhere = [queued for queued in pack if queued not in ours]
        for queued in elsewhere:
            self.progress.end(queued.trial, over=False)
        self.ledger.let_go(queued.entry for queued in elsewhere)
        self.refused += len(elsewhere)  # so that the runner looks where they are
        return [again for queued in ours for again in self._requeue([queued], "was lost sight of", LOST)]

    def _forget(self, trial: Trial) -> None:
        self.care.forget(member.content_hash for member in self.packing.of(trial))

    def _requeue(
        self, pack: list[Queued], why: str, failure: str, charged: int | None = None, divided: bool = False
    ) -> list[Queued]:
        again = []
        for queued in pack:
            self.progress.end(queued.trial, over=False)
            again.append(Queued(queued.trial, self.ledger.interrupt(queued.entry, failure, charged)))
        if divided:
            self._forget(pack[0].trial)
            together = self.packing.halve(self.ledger, pack[0].trial)
            self.observer.divided([queued.trial for queued in pack], together, why)
        elif not self.stop.asked:
            for queued in again:
                self.observer.requeued(queued.trial, queued.entry.attempt)
        return again
