"""A search for the best trade-offs: sample, leave out what exceeds a limit, measure new shapes alone, train, tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from bench.files import MachineError
from studies.data import load
from studies.design.front import OBJECTIVES, Admissible, Limits
from studies.design.plan import Cell, Plan
from studies.design.settings import DesignError, apply
from studies.ledger.found import Found
from studies.ledger.ledger import Ledger
from studies.ledger.samplers import Method
from studies.ledger.search import Search
from studies.running.effort import BRIEF
from studies.running.executor import TrialExecutor
from studies.running.interrupts import Stop, ctrl_c
from studies.running.measure import measure_cells
from studies.running.packs import shape_key
from studies.running.progress import Observer, Tried
from studies.running.searching import MAX_ATTEMPTS, Pace, outcome_of
from studies.running.telling import Telling
from studies.running.timekeeper import KILLED
from studies.trial.record import Outcome
from studies.trial.setup import Setup
from studies.trial.tuning import FIRST_SEED, run_tuning_trial
from vit.outline import outline

BATCH = 8
"""Configurations that are asked for together: their shapes are measured before any of them trains."""
MOST_DRAWS = 20
"""Draws for every trained configuration: limits that leave less than a twentieth of a space end the search early."""


class FrontSearch:
    """Searches a plan's space for trade-offs between ``OBJECTIVES``.

    Args:
        plan: with a space.
        ledger: where search and measurements are kept.
        executor: runs the trials; the search enters it.
        trials: to be trained, in all: what was trained before counts.
        method: the sampler; with several objectives nothing is pruned.
        limits: on what is trained at all.
        observer: told of every trial.
        signs: a folder where running trials say how far they are.

    Raises:
        SearchError, DesignError: by its making, a sampler or a space that cannot be.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        executor: TrialExecutor,
        trials: int,
        method: Method,
        limits: Limits,
        observer: Observer | None = None,
        signs: Path | None = None,
    ) -> None:
        self.plan, self.ledger, self.executor, self.trials = plan, ledger, executor, trials
        self.effort = BRIEF.on(plan.device)
        self.limits, self.observer, self.stop = limits, observer or Observer(), Stop()
        self.admissible, self.signs, self.telling = Admissible(plan), signs, Telling(signs)
        method.check(plan.search, list(OBJECTIVES.values()))
        about = {"arm": "front", "limits": vars(limits), "trials": trials}
        self.search = Search(
            ledger, f"front{_said(limits)}", OBJECTIVES, plan.search, method, about, self.admissible.choices
        )

    def run(self) -> list[Found]:
        """Everything that was trained, in the order in which it was asked for.

        Raises:
            LedgerError: another run is working on this study.
            DesignError: the limits leave next to nothing of the space.
            MachineError: a disk is full, say; what met it is asked for again by the next run.
        """
        self.pace = Pace()
        with self.ledger.sole("tuning"), ctrl_c(self.stop):
            left = self.search.recover()
            if left or len(self._taken()) < self.trials:
                with self.executor:
                    self._batch(left)
                    while not self.stop.asked and (places := self._next()):
                        self._batch(self.search.ask(places))
        return [found for found in self.search.trials() if found.state == "complete"]

    def _taken(self) -> list[Found]:
        """Trained, or tried to be; what a limit kept from training takes no place."""
        return [found for found in self.search.trials() if found.over and found.state != "pruned"]

    def _next(self) -> Sequence[int]:
        """Places of the next batch, by the number of draws so far."""
        taken, drawn = len(self._taken()), sum(found.over for found in self.search.trials())
        if taken < self.trials and drawn >= MOST_DRAWS * self.trials:
            limits = _said(self.limits).strip()
            raise DesignError(f"{drawn - taken} of {drawn} configurations exceed the limits ({limits}): loosen them")
        return range(drawn, drawn + min(BATCH, self.trials - taken))

    def _batch(self, batch: Sequence[Found]) -> None:
        cells = {found.number: self._cell(found) for found in batch}
        facts = {found.number: {"params": float(num_params(cells[found.number]))} for found in batch}
        batch = [found for found in batch if self._within(found, facts[found.number])]
        measured = self._measured([cells[found.number] for found in batch])
        ready = []
        for found in batch:
            own = measured.get(shape_key(cells[found.number]))
            if own is None:  # interrupted: asked again by the next run
                continue
            if any(own.get(name) is None for name in ("train_images_per_second", "gpu_memory_mib")):
                why = own.get("reason") or own.get("gpu_memory_source")
                self.search.fail(found, f"not measured: {why}", facts[found.number])
                continue
            facts[found.number] |= costs(cells[found.number], own)
            if self._within(found, facts[found.number]):
                ready.append(found)
        self._train(ready, cells, facts)

    def _within(self, found: Found, facts: Mapping[str, float]) -> bool:
        """Whether no limit is exceeded, as far as facts are known; else it is over, untrained."""
        excess = self.limits.excess(facts)
        self.search.limit(found, excess)
        beyond = [name for name, share in excess.items() if share > 0]
        if beyond:
            self.search.prune(found, facts, f"over the limit on {', '.join(beyond)}")
        return not beyond

    def _measured(self, cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
        """By shape: what the ledger knows, and what is measured now while nothing else runs."""
        known = {key: facts for key, facts in self.ledger.measurement.items() if facts != KILLED}
        new = {shape_key(cell): cell for cell in cells if shape_key(cell) not in known}
        if not new or self.stop.asked:
            return known
        self.observer.measuring(len(new), self.effort.seconds(len(new)))
        every = list(new.values())
        by_cell = self._timed(every) or self._timed(every) or {}
        for cell in every if not by_cell else ():  # the one that is too large takes no other's with it
            by_cell |= self._timed([cell]) or ({} if self.stop.asked else {cell.content_hash: KILLED})
        found = {key: by_cell[cell.content_hash] for key, cell in new.items() if cell.content_hash in by_cell}
        self.ledger.add_measurement({key: facts for key, facts in found.items() if facts != KILLED})
        return known | found

    def _timed(self, cells: list[Cell]) -> dict[str, dict[str, Any]] | None:
        """By cell hash; None if the process that measured died, or Ctrl-C was pressed."""
        if self.stop.asked:
            return None
        future = self.executor.submit(measure_cells, cells, self.plan.device, self.effort)
        self._until_over({future})
        try:
            return future.result()
        except self.executor.sight_lost:
            return None
        except self.executor.worker_died:
            return None

    def _train(self, ready: Sequence[Found], cells: Mapping[int, Cell], facts: Mapping[int, Mapping[str, Any]]) -> None:
        waiting, running, names = list(ready), dict[Future[Outcome], Found](), dict[int, str]()
        attempts, lacking = Counter[int](), list[MachineError]()
        while running or (waiting and not self.stop.asked):
            while waiting and len(running) < self.executor.slots and not self.stop.asked:
                found = waiting.pop(0)
                setup = cells[found.number].to_train
                seed, device = FIRST_SEED + found.place, self.plan.device
                future = self.executor.submit(run_tuning_trial, setup, seed, device, None, self.signs)
                running[future] = found
                attempts[found.number] += 1
                names[found.number] = setup.trial_hash(seed)
            self.telling.tell((self.search, found, names[found.number]) for found in running.values())
            for future in self._until_over(set(running)):
                found = running.pop(future)
                attempt = MAX_ATTEMPTS - 1 if self.stop.at_once else attempts[found.number]
                try:
                    outcome = outcome_of(future, self.executor, attempt)
                except MachineError as error:
                    lacking.append(error)
                    self.stop.asked = True
                    continue
                if outcome is None:  # where nothing more is to run, the next run asks for it again
                    waiting.insert(0, found)
                else:
                    self._keep(found, outcome, {**outcome.record, **facts[found.number]})
        if lacking:
            raise lacking[0]

    def _keep(self, found: Found, outcome: Outcome, record: Mapping[str, Any]) -> None:
        if outcome.reason is None:
            self.search.complete(found, [record[name] for name in OBJECTIVES], record)
        else:
            self.search.fail(found, outcome.reason, record, outcome.trace)
        place = len(self._taken())
        left = self.pace.seconds_left(self.trials - place)
        self.observer.searched(Tried("front", place, self.trials, found, outcome, left))

    def _until_over(self, futures: set[Future[Any]]) -> set[Future[Any]]:
        """Wait for one of them; Ctrl-C twice kills them."""
        while not (done := wait(futures, timeout=0.2, return_when="FIRST_COMPLETED").done):
            if self.stop.at_once:
                self.executor.kill()
            self.observer.tick()
        return done

    def _cell(self, found: Found) -> Cell:
        base = self.plan.baseline_cell
        setup = Setup(*apply(base.config, base.recipe, found.settings), self.plan.dataset)
        return Cell(f"trial {found.number}", {}, setup)


def num_params(cell: Cell) -> int:
    """Parameters of its model, which is not built."""
    return outline(cell.config).num_params()


def costs(cell: Cell, measured: Mapping[str, Any]) -> dict[str, float]:
    """Objectives that follow from the shape, from its measurement."""
    images = cell.recipe.epochs * len(load(cell.dataset).train)
    return {
        "train_seconds": images / measured["train_images_per_second"],
        "infer_images_per_second": measured["infer_images_per_second"],
        "gpu_memory_mib": measured["gpu_memory_mib"],
    }


def _said(limits: Limits) -> str:
    return "".join(f" {name}={value:g}" for name, value in vars(limits).items() if value is not None)
