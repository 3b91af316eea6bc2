"""From a study to its plan: combine the factors, say which combinations cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from studies.data import DataSet
from studies.design.checking import baseline_of
from studies.design.designs import ONE_AT_A_TIME, combinations
from studies.design.levels import BASELINE, levels_of
from studies.design.plan import Cell, Plan
from studies.design.settings import DesignError, apply, slug
from studies.design.study import Study
from studies.training.recipe import RecipeError
from studies.trial.setup import Setup
from vit import ConfigError

Levels = Mapping[str, Any]
"""A level of every factor."""


def expand(study: Study, device: str) -> Plan:
    """Combine the factors; impossible combinations become cells with a reason.

    Raises:
        DesignError: the baseline is not among the levels or not possible, or a level is not plain.
    """
    factors = levels_of(study.factors)
    levels = baseline_of(study)
    name = partial(_name, baseline=levels if study.design == ONE_AT_A_TIME else None)
    baseline = name(levels)
    cells = list(_cells(study, combinations(study.design, factors, levels), name))
    by_name = {cell.name: cell for cell in cells}
    if len(by_name) < len(cells):
        raise DesignError(f"two levels of {study.name!r} are written alike: {', '.join(_twice(cells))}")
    if reason := by_name[baseline].reason:
        raise DesignError(f"the baseline {baseline!r} of {study.name!r} cannot be built: {reason}")
    return Plan(
        study.name,
        study.question,
        study.dataset,
        device,
        factors,
        baseline,
        _distinct(cells, by_name[baseline]),
        list(range(study.seeds)),
        study.compares,
        study.search,
        study.design,
        study.objectives,
    )


def check_data(plan: Plan, data: DataSet) -> None:
    """Refuse arms whose model does not take these images or labels, or whose recipe wants more images.

    Raises:
        DesignError: names the field, its value and the one that fits.
        RecipeError: there is not one whole batch, or there are fewer images.
    """
    c, h, w = data.image_shape
    for cell in plan.runnable:
        cell.recipe.num_steps(len(data.train))
        for name, found, fits in (
            ("in_channels", cell.config.in_channels, c),
            ("image_size", cell.config.image_shape, (h, w)),
            ("num_classes", cell.config.num_classes, data.num_classes),
        ):
            if found != fits:
                raise DesignError(f"{name}={found} of {cell.name!r} does not fit {data.name}: use {fits}")


def _cells(study: Study, combined: Iterable[Levels], name: Callable[[Levels], str]) -> Iterator[Cell]:
    for levels in combined:
        try:
            config, recipe = apply(study.base, study.recipe, levels)
        except (ConfigError, RecipeError) as error:
            yield Cell(name(levels), levels, None, str(error))
        else:
            yield Cell(name(levels), levels, Setup(config, recipe, study.dataset))


def _distinct(cells: Sequence[Cell], baseline: Cell) -> list[Cell]:
    """Without setups that an earlier cell, or the baseline, has already: one trial would stand for two arms."""
    first: dict[Setup, Cell] = {baseline.to_train: baseline}
    distinct = []
    for cell in cells:
        same = cell if cell.setup is None else first.setdefault(cell.setup, cell)
        distinct.append(cell if same is cell else Cell(cell.name, cell.levels, None, f"the same as {same.name}"))
    return distinct


def _twice(cells: Sequence[Cell]) -> list[str]:
    names = [cell.name for cell in cells]
    return sorted({name for name in names if names.count(name) > 1})


def _name(levels: Levels, baseline: Levels | None) -> str:
    """All levels; those that differ from the baseline, where one at a time does."""
    if baseline is None or len(levels) == 1:
        return "/".join(slug(level) for level in levels.values()) or BASELINE
    changed = [f"{name}={slug(level)}" for name, level in levels.items() if level != baseline[name]]
    return "/".join(changed) or BASELINE
