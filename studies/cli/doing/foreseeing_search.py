"""What is to be trained before the seeds of an evaluation: the tuning of every arm, or a search for trade-offs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from studies.cli.doing.tuning import TRIALS
from studies.data import load
from studies.design.front import drawn
from studies.design.plan import Cell, Plan
from studies.design.tuned import as_tuned, declared_settings, space_of, to_tune, with_tuned
from studies.findings.words import duration, plural
from studies.running.effort import BRIEF
from studies.running.estimate import estimated_seconds

DRAWN = 64
"""Configurations whose estimated seconds stand for those that a search will sample."""


@dataclass(frozen=True)
class Searching:
    """Of a plan that searches first.

    Args:
        evaluated: what its seeds run then, tuned arms as they were declared.
        trials: of the search, all arms together.
        seconds: wall time of the search.
        per_trial: seconds of a trial of an arm that only the search will know.
        lines: for people.
        unknown: arms at most that the search will add.
    """

    evaluated: Plan
    trials: int
    seconds: float
    per_trial: float
    lines: list[str]
    unknown: int = 0

    def facts(self) -> dict[str, Any]:
        """Plain data."""
        return {"search": {"trials": self.trials, "seconds": self.seconds, "says": self.lines}}


def to_evaluate(plan: Plan, trials: int | None) -> Plan:
    """The plan whose seeds run after tuning, with tuned arms as they were declared; itself where nothing is tuned.

    Raises:
        DesignError: an arm cannot be tuned in the declared space.
    """
    if plan.objectives or not trials:
        return plan
    found = {cell.name: declared_settings(cell, space_of(plan, cell)) for cell in to_tune(plan)}
    return with_tuned(as_tuned(plan), found)


def searching(plan: Plan, trials: int | None, seconds: Mapping[str, float], workers: int) -> Searching | None:
    """What is searched before the seeds; None where nothing is.

    Args:
        plan: as declared.
        trials: as typed behind ``--tune``.
        seconds: of one trial of every arm, by cell hash.
        workers: that train at once.
    """
    if plan.objectives:
        return _front(plan, trials or TRIALS, workers)
    return _tuning(plan, trials, seconds, workers) if trials else None


def _tuning(plan: Plan, trials: int, seconds: Mapping[str, float], workers: int) -> Searching:
    from studies.running.tuning import BATCH  # loads Optuna

    base, *others = (seconds[cell.content_hash] for cell in to_tune(plan))
    wall = trials * (base / min(workers, BATCH) + sum(others) / min(workers, BATCH * max(1, len(others))))
    arms, together = plural(1 + len(others), "arm"), trials * (1 + len(others))
    line = (
        f"tuning first: {arms} × {plural(trials, 'trial')} = {plural(together, 'tuning trial')} scored on validation, "
        f"about {duration(wall)} less what pruning saves"
    )
    return Searching(to_evaluate(plan, trials), together, wall, 0.0, [line])


def _front(plan: Plan, trials: int, workers: int) -> Searching:
    from studies.findings.fronts import MOST_CONFIRMED  # loads Optuna

    num_images = len(load(plan.dataset).train)
    each = fmean(estimated_seconds(Cell("", {}, setup), num_images) for setup in drawn(plan, DRAWN))
    measuring = BRIEF.seconds(trials)
    wall = measuring + trials * each / workers
    line = (
        f"search first: {plural(trials, 'configuration')}, {each:.1f} s each by the estimates of {DRAWN} drawn evenly, "
        f"about {duration(wall)}, measuring included; then the baseline and at most {MOST_CONFIRMED} of them"
    )
    return Searching(plan, trials, wall, each, [line], MOST_CONFIRMED)
