"""Run a plan: every trial exactly once, by a pool of workers, stoppable and resumable at any moment."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from studies.data import load
from studies.design import Cell, Plan, Trial
from studies.executors import WORKER_DIED, ProcessExecutor
from studies.ledger import INTERRUPTED, Entry, Ledger
from studies.measure import Effort, measure_cells
from studies.provenance import command, machine
from studies.trial import Outcome, run_trial

MAX_ATTEMPTS = 3
OVERHEAD_SECONDS = 1.2  # of a trial beside its training steps: scoring, mostly


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

    def requeued(self, trial: Trial, attempt: int) -> None:
        """Its worker was killed; the trial runs again."""

    def stopping(self, running: int) -> None:
        """Ctrl-C was pressed once; so many trials are still finishing."""

    def tick(self) -> None:
        """A few times a second."""


@dataclass
class Progress:
    """Counts of a study, and the time that is left."""

    plan: Plan
    complete: int = 0
    failed: int = 0
    waiting: int = 0
    workers: int = 1
    work: dict[str, float] = field(default_factory=dict)  # trial hash -> seconds expected, while not over
    begun: dict[str, float] = field(default_factory=dict)  # trial hash -> when a worker took it
    expected: float = 0.0  # seconds, of the trials that are over
    taken: float = 0.0

    def begin(self, trial: Trial) -> None:
        """A worker took it."""
        self.begun[trial.content_hash] = time.monotonic()

    def end(self, trial: Trial, over: bool) -> None:
        """It is over, or has to run again."""
        seconds = time.monotonic() - self.begun.pop(trial.content_hash)
        if over:
            self.expected += self.work.pop(trial.content_hash)
            self.taken += seconds

    @property
    def eta_seconds(self) -> float:
        """Time left: what the trials were expected to take, scaled by how long those took that are over."""
        now, pace = time.monotonic(), self.taken / self.expected if self.expected else 1.0
        left = [max(0.0, pace * work - (now - self.begun.get(name, now))) for name, work in self.work.items()]
        return sum(left) / max(1, min(self.workers, len(left)))


@dataclass
class Stop:
    """How often Ctrl-C was pressed: once lets running trials finish, twice ends them."""

    presses: int = 0


class Runner:
    """Runs what is waiting, interrupted or new of a plan; finished trials are left alone.

    Args:
        plan: what to run.
        ledger: where every trial is written.
        workers: processes, one torch thread each.
        effort: how long to measure speed.
        observer: told of everything that happens.
        retry_failed: run failed trials once more.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        workers: int,
        effort: Effort,
        observer: Observer | None = None,
        retry_failed: bool = False,
    ) -> None:
        self.plan, self.ledger, self.workers, self.effort = plan, ledger, workers, effort
        self.observer = observer or Observer()
        self.retry_failed = retry_failed
        self.queue: deque[tuple[Trial, Entry]] = deque()
        self.running: dict[Future[Outcome], tuple[Trial, Entry]] = {}
        self.stop = Stop()
        self.progress = Progress(plan, workers=workers)

    def run(self) -> Progress:
        """Run until the plan is finished or Ctrl-C is pressed; then ``stop.presses`` is not 0.

        Raises:
            LedgerError: another run is working on this study.
        """
        with self.ledger.lock(), ctrl_c(self.stop):
            self.ledger.plan = self.plan
            self.ledger.recover()
            self._enqueue()
            with ProcessExecutor(self.workers) as executor:
                if self.queue:
                    facts = {
                        "command": command(),
                        "machine": machine(self.plan.device),
                        "workers": self.workers,
                    }
                    self.ledger.note("provenance", facts)
                    self._measure(executor)
                    self._train(executor)
        return self.progress

    def _enqueue(self) -> None:
        known = self.ledger.entries()
        for trial in self.plan.trials:
            entry = known.get(trial.content_hash) or self.ledger.enqueue(trial)
            if entry.state == "failed" and (self.retry_failed or entry.reason == INTERRUPTED):
                entry = self.ledger.retry(entry)
            if entry.state == "waiting":
                self.queue.append((trial, entry))
            self.progress.complete += entry.state == "complete"
            self.progress.failed += entry.state == "failed"
        self.progress.waiting = len(self.queue)

    def _measure(self, executor: ProcessExecutor) -> None:
        """All cells in one go if any lacks a measurement, so that their rounds are paired."""
        cells, known = self.plan.runnable, self.ledger.measurement
        if all(cell.content_hash in known for cell in cells):
            return
        self.observer.measuring(len(cells), self.effort.seconds(len(cells)))
        future = executor.submit(measure_cells, cells, self.plan.device, self.effort)
        while not wait([future], timeout=0.2).done:
            self.observer.tick()
            if self.stop.presses:
                executor.kill()
        try:
            self.ledger.measurement = known | future.result()
        except WORKER_DIED:
            reason = {"reason": "the process that measured was killed (out of memory?)"}
            if not self.stop.presses:  # accuracies are still worth having
                self.ledger.measurement = known | {cell.content_hash: reason for cell in cells}

    def _train(self, executor: ProcessExecutor) -> None:
        num_images = len(load(self.plan.dataset).train)
        measured = self.ledger.measurement
        self.progress.work = {
            trial.content_hash: expected_seconds(trial.cell, measured, num_images) for trial, _ in self.queue
        }
        self.observer.training(self.progress)
        announced = False
        while self.running or (self.queue and not self.stop.presses):
            self._fill(executor)
            done, _ = wait(self.running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                trial, entry = self.running.pop(future)
                self._collect(future, trial, entry)
            if self.stop.presses and not announced:
                announced = True
                self.observer.stopping(len(self.running))
            if self.stop.presses > 1:
                executor.kill()
            self.observer.tick()

    def _fill(self, executor: ProcessExecutor) -> None:
        while self.queue and len(self.running) < self.workers and not self.stop.presses:
            trial, entry = self.queue.popleft()
            cell = trial.cell
            if cell.config is None or not self.ledger.claim(entry):
                continue
            self.progress.begin(trial)
            self.observer.started(trial)
            keep = self.ledger.weights_file(cell) if trial.seed == self.plan.seeds[0] else None
            future = executor.submit(
                run_trial, cell.config, cell.recipe, cell.dataset, trial.seed, self.plan.device, keep
            )
            self.running[future] = trial, entry

    def _collect(self, future: Future[Outcome], trial: Trial, entry: Entry) -> None:
        """Write what became of a trial, or queue it again."""
        try:
            outcome = future.result()
        except WORKER_DIED:
            if self.stop.presses > 1 or entry.attempt < MAX_ATTEMPTS:
                self._requeue(trial, entry)
                return
            outcome = Outcome({}, f"worker was killed {entry.attempt} times (out of memory?)")
        except Exception as error:  # a result that cannot be sent back, say
            outcome = Outcome({}, f"{type(error).__name__}: {error}")
        self.progress.end(trial, over=True)
        self.progress.waiting -= 1
        if outcome.reason is None:
            self.ledger.complete(entry, outcome.record)
            self.progress.complete += 1
        else:
            self.ledger.fail(entry, outcome.reason, outcome.record)
            self.progress.failed += 1
        self.observer.finished(trial, outcome)

    def _requeue(self, trial: Trial, entry: Entry) -> None:
        self.progress.end(trial, over=False)
        again = self.ledger.interrupt(entry)
        self.queue.appendleft((trial, again))
        if not self.stop.presses:
            self.observer.requeued(trial, again.attempt)


def expected_seconds(cell: Cell, measured: dict[str, Any], num_images: int) -> float:
    """Seconds of one worker for one trial of this cell, from its measured training speed."""
    speed = measured.get(cell.content_hash, {}).get("train_images_per_second")
    return OVERHEAD_SECONDS + (cell.recipe.epochs * num_images / speed if speed else 0.0)


@contextmanager
def ctrl_c(stop: Stop) -> Iterator[None]:
    """Count SIGINT instead of raising in the middle of a write; SIGTERM counts as two."""

    def press(signum: int, _frame: FrameType | None) -> None:
        stop.presses += 2 if signum == signal.SIGTERM else 1

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.signal(number, press) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
