"""The same budget of tuning trials for every arm, on validation alone, before any seed of the evaluation runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.files import MachineError
from studies.design.plan import Cell, Plan
from studies.design.settings import DesignError, apply
from studies.design.tuned import Found as Tuned
from studies.design.tuned import declared_settings, space_of, to_tune
from studies.ledger.found import Found
from studies.ledger.ledger import Ledger
from studies.ledger.samplers import Method
from studies.ledger.search import Search, Watch
from studies.running.executor import TrialExecutor
from studies.running.interrupts import Stop, ctrl_c
from studies.running.progress import Observer, Tried
from studies.running.searching import MAX_ATTEMPTS, Pace, outcome_of
from studies.running.telling import Telling
from studies.trial.record import Outcome
from studies.trial.setup import Setup
from studies.trial.tuning import FIRST_SEED, run_tuning_trial

BATCH = 4
"""Trials of an arm that are asked for together. Fixed, so that what is sampled does not depend on who is faster."""
METRIC = "val_accuracy"


@dataclass(frozen=True)
class Job:
    """A tuning trial that waits or runs."""

    arm: ArmSearch
    found: Found
    watch: Watch | None
    attempt: int = 1

    @property
    def setup(self) -> Setup:
        """What it trains."""
        cell = self.arm.cell
        return Setup(*apply(cell.config, cell.recipe, self.found.settings), cell.dataset)

    @property
    def seed(self) -> int:
        """The same in every arm."""
        return FIRST_SEED + self.found.place


class ArmSearch:
    """The tuning of one arm: its search, its budget, and what is still to be asked.

    The declared recipe is the first trial of every arm, and the baseline's best the second of every other.
    """

    def __init__(self, cell: Cell, search: Search, trials: int) -> None:
        self.cell, self.search, self.budget = cell, search, trials
        self.open: dict[int, Found] = {}
        self.again = search.recover()
        taken = {found.place for found in search.trials() if found.over}
        if len(taken) > trials:
            raise DesignError(
                f"{cell.name!r} has been tuned with {len(taken)} trials before: --tune {trials} cannot take any back; "
                f"give --tune {len(taken)} or more, or another --results"
            )
        held = taken | {found.place for found in self.again}
        self.left = [place for place in range(trials) if place not in held]

    def next(self, first: Sequence[Mapping[str, Any]]) -> list[Job]:
        """The next batch, if the last one is over; ``first`` are the settings of the first places.

        What its pruner knows is what was over before the batch, whoever of it is faster.
        """
        if self.open:
            return []
        batch, self.again = self.again, []
        if not batch and self.left:
            places, self.left = self.left[:BATCH], self.left[BATCH:]
            batch = self.search.ask(places, [first[place] for place in places if place < len(first)])
        self.open = {found.place: found for found in batch}
        return [Job(self, found, self.search.watch(found)) for found in batch]

    @property
    def waiting(self) -> int:
        """Trials that are still to come to their end."""
        return len(self.open) + len(self.again) + len(self.left)

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return not self.waiting

    def declared(self) -> dict[str, Any]:
        """Of what is searched, the values that the arm has without tuning."""
        return declared_settings(self.cell, self.search.domains)

    def best(self) -> dict[str, Any] | str:
        """The settings of the highest validation accuracy, the first of equals; or why there are none."""
        trials = self.search.trials()
        done = [found for found in trials if found.state == "complete"]
        if not done:
            return next((found.reason for found in trials if found.reason), "none was run")
        return max(done, key=lambda found: (found.values[0], -found.number)).settings


class Tuner:
    """Tunes every arm of a plan, the baseline first.

    Args:
        plan: as declared.
        ledger: where the searches are kept.
        executor: runs the trials; the tuner enters it.
        trials: of every arm.
        method: sampler and pruner.
        observer: told of every trial.
        signs: a folder where running trials say how far they are.

    Raises:
        SearchError, DesignError: by its making, a method or a space that cannot be.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        executor: TrialExecutor,
        trials: int,
        method: Method,
        observer: Observer | None = None,
        signs: Path | None = None,
    ) -> None:
        self.plan, self.ledger, self.executor, self.trials, self.method = plan, ledger, executor, trials, method
        self.observer, self.stop = observer or Observer(), Stop()
        self.signs, self.telling = signs, Telling(signs)
        self.spaces = {cell.name: space_of(plan, cell) for cell in to_tune(plan)}
        method.check(self.spaces[plan.baseline])
        self.running: dict[Future[Outcome], Job] = {}
        self.lacking: MachineError | None = None

    def run(self) -> Tuned:
        """What was found for every arm; if ``stop.asked``, so far.

        Raises:
            LedgerError: another run is tuning.
            MachineError: a disk is full, say; the trials that met it are asked for again by the next run.
        """
        with self.ledger.sole("tuning"), ctrl_c(self.stop):
            arms = self.arms = [self._arm(cell) for cell in to_tune(self.plan)]
            base, others = arms[0], arms[1:]
            self.pace = Pace()
            if not all(arm.over for arm in arms):
                with self.executor:
                    self._run([base], [base.declared()])
                    if not self.stop.asked:
                        self._run(others, [base.declared(), *self._warm(base)])
            return {arm.cell.name: arm.best() for arm in arms}

    def _arm(self, cell: Cell) -> ArmSearch:
        about = {"arm": cell.name, "levels": dict(cell.levels), "trials": self.trials, "cell_hash": cell.content_hash}
        topic = f"tuning/{cell.name}"
        search = Search(self.ledger, topic, {METRIC: "maximize"}, self.spaces[cell.name], self.method, about)
        return ArmSearch(cell, search, self.trials)

    def _warm(self, base: ArmSearch) -> list[dict[str, Any]]:
        best = base.best()
        return [best] if isinstance(best, dict) and best != base.declared() else []

    def _run(self, arms: Sequence[ArmSearch], first: Sequence[Mapping[str, Any]]) -> None:
        waiting: deque[Job] = deque()
        announced = False
        while self.running or (not self.stop.asked and not all(arm.over for arm in arms)):
            for arm in arms if not self.stop.asked else ():
                own = [arm.declared(), *first[1:]]
                waiting.extend(arm.next(own))
            while waiting and len(self.running) < self.executor.slots and not self.stop.asked:
                job = waiting.popleft()
                self.running[self._submit(job)] = job
            for future in wait(self.running, timeout=0.2, return_when=FIRST_COMPLETED).done:
                if again := self._collect(future, self.running.pop(future)):
                    waiting.appendleft(again)
            if self.stop.asked and not announced:
                announced = True
                self.observer.stopping(len(self.running))
            if self.stop.at_once:
                self.executor.kill()
            self.telling.tell((j.arm.search, j.found, j.setup.trial_hash(j.seed)) for j in self.running.values())
            self.observer.tick()
        if self.lacking is not None:
            raise self.lacking

    def _submit(self, job: Job) -> Future[Outcome]:
        return self.executor.submit(run_tuning_trial, job.setup, job.seed, self.plan.device, job.watch, self.signs)

    def _collect(self, future: Future[Outcome], job: Job) -> Job | None:
        """Write what became of a trial; or the same job once more."""
        search, found = job.arm.search, job.found
        try:
            outcome = outcome_of(future, self.executor, MAX_ATTEMPTS - 1 if self.stop.at_once else job.attempt)
        except MachineError as error:
            self.lacking, self.stop.asked = error, True
            return None
        if outcome is None:  # where nothing more is to run, the next run asks for it again
            return None if self.stop.asked else replace(job, attempt=job.attempt + 1)
        if outcome.reason is not None:
            search.fail(found, outcome.reason, outcome.record, outcome.trace)
        elif outcome.record["pruned"]:
            search.prune(found, outcome.record)
        else:
            search.complete(found, [outcome.record[METRIC]], outcome.record)
        del job.arm.open[found.place]
        left = self.pace.seconds_left(sum(arm.waiting for arm in self.arms))
        self.observer.searched(Tried(job.arm.cell.name, found.place + 1, self.trials, found, outcome, left))
        return None
