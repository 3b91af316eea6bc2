"""What `--tune` asks for, checked before anything starts."""

from __future__ import annotations

from studies.cli.tuning import Tuning
from studies.design.front import OBJECTIVES
from studies.design.plan import Plan
from studies.design.tuned import as_tuned, space_of, to_tune

TRIALS = 48
"""Of a search for trade-offs, where ``--tune`` does not say."""


def named(plan: Plan, tuning: Tuning) -> Plan:
    """The plan under the name that its results have; refuses what does not fit it before anything is written.

    Raises:
        UsageError, SearchError, DesignError: options, a method or a space that cannot be.
    """
    tuning.check_fits(plan.objectives)
    if not (plan.objectives or tuning.trials):
        return plan
    from studies.ledger.samplers import FRONT_DEFAULT, HALVING, NEVER, TPE, Method  # loads Optuna

    if plan.objectives:
        Method(tuning.sampler or FRONT_DEFAULT, NEVER).check(plan.search, list(OBJECTIVES.values()))
        return plan
    spaces = [space_of(plan, cell) for cell in to_tune(plan)]
    Method(tuning.sampler or TPE, tuning.pruner or HALVING).check(spaces[0])
    return as_tuned(plan)
