"""A plan with its arms tuned: every arm at the declared recipe, and again at the one that was found for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from studies.design.plan import Cell, Plan
from studies.design.settings import DesignError, apply, slug
from studies.design.space import Space, around
from studies.training.recipe import RecipeError
from studies.trial.setup import Setup
from vit import ConfigError

RECIPE, FIXED, TUNED = "recipe", "fixed", "tuned"
SUFFIX = "-tuned"
Found = Mapping[str, Mapping[str, Any] | str]
"""By arm: the settings that tuning found for it, or why it found none."""


def to_tune(plan: Plan) -> list[Cell]:
    """The arms that are tuned, the baseline first: where a factor is itself searched, those at its baseline level."""
    base, searched = plan.baseline_cell, searched_factors(plan)
    arms = [c for c in plan.runnable if all(c.levels[name] == base.levels[name] for name in searched)]
    return [base, *(cell for cell in arms if cell.name != base.name)]


def space_of(plan: Plan, cell: Cell) -> Space:
    """What tuning varies in an arm.

    Raises:
        DesignError: no setting has that name, or a choice is impossible in this arm.
    """
    space = {**around(plan.baseline_cell.recipe), **plan.search}
    for name, domain in space.items():
        values = getattr(domain, "values", None) or (getattr(domain, "low", None), getattr(domain, "high", None))
        for value in values:
            try:
                apply(cell.config, cell.recipe, {name: value})
            except (ConfigError, RecipeError) as error:
                raise DesignError(f"{cell.name!r} cannot be tuned over {name}={value!r}: {error}") from None
    return space


def declared_settings(cell: Cell, space: Space) -> dict[str, Any]:
    """What an arm has, without tuning, of what tuning varies."""
    fields = {**vars(cell.config), **vars(cell.recipe)}
    return {name: fields[name] for name in space}


def searched_factors(plan: Plan) -> list[str]:
    """Factors that tuning itself varies, such as a grid of learning rates."""
    space = {**around(plan.baseline_cell.recipe), **plan.search}
    return [name for name in plan.factors if name in space]


def as_tuned(plan: Plan) -> Plan:
    """The same plan under the name of its tuned study."""
    return dataclasses.replace(plan, study=plan.study + SUFFIX)


def with_tuned(plan: Plan, found: Found) -> Plan:
    """Every arm as declared and as tuned, in one plan.

    Where tuning varies a factor, ``tuned`` is one more level of it; elsewhere there is one more factor, ``recipe``,
    with levels ``fixed`` and ``tuned``. The baseline stays the declared one.
    """
    factors: dict[str, list[Any]] = {name: list(levels) for name, levels in plan.factors.items()}
    searched = searched_factors(plan)
    for name in searched:
        factors[name].append(TUNED)
    if not searched:
        factors[RECIPE] = [FIXED, TUNED]
    added = {} if searched else {RECIPE: FIXED}
    cells = [_renamed(cell, {**cell.levels, **added}) for cell in plan.cells]
    marks = dict.fromkeys(searched or [RECIPE], TUNED)
    cells += [_tuned(plan, cell, marks, found[cell.name]) for cell in to_tune(plan)]
    baseline = _name({**plan.baseline_cell.levels, **added})
    return dataclasses.replace(plan, factors=factors, baseline=baseline, cells=cells)


def tuned_pairs(plan: Plan) -> dict[str, str]:
    """Arm as declared -> the same arm as tuned, in a plan of `with_tuned`; the baseline first."""
    marks = [name for name, levels in plan.factors.items() if TUNED in levels]
    back = {name: plan.baseline_cell.levels[name] for name in marks}
    return {
        _name({**cell.levels, **back}): cell.name
        for cell in plan.cells
        if marks and all(cell.levels[name] == TUNED for name in marks)
    }


def _tuned(plan: Plan, cell: Cell, marks: Mapping[str, str], found: Mapping[str, Any] | str) -> Cell:
    levels = {**cell.levels, **marks}
    if isinstance(found, str):
        return Cell(_name(levels), levels, None, f"not one tuning trial was finished: {found}")
    config, recipe = apply(cell.config, cell.recipe, found)
    return Cell(_name(levels), levels, Setup(config, recipe, plan.dataset))


def _renamed(cell: Cell, levels: Mapping[str, Any]) -> Cell:
    return dataclasses.replace(cell, name=_name(levels), levels=levels)


def _name(levels: Mapping[str, Any]) -> str:
    return "/".join(slug(level) for level in levels.values())
