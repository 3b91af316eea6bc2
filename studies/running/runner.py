"""Run a plan: every trial exactly once, by whatever executor, stoppable and resumable at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from functools import partial
from typing import Any

from bench.machine import machine_facts
from studies.data import load
from studies.data.own.telling import told
from studies.design.plan import Plan
from studies.ledger.drivers import RETRIES, Driver
from studies.ledger.entries import Entry
from studies.ledger.exclusion import HeldError
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.states import states
from studies.ledger.urls import without_password
from studies.running.arithmetic import settled
from studies.running.committing import Committing
from studies.running.effort import Effort
from studies.running.estimate import expected_seconds
from studies.running.executor import TrialExecutor
from studies.running.interrupts import Stop, ctrl_c
from studies.running.packs import Packing
from studies.running.progress import Observer, Progress
from studies.running.queue import Growth, Queue, Queued, known_to
from studies.running.results import Results
from studies.running.timekeeper import Timekeeper
from studies.training.compute import Compute
from studies.training.signs import signs_in
from studies.trial.care import NO_CARE, Care, Order
from studies.trial.provenance import command, versions
from studies.trial.trial import run_trial, run_trials

RUNS = "runs"
"""The note that has what every driver of this study was, in the order in which they came."""
TICK_SECONDS = 0.2
LOOK_SECONDS, LOOK_SHARE = 5.0, 0.05
"""Between two looks at what other drivers do, and how much of the time they may take, of a very large study."""


class Runner:
    """Runs what is waiting, interrupted or new of a plan; finished trials are left alone.

    Args:
        plan: what to run.
        ledger: where every trial is written.
        folder: where weights are kept.
        executor: runs the trials; the runner enters it.
        effort: how long to measure speed.
        observer: told of everything that happens.
        retry: kinds of failures of which trials are run once more.
        care: how long a trial may take, and how often its state is kept, which is in ``folder``.
        pack: train up to so many trials of a shape as one program; None: by the rule of ``studies/running/packs.py``.
        grow: asked whenever nothing waits: how the study goes on, or None if it does not.
        allow_mixed: take the arithmetic of this machine, even if the study was begun in another.
        retries: how often a trial runs again whose worker died. The death of a driver is never the trial's fault.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        folder: ResultsFolder,
        executor: TrialExecutor,
        effort: Effort,
        observer: Observer | None = None,
        retry: Collection[str] = (),
        pack: int | None = None,
        grow: Callable[[], Growth | None] = lambda: None,
        care: Care = NO_CARE,
        retries: int = RETRIES,
        allow_mixed: bool = False,
    ) -> None:
        if executor.commits:  # its workers stand in other folders
            folder = replace(folder, path=folder.path.absolute())
        self.plan, self.ledger, self.folder, self.executor = plan, ledger, folder, executor
        self.effort = effort.on(plan.device)
        self.observer = observer or Observer()
        self.retry, self.grow = retry, grow
        self.queue, self.allow_mixed = Queue(), allow_mixed
        self.arithmetic: dict[str, Compute] = {}
        self.driver = Driver(ledger, folder.path)
        ledger.signs = partial(signs_in, folder.signs)
        self.looked, self.look_seconds = time.monotonic(), LOOK_SECONDS
        self.running: dict[Future[Any], list[Queued]] = {}
        self.packing = Packing(plan.device, pack)
        self.care = replace(care, checkpoints=folder.checkpoints, signs=None if executor.commits else folder.signs)
        self.stop = Stop()
        self.progress = Progress(plan, workers=executor.slots)
        self.results = Results(
            ledger, executor, self.packing, self.progress, self.observer, self.stop, self.care, retries
        )

    def run(self) -> Progress:
        """Run until the plan is finished, here and wherever else it runs, or Ctrl-C is pressed: ``stop.asked``.

        Raises:
            LedgerError: the storage is gone.
            MixedArithmeticError: the study was begun in an arithmetic that this machine does not have.
            MachineError: a disk is full, say; the trials that met it wait.
        """
        patience = self.ledger.patience
        patience.told, patience.given_up = self.observer.storage_away, lambda: self.stop.at_once
        with self.driver, ctrl_c(self.stop):
            self.ledger.plan = self.plan
            self.driver.reap(self.results.retries)
            self._enqueue()
            with self.executor:
                self._time()  # also of a study whose trials are over
                while self.queue.names or self._grown():
                    self._note_provenance()
                    self._time()
                    self._train()
                    if self.results.lacking is not None:
                        raise self.results.lacking
                    if self.stop.asked:
                        break
            if not self.queue.names and not self.running:
                self.care.sweep()
        return self.progress

    def _grown(self) -> bool:
        """Whether there is more to run after all that was asked for."""
        growth = None if self.stop.asked else self.grow()
        if growth is None:
            return False
        self.plan = self.ledger.plan = growth.plan
        self._enqueue(growth.resting)
        return bool(self.queue.names)

    def _enqueue(self, resting: Collection[str] = ()) -> None:
        found = list(known_to(self.ledger, self.plan, self.retry, resting))
        self.retry = ()  # once
        self.queue.fill(found)
        num_images, entries = len(load(self.plan.dataset).train), [queued.entry for queued in found]
        self.arithmetic = settled(self.ledger, self.plan, entries, num_images, self.allow_mixed)
        self.packing.arrange(self.ledger, found)
        self.queue.waiting = self.packing.ordered(self.queue.waiting)
        self._count(found)

    def _count(self, found: Collection[Queued]) -> None:
        self.progress.waiting = len(self.queue.names)
        self.progress.complete = sum(queued.entry.state == "complete" for queued in found)
        self.progress.failed = sum(queued.entry.state == "failed" for queued in found)

    def _note_provenance(self) -> None:
        facts = {"command": command(), "machine": machine_facts(self.plan.device), "workers": self.executor.slots}
        facts |= {"images": "; ".join(told(self.plan.dataset)), **versions(), "driver": self.ledger.owner}
        before = [run for run in self.ledger.notes(RUNS) or [] if run["driver"] != self.ledger.owner]
        self.ledger.note(RUNS, [*before, facts])
        self.ledger.note("provenance", facts)

    def _time(self) -> None:
        times = Timekeeper(self.plan, self.ledger, self.executor, self.observer, self.stop)
        measured = not times.lacking
        while not (measured or self.stop.asked):
            try:
                with self.ledger.sole("measuring"):
                    times.measure(self.effort)
                    measured = True
            except HeldError:  # by another driver: its speeds will do
                self.observer.tick()
                time.sleep(TICK_SECONDS)

    def _train(self) -> None:
        num_images = len(load(self.plan.dataset).train)
        measured = self.ledger.measurement
        self.progress.work = {
            name: expected_seconds(self.queue.wanted[name].cell, measured, num_images) for name in self.queue.names
        }
        self.observer.training(self.progress)
        announced = False
        while self.running or (not self.stop.asked and self.queue.names):
            self._look()
            self._fill()
            if not self.running:  # all of it runs elsewhere
                time.sleep(TICK_SECONDS)
            done, _ = wait(self.running, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                refused = self.results.refused
                self.queue.waiting.extendleft(reversed(self.results.collect(future, self.running.pop(future))))
                if self.results.refused > refused:
                    self._look(now=True)
            if self.stop.asked and not announced:
                announced = True
                self.observer.stopping(sum(map(len, self.running.values())))
            if self.stop.at_once:
                self.executor.kill()
            self.observer.tick()
        if self.queue.met or self.results.refused:  # others finished some of it
            self._count([Queued(self.queue.wanted[e.content_hash], e) for e in self._ours()])

    def _ours(self) -> list[Entry]:
        return [entry for name, entry in states(self.ledger).items() if name in self.queue.wanted]

    def _look(self, now: bool = False) -> None:
        """What have others done? From time to time, and at once when they were faster."""
        if not now and time.monotonic() - self.looked < self.look_seconds:
            return
        began = time.monotonic()
        self.driver.reap(self.results.retries)
        in_hand = {queued.trial.content_hash for pack in self.running.values() for queued in pack}
        self.queue.refresh(self.ledger, in_hand)
        self.queue.waiting = self.packing.ordered(self.queue.waiting)
        self.progress.leave(self.queue.names | in_hand)
        self.looked = time.monotonic()
        self.look_seconds = max(LOOK_SECONDS, (self.looked - began) / LOOK_SHARE)
        if self.queue.elsewhere and not (self.queue.waiting or self.running):
            self.observer.elsewhere(len(self.queue.elsewhere))

    def _fill(self) -> None:
        while self.queue.waiting and len(self.running) < self.executor.slots and not self.stop.asked:
            taken = self.packing.take(self.queue.waiting)
            pack = [queued for queued in taken if self.ledger.claim(queued.entry)]
            for queued in pack:
                self.progress.begin(queued.trial, len(pack))
                self.observer.started(queued.trial)
            if pack:
                self.running[self._submit(pack)] = pack
            if len(pack) < len(taken):
                self._look(now=True)

    def _submit(self, pack: list[Queued]) -> Future[Any]:
        """Trials of one pack, whose other members train with them: bits depend on all."""
        names, device = {queued.trial.content_hash for queued in pack}, self.plan.device
        trials = self.packing.of(pack[0].trial)
        kept = [self.folder.weights(t.cell.name) if t.seed == self.plan.seeds[0] else None for t in trials]
        care = replace(self.care, arithmetic=self.arithmetic[trials[0].cell.content_hash])
        if len(trials) == 1:
            return self._start(pack, run_trial, trials[0].setup, trials[0].seed, device, kept[0], care)
        orders = [Order(t.setup, t.seed, keep, t.content_hash in names) for t, keep in zip(trials, kept, strict=True)]
        assert care.arithmetic is not None
        care = replace(care, arithmetic=replace(care.arithmetic, compile=False))
        return self._start(pack, run_trials, orders, device, care)

    def _start(self, pack: list[Queued], run: Callable[..., Any], *args: Any) -> Future[Any]:
        if self.executor.commits:
            attempts = [queued.entry for queued in pack]
            run = Committing(without_password(self.ledger.url), self.ledger.name, attempts, run, self.results.retries)
        return self.executor.submit(run, *args)
