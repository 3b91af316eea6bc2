"""A trial's factors, recipe and seed as Optuna's parameters, so that every tool for Optuna shows them.

Optuna refuses a categorical parameter whose choices have changed, and its importances and plots leave out parameters
whose ranges differ between trials. So the ranges of a study are kept in one place, they only grow, choices at their
end, and rows that were written before are given the grown range: an old choice keeps its number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)

from studies.design.plan import Plan, Trial
from studies.design.settings import slug

Value = None | bool | int | float | str
Space = dict[str, BaseDistribution]
Values = dict[str, list[Value]]
"""Of every parameter, in the order in which they were declared."""
LOGARITHMIC = frozenset({"learning_rate"})
"""Numbers of which plots show the logarithm."""


def params_of(trial: Trial) -> dict[str, Value]:
    """Every field of the recipe, the level of every factor, the seed."""
    fields = {**dataclasses.asdict(trial.setup.recipe), **trial.cell.levels, "seed": trial.seed}
    return {name: plain(value) for name, value in fields.items()}


def plain(value: Any) -> Value:
    """What Optuna can store: ``(14, 28) -> "14x28"``."""
    return value if value is None or isinstance(value, (bool, int, float, str)) else slug(value)


def values_of(trials: Iterable[Trial]) -> tuple[Values, frozenset[str]]:
    """All values of trials, and which parameters are factors."""
    found: dict[str, dict[tuple[type, Value], Value]] = {}
    factors: set[str] = set()
    for trial in trials:
        factors |= trial.cell.levels.keys()
        for name, value in params_of(trial).items():
            found.setdefault(name, {})[type(value), value] = value
    return {name: [*values.values()] for name, values in found.items()}, frozenset(factors)


def values_of_plan(plan: Plan) -> tuple[Values, frozenset[str]]:
    """Of all its trials; the levels of a factor in the order in which they were declared."""
    values, factors = values_of(plan.trials)
    declared = {name: [plain(level) for level in levels] for name, levels in plan.factors.items()}
    return {**values, **{name: levels for name, levels in declared.items() if name in values}}, factors


def grown(name: str, known: BaseDistribution | None, values: Iterable[Value], factor: bool) -> BaseDistribution:
    """The range that has room for further values: an interval of numbers, choices for a factor and all else."""
    values = list(values)
    if isinstance(known, CategoricalDistribution) or factor or not all(map(_is_number, values)):
        choices = list(known.choices) if isinstance(known, CategoricalDistribution) else []
        for value in values:
            if not any(_same(value, choice) for choice in choices):
                choices.append(value)
        return CategoricalDistribution(choices)
    ends = [known.low, known.high] if isinstance(known, (IntDistribution, FloatDistribution)) else []
    numbers: list[Any] = [*ends, *values]
    low, high = min(numbers), max(numbers)
    if all(isinstance(number, int) for number in numbers):
        return IntDistribution(low, high)
    return FloatDistribution(low, high, log=name in LOGARITHMIC and low > 0)


def number_of(value: Value, distribution: BaseDistribution) -> float:
    """How a value is stored: a number as itself, a choice by its place."""
    if not isinstance(distribution, CategoricalDistribution):
        return float(distribution.to_internal_repr(value))
    return float(next(i for i, choice in enumerate(distribution.choices) if _same(choice, value)))


def to_json(space: Mapping[str, BaseDistribution]) -> dict[str, str]:
    """By name, as Optuna writes them."""
    return {name: distribution_to_json(distribution) for name, distribution in space.items()}


def from_json(content: Mapping[str, str]) -> Space:
    """The inverse of ``to_json``."""
    return {name: json_to_distribution(text) for name, text in content.items()}


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(a: Value, b: Value) -> bool:
    """True is not 1 here."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)
