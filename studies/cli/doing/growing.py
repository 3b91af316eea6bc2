"""How a study grows: until its arms are decided, or for as long as a budget lasts."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from studies.cli.console import say
from studies.design.plan import Plan
from studies.findings.effects import contrasts_frame
from studies.findings.looks import look_at, plan_looks
from studies.findings.tables import runs_frame
from studies.findings.words import plural
from studies.ledger.ledger import Ledger
from studies.running.queue import Growth
from studies.statistics.verdicts import SETTLED


@dataclass
class Budget:
    """Seconds from now, and how long the last block of seeds took; infinite where none was set."""

    seconds: float
    started: float = field(default_factory=time.monotonic)
    block_began: float = field(default_factory=time.monotonic)

    def lasts(self, blocks: float) -> bool:
        """Whether so many times the work of the last block still fits; the next block begins now."""
        now = time.monotonic()
        fits = now - self.started + blocks * (now - self.block_began) <= self.seconds
        self.block_began = now
        return fits


class UntilDecided:
    """New seeds at planned looks, for arms that are undecided and the baseline, until all are decided or seeds end.

    Args:
        ledger: of the study; the looks are kept in it.
        plan: with the seeds of the first look.
        looks: numbers of seeds.
        budget: of time.
    """

    def __init__(self, ledger: Ledger, plan: Plan, looks: Sequence[int], budget: Budget) -> None:
        self.ledger, self.plan, self.looks, self.budget = ledger, plan, list(looks), budget
        self.undecided: list[str] = []

    def __call__(self) -> Growth | None:
        """Look, and say how the study goes on."""
        self.undecided = self.open_arms()
        come = len(self.plan.seeds)
        later = [n for n in self.looks if n > come]
        decided = len(self.plan.runnable) - 1 - len(self.undecided)
        say(f"look at {come} seeds: {decided} of {plural(len(self.plan.runnable) - 1, 'arm')} decided")
        if not self.undecided or not later:
            return None
        arms = 1 + len(self.undecided)
        if not self.budget.lasts((later[0] - come) * arms / (come * len(self.plan.runnable))):
            say(f"the budget ends before {later[0]} seeds; the same command goes on from here")
            return None
        self.plan = dataclasses.replace(self.plan, seeds=list(range(later[0])))
        resting = {cell.name for cell in self.plan.runnable} - {*self.undecided, self.plan.baseline}
        return Growth(self.plan, frozenset(resting))

    def open_arms(self) -> list[str]:
        """Arms that are neither better nor worse than the baseline nor equivalent to it, as the looks so far say."""
        runs = runs_frame(self.ledger, self.plan)
        contrasts = contrasts_frame(self.plan, runs, look_at(self.ledger, self.plan, runs))
        arms = contrasts[contrasts["factor"] == "cell"]
        return [str(arm) for arm in arms.loc[~arms["verdict"].isin(SETTLED), "a"]]


class InRounds:
    """Seed by seed over all arms for as long as the budget lasts, so that the table is balanced at any moment."""

    def __init__(self, plan: Plan, most: int, budget: Budget) -> None:
        self.plan, self.most, self.budget = plan, most, budget

    def __call__(self) -> Growth | None:
        """One seed more for every arm, if it fits."""
        come = len(self.plan.seeds)
        if come >= self.most or not self.budget.lasts(1.0):
            return None
        self.plan = dataclasses.replace(self.plan, seeds=list(range(come + 1)))
        return Growth(self.plan)


def note_plan(ledger: Ledger, most: int, once: bool) -> None:
    """Keep which looks are planned, or say that it is too late to plan them."""
    if not plan_looks(ledger, most, once):
        say(
            "this study was looked at before: its looks stay as they were planned then, and p values pay for all of "
            "them (start in another --results to plan anew)"
        )
