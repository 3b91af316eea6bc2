"""Searching before the seeds of an evaluation: `run --tune`, and studies that search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

from studies.cli.console import INTERRUPTED, err, say
from studies.cli.doing.tuning import TRIALS
from studies.cli.tuning import Tuning
from studies.design.front import Limits, mib_of, number_of, with_front
from studies.design.plan import Plan
from studies.design.tuned import with_tuned
from studies.findings.fronts import to_confirm
from studies.findings.words import plural
from studies.ledger.ledger import Ledger
from studies.ledger.samplers import FRONT_DEFAULT, HALVING, NEVER, TPE, Method
from studies.running.executor import TrialExecutor
from studies.running.fronts import FrontSearch
from studies.running.progress import Observer
from studies.running.tuning import Tuner

Workers = Callable[[], TrialExecutor]


def searched(
    plan: Plan, ledger: Ledger, tuning: Tuning, workers: Workers, observer: Observer, signs: Path | None = None
) -> Plan:
    """The plan with every arm tuned, or with what a search found for arms; an interruption ends the program.

    Raises:
        SearchError, DesignError: a method, a space or limits that cannot be.
    """
    if plan.objectives:
        return _front(plan, ledger, tuning, workers, observer, signs)
    return _tuned(plan, ledger, tuning, workers, observer, signs) if tuning.trials else plan


def _tuned(
    plan: Plan, ledger: Ledger, tuning: Tuning, workers: Workers, observer: Observer, signs: Path | None
) -> Plan:
    method = Method(tuning.sampler or TPE, tuning.pruner or HALVING)
    tuner = Tuner(plan, ledger, workers(), tuning.trials or 0, method, observer, signs)
    found = tuner.run()
    _end_if(tuner.stop.asked)
    return with_tuned(plan, found)


def _front(
    plan: Plan, ledger: Ledger, tuning: Tuning, workers: Workers, observer: Observer, signs: Path | None
) -> Plan:
    limits = Limits(
        number_of(tuning.max_params, "--max-params") if tuning.max_params else None,
        mib_of(tuning.max_memory, "--max-memory") if tuning.max_memory else None,
        number_of(tuning.min_throughput, "--min-throughput") if tuning.min_throughput else None,
    )
    method = Method(tuning.sampler or FRONT_DEFAULT, NEVER)
    trials = tuning.trials or TRIALS
    search = FrontSearch(plan, ledger, workers(), trials, method, limits, observer, signs)
    found = search.run()
    _end_if(search.stop.asked)
    points = to_confirm(found)
    say(f"{plural(len(points), 'configuration')} of the front to be confirmed with fresh seeds on the test set")
    return with_front(plan, points)


def _end_if(stopped: bool) -> None:
    if stopped:
        err.print("interrupted while searching: every finished trial is kept; the same command goes on from here")
        raise typer.Exit(INTERRUPTED)
