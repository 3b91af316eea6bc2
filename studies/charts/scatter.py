"""Accuracy against a cost, with the Pareto front and how surely an arm is on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from studies.charts.levels import Looks
from studies.charts.scale import Scale, accuracy_scale, cost_scale
from studies.charts.svg import NARROW, both_widths, line, marker, path, tag, text
from studies.design import Plan
from studies.phrases import percent, probability


@dataclass(frozen=True)
class Axis:
    """What the horizontal axis shows."""

    title: str
    unit: str
    more_is_better: bool
    digits: int = 0


def scatter_chart(plan: Plan, front: pd.DataFrame, cells: pd.DataFrame, axis: Axis) -> Markup:
    """One mark an arm: full where it is on the front by the means, numbered there from the most accurate on.

    Args:
        plan: gives colours and shapes.
        front: of `studies.front`, one row per arm.
        cells: one row per arm.
        axis: the cost.
    """
    arms = cells.set_index("cell", drop=False)
    accuracies = [
        *front["accuracy"],
        *arms.loc[front.index, ["test_accuracy_low", "test_accuracy_high"]].to_numpy().flat,
    ]

    def draw(width: float) -> tuple[float, list[Markup]]:
        narrow = width == NARROW
        height = 380.0 if narrow else 470.0
        x = cost_scale(front["cost"], 52, width - 14)
        y = accuracy_scale(accuracies, height - 52, 14)
        parts = _ground(x, y, axis, width, height, narrow)
        parts.append(_stairs(front[front["on_front"]], x, y, axis))
        looks, numbers = Looks(plan), front_numbers(front)
        for name in front.index[front["accuracy"].notna()].astype(str):
            parts.append(_arm(arms.loc[name], front.loc[name], (x, y), looks, numbers.get(name), axis))
        return height, parts

    return both_widths(draw, f"Test accuracy against {axis.title} of {len(front)} arms, and the Pareto front")


def front_numbers(front: pd.DataFrame) -> dict[str, int]:
    """Arms on the front by the means, numbered from the most accurate on."""
    members = front[front["on_front"]].sort_values("accuracy", ascending=False)
    return {str(name): i for i, name in enumerate(members.index, start=1)}


def _ground(x: Scale, y: Scale, axis: Axis, width: float, height: float, narrow: bool) -> list[Markup]:
    parts = []
    for value in y.ticks(7):
        parts += [
            line(52, y(value), width - 8, y(value), "grid"),
            text(46, y(value) + 4, f"{100 * value:.4g} %", "tick", "end"),
        ]
    for value in x.ticks(4 if narrow else 8):
        parts += [
            line(x(value), 8, x(value), height - 46, "grid"),
            text(x(value), height - 30, f"{value:,.4g}" if value < 1000 else f"{value:,.0f}", "tick", "middle"),
        ]
    return [*parts, text((52 + width) / 2, height - 8, f"{axis.title}, {axis.unit}", "tick", "middle")]


def _stairs(members: pd.DataFrame, x: Scale, y: Scale, axis: Axis) -> Markup:
    """The border of what is dominated."""
    ordered = members.sort_values("cost", ascending=not axis.more_is_better)
    points: list[tuple[float, float]] = []
    for _, row in ordered.iterrows():
        at = x(row["cost"]), y(row["accuracy"])
        points += [(at[0], points[-1][1]), at] if points else [at]
    return path(points, "front") if len(points) > 1 else Markup("")


def _arm(
    cell: pd.Series[Any],
    point: pd.Series[Any],
    at: tuple[Callable[[float], float], Callable[[float], float]],
    looks: Looks,
    number: int | None,
    axis: Axis,
) -> Markup:
    x, y = at[0](point["cost"]), at[1](point["accuracy"])
    chance = (
        "" if pd.isna(point["probability"]) else f", on the front with probability {probability(point['probability'])}"
    )
    words = f"{cell['cell']}: {percent(point['accuracy'])}, {point['cost']:,.4g} {axis.unit}{chance}"
    parts = [tag("title", words)]
    if pd.notna(cell["test_accuracy_low"]):
        bounds = at[1](cell["test_accuracy_low"]), at[1](cell["test_accuracy_high"])
        parts.append(line(x, bounds[0], x, bounds[1], "whisker"))
    if cell["baseline"]:
        parts.append(tag("circle", cx=x, cy=y, r=12.0, class_="ring"))
    parts.append(marker(x, y, 5.5, looks.shape(cell), "dot" if number else "dot off"))
    if number:
        parts.append(text(x + 9, y - 8, str(number), "number"))
    return tag("g", *parts, class_=looks.colour(cell))
