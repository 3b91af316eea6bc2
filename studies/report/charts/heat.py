"""Mean accuracy for every pair of levels of two factors."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pandas as pd

from studies.design.plan import Plan

MOST = 6  # maps


@dataclass(frozen=True)
class Square:
    """One pair of levels: the mean, the number of trials, and its place among the cells, 0 to 1."""

    mean: float
    n: int
    shade: float


@dataclass(frozen=True)
class HeatMap:
    """Levels of one factor down, of another across."""

    down: str
    across: str
    columns: list[str]
    rows: dict[str, list[Square]]


def heat_maps(plan: Plan, runs: pd.DataFrame) -> list[HeatMap]:
    """Of every pair of factors, each shaded by rank; at most ``MOST``."""
    complete = runs[runs["status"] == "complete"]
    varying = [name for name in plan.factors if complete[name].astype(str).nunique() > 1]
    return [_map(plan, complete, *pair) for pair in itertools.islice(itertools.combinations(varying, 2), MOST)]


def _map(plan: Plan, complete: pd.DataFrame, first: str, second: str) -> HeatMap:
    down, across = sorted((first, second), key=lambda name: -len(plan.factors[name]))
    labels = complete.assign(**{name: complete[name].astype(str) for name in (down, across)})
    arms = labels.groupby([down, across, "cell"], sort=False)["test_accuracy"].agg(
        lambda values: values.astype(float).mean()
    )
    means = arms.groupby(level=[0, 1]).mean()  # arms weigh alike, also where a trial failed
    counts = labels.groupby([down, across]).size()
    ranks = (means.rank() - 1) / max(1, len(means) - 1)  # one cell far away would leave the others in one shade

    def square(key: tuple[str, str]) -> Square:
        if key not in means.index:
            return Square(float("nan"), 0, 0.0)
        mean = float(means[key])
        return Square(mean, int(counts[key]), float(ranks[key]))

    columns = [str(level) for level in plan.factors[across]]
    rows = {str(level): [square((str(level), column)) for column in columns] for level in plan.factors[down]}
    return HeatMap(down, across, columns, rows)
