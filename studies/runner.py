"""Run a plan: every trial exactly once, by a pool of workers, stoppable and resumable at any moment."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from studies.data import load
from studies.design import Cell, Plan, Trial
from studies.executors import WORKER_DIED, ProcessExecutor
from studies.ledger import INTERRUPTED, Entry, Ledger
from studies.measure import Effort, measure_cells
from studies.packing import Packing, measure_packs
from studies.progress import Observer, Progress
from studies.provenance import command, machine
from studies.trial import Order, Outcome, run_trial, run_trials

MAX_ATTEMPTS = 3
OVERHEAD_SECONDS = 1.2  # of a trial beside its training steps: scoring, mostly


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
        pack: train up to so many trials of a shape as one program; None: by the rule of ``studies/packing.py``.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        workers: int,
        effort: Effort,
        observer: Observer | None = None,
        retry_failed: bool = False,
        pack: int | None = None,
    ) -> None:
        self.plan, self.ledger, self.workers, self.effort = plan, ledger, workers, effort
        self.observer = observer or Observer()
        self.retry_failed = retry_failed
        self.queue: deque[tuple[Trial, Entry]] = deque()
        self.running: dict[Future[Any], list[tuple[Trial, Entry]]] = {}
        self.packing = Packing(plan.runnable, pack)
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
                    if self.packing.undecided and self.plan.device.startswith("cuda"):
                        self._decide_packing(executor)
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
        self._await(future, executor)
        try:
            self.ledger.measurement = known | future.result()
        except WORKER_DIED:
            reason = {"reason": "the process that measured was killed (out of memory?)"}
            if not self.stop.presses:  # accuracies are still worth having
                self.ledger.measurement = known | {cell.content_hash: reason for cell in cells}

    def _decide_packing(self, executor: ProcessExecutor) -> None:
        """Time what waits in packs and alone, once a shape; what was timed before is known from the ledger."""
        known = self.ledger.notes("packing") or {}
        shapes = self.packing.shapes([trial.cell for trial, _ in self.queue])
        unknown = {key: shape for key, shape in shapes.items() if key not in known}
        if unknown and not self.stop.presses:
            self.observer.packing(len(unknown))
            future = executor.submit(measure_packs, unknown, self.plan.device)
            self._await(future, executor)
            try:
                known |= future.result()
            except WORKER_DIED:  # then trials run one by one, as they would without
                known |= {key: [1, 1.0] for key in unknown if not self.stop.presses}
            self.ledger.note("packing", known)
        for key, (size, gain) in known.items():
            self.packing.sizes[key] = size
            if key in unknown:
                self.observer.packs(unknown[key][0].name, size, gain)

    def _await(self, future: Future[Any], executor: ProcessExecutor) -> None:
        """Until it is done; Ctrl-C ends it at once."""
        while not wait([future], timeout=0.2).done:
            self.observer.tick()
            if self.stop.presses:
                executor.kill()

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
                self._collect(future, self.running.pop(future))
            if self.stop.presses and not announced:
                announced = True
                self.observer.stopping(sum(map(len, self.running.values())))
            if self.stop.presses > 1:
                executor.kill()
            self.observer.tick()

    def _fill(self, executor: ProcessExecutor) -> None:
        while self.queue and len(self.running) < self.workers and not self.stop.presses:
            taken, self.queue = self.packing.take(self.queue)
            pack = [(trial, entry) for trial, entry in taken if self.ledger.claim(entry)]
            for trial, _ in pack:
                self.progress.begin(trial, len(pack))
                self.observer.started(trial)
            if pack:
                self.running[self._submit(executor, [trial for trial, _ in pack])] = pack

    def _submit(self, executor: ProcessExecutor, trials: list[Trial]) -> Future[Any]:
        cell, device = trials[0].cell, self.plan.device
        assert cell.config is not None, cell.reason
        kept = [self.ledger.weights_file(t.cell) if t.seed == self.plan.seeds[0] else None for t in trials]
        if len(trials) == 1:
            return executor.submit(run_trial, cell.config, cell.recipe, cell.dataset, trials[0].seed, device, kept[0])
        orders = [Order(t.cell.recipe, t.seed, keep) for t, keep in zip(trials, kept, strict=True)]
        return executor.submit(run_trials, cell.config, orders, cell.dataset, device)

    def _collect(self, future: Future[Any], pack: list[tuple[Trial, Entry]]) -> None:
        """Write what became of trials, or queue them again; of a pack that was too much, in halves."""
        alone, attempt = len(pack) == 1, pack[0][1].attempt
        try:
            found = future.result()
            outcomes: list[Outcome] = [found] if alone else found
        except WORKER_DIED:
            if self.stop.presses > 1 or not alone or attempt < MAX_ATTEMPTS:
                self._requeue(pack, "was killed")
                return
            outcomes = [Outcome({}, f"worker was killed {attempt} times (out of memory?)")]
        except Exception as error:  # a result that cannot be sent back, say
            outcomes = [Outcome({}, f"{type(error).__name__}: {error}") for _ in pack]
        if not alone and all(outcome.out_of_memory for outcome in outcomes):
            self._requeue(pack, "ran out of memory")
            return
        for (trial, entry), outcome in zip(pack, outcomes, strict=True):
            self._write(trial, entry, outcome)

    def _write(self, trial: Trial, entry: Entry, outcome: Outcome) -> None:
        self.progress.end(trial, over=True)
        self.progress.waiting -= 1
        if outcome.reason is None:
            self.ledger.complete(entry, outcome.record)
            self.progress.complete += 1
        else:
            self.ledger.fail(entry, outcome.reason, outcome.record)
            self.progress.failed += 1
        self.observer.finished(trial, outcome)

    def _requeue(self, pack: list[tuple[Trial, Entry]], why: str) -> None:
        again = []
        for trial, entry in pack:
            self.progress.end(trial, over=False)
            again.append((trial, self.ledger.interrupt(entry)))
        self.queue.extendleft(reversed(again))
        if self.stop.presses:
            return
        if len(pack) == 1:
            self.observer.requeued(again[0][0], again[0][1].attempt)
        else:
            together = self.packing.halve(pack[0][0].cell, len(pack))
            self.observer.divided([trial for trial, _ in pack], together, why)


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
