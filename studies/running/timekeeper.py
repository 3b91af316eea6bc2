"""What is timed before anything trains: every arm by itself."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any

from studies.design.plan import Cell, Plan
from studies.ledger.ledger import Ledger
from studies.running.effort import Effort
from studies.running.executor import TrialExecutor
from studies.running.interrupts import Stop
from studies.running.measure import measure_cells, memory_of
from studies.running.progress import Observer

KILLED = {"reason": "the process that measured was killed (out of memory?)"}


@dataclass(frozen=True)
class Timekeeper:
    """Times in one worker while no other runs; memory that is reckoned all of them reckon before.

    What was timed before is known from the ledger; Ctrl-C ends it.
    """

    plan: Plan
    ledger: Ledger
    executor: TrialExecutor
    observer: Observer
    stop: Stop

    @property
    def lacking(self) -> bool:
        """Whether anything is to be measured: also what was tried and ended with the process that measured."""
        known = self.ledger.measurement
        return any(known.get(cell.content_hash, KILLED) == KILLED for cell in self.plan.runnable)

    def measure(self, effort: Effort) -> None:
        """All cells in one go if any lacks a measurement, so that their rounds are paired.

        If the process is killed, once more; if it is killed again, one cell after the other, so that the one that
        is too large takes no other's measurement with it.
        """
        cells = self.plan.runnable
        if not self.lacking:
            return
        self.observer.measuring(len(cells), effort.seconds(len(cells)))
        if self._measured(cells, effort) or self._measured(cells, effort):
            return
        for cell in cells:
            if not self._measured([cell], effort) and not self.stop.asked:
                self._keep({cell.content_hash: KILLED})

    def _measured(self, cells: list[Cell], effort: Effort) -> bool:
        """Whether they could be."""
        if self.stop.asked:
            return False
        try:
            memory = self._memory(cells)
            future = self.executor.submit(measure_cells, cells, self.plan.device, effort, memory)
            self._keep(self._ended(future).result())
        except self.executor.sight_lost:
            return False
        except self.executor.worker_died:
            return False
        return True

    def _memory(self, cells: list[Cell]) -> dict[str, dict[str, Any]] | None:
        """Where it is only reckoned, every worker takes a share of the cells first: speed alone needs a quiet machine.

        None where whoever measures speed measures that, too: there all workers start first, at once.
        """
        shares, reckoned = min(self.executor.slots, len(cells)), self.plan.device == "cpu"
        if shares < 2:
            return None
        parts = [cells[i::shares] if reckoned else [] for i in range(shares)]
        asked = [self.executor.submit(memory_of, part, self.plan.device) for part in parts]
        ended = [self._ended(future) for future in asked]
        found = {name: facts for future in ended for name, facts in future.result().items()}
        return found if reckoned else None

    def _keep(self, found: Mapping[str, Any]) -> None:
        """What was measured before is never replaced by a failure."""
        speeds = {name for name, facts in self.ledger.measurement.items() if "reason" not in facts}
        self.ledger.add_measurement(
            {k: facts for k, facts in found.items() if "reason" not in facts or k not in speeds}
        )

    def _ended(self, future: Future[Any]) -> Future[Any]:
        """Wait for it; Ctrl-C kills it."""
        while not wait([future], timeout=0.2).done:
            self.observer.tick()
            if self.stop.asked:
                self.executor.kill()
        return future
