"""Accuracy against a cost, with the Pareto front and how surely an arm is on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from studies.design.plan import Plan
from studies.findings.words import percent, probability, span
from studies.report.charts.labels import Place, placed
from studies.report.charts.levels import LevelMarks
from studies.report.charts.scale import Scale, accuracy_scale, cost_scale, outlying
from studies.report.charts.svg import NARROW, both_widths, line, marker, path, tag, text
from studies.report.colours import level_class

STRIP = 34.0
"""Below the axis, where there are arms so far from the others that they would squeeze them."""
ROOM = 40.0
"""That an accuracy takes beside its mark."""


@dataclass(frozen=True)
class Axis:
    """What the horizontal axis shows."""

    title: str
    unit: str
    more_is_better: bool
    digits: int = 0


@dataclass(frozen=True)
class Frame:
    """Where the values of a drawing lie; ``below``: accuracies that the vertical axis leaves out, and their height."""

    x: Scale
    y: Scale
    below: float
    strip: float

    def at(self, point: pd.Series[Any]) -> tuple[float, float]:
        """The pixel of an arm."""
        accuracy = point["accuracy"]
        return self.x(point["cost"]), self.strip if accuracy < self.below else self.y(accuracy)


def scatter_chart(plan: Plan, front: pd.DataFrame, cells: pd.DataFrame, axis: Axis) -> Markup:
    """One mark an arm: full where it is on the front by the means, numbered there from the most accurate on.

    Args:
        plan: gives colours and shapes.
        front: of `findings.costs`, one row per arm.
        cells: one row per arm.
        axis: the cost.
    """
    arms = {str(cell["cell"]): cell for _, cell in cells.iterrows()}
    below = outlying(front["accuracy"])
    kept = cells[cells["cell"].isin(front.index[front["accuracy"] >= below])]
    accuracies = [*kept["test_accuracy_mean"], *kept[["test_accuracy_low", "test_accuracy_high"]].to_numpy().flat]
    marks, numbers = LevelMarks(plan), front_numbers(front)

    def draw(width: float) -> tuple[float, list[Markup]]:
        narrow = width == NARROW
        height = 380.0 if narrow else 470.0
        bottom = height - 52 - (STRIP if len(kept) < front["accuracy"].notna().sum() else 0)
        x, y = cost_scale(front["cost"], 52, width - 14), accuracy_scale(accuracies, bottom, 14)
        frame = Frame(x, y, below, height - 62)
        parts = _ground(frame, axis, width, height, narrow)
        parts.append(_stairs(front[front["on_front"] & (front["accuracy"] >= below)], frame, axis))
        points = {str(name): point for name, point in front[front["accuracy"].notna()].iterrows()}
        spots = {name: frame.at(point) for name, point in points.items()}
        labels = placed({name: (spots[name], str(number)) for name, number in numbers.items()}, list(spots.values()))
        parts += [_arm(arms[name], point, frame, marks, axis, labels.get(name)) for name, point in points.items()]
        return height, parts

    return both_widths(draw, f"Test accuracy against {axis.title} of {len(front)} arms, and the Pareto front")


def front_numbers(front: pd.DataFrame) -> dict[str, int]:
    """Arms on the front by the means, numbered from the most accurate on."""
    members = front[front["on_front"]].sort_values("accuracy", ascending=False)
    return {str(name): i for i, name in enumerate(members.index, start=1)}


def _ground(frame: Frame, axis: Axis, width: float, height: float, narrow: bool) -> list[Markup]:
    x, y = frame.x, frame.y
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
    if y.start < height - 60:
        parts += [
            line(52, y.start + 8, width - 8, y.start + 8, "reference"),
            text(46, frame.strip + 4, "lower", "tick", "end"),
        ]
    return [*parts, text((52 + width) / 2, height - 8, f"{axis.title}, {axis.unit}", "tick", "middle")]


def _stairs(members: pd.DataFrame, frame: Frame, axis: Axis) -> Markup:
    """The border of what is dominated."""
    ordered = members.sort_values("cost", ascending=not axis.more_is_better)
    points: list[tuple[float, float]] = []
    for _, row in ordered.iterrows():
        at = frame.at(row)
        points += [(at[0], points[-1][1]), at] if points else [at]
    return path(points, "front") if len(points) > 1 else Markup("")


def _arm(
    cell: pd.Series[Any], point: pd.Series[Any], frame: Frame, marks: LevelMarks, axis: Axis, label: Place | None
) -> Markup:
    x, y = frame.at(point)
    low, high = cell["test_accuracy_low"], cell["test_accuracy_high"]
    chance = point["probability"]
    sure = "" if pd.isna(chance) else f"; on the front with probability {probability(chance)}"
    cost = f"{point['cost']:,.{axis.digits}f} {axis.unit}"
    parts = [tag("title", f"{cell['cell']}: {percent(point['accuracy'])} ({span(low, high)}), {cost}{sure}")]
    parts.append(tag("circle", cx=x, cy=y, r=14.0, class_="hit"))
    outside = point["accuracy"] < frame.below
    if pd.notna(low) and not outside:
        parts.append(line(x, frame.y(low), x, frame.y(high), "whisker"))
    if cell["baseline"]:
        parts.append(tag("circle", cx=x, cy=y, r=12.0, class_="ring"))
    parts.append(marker(x, y, 5.5, marks.shape(cell), "dot" if point["on_front"] else "dot off"))
    if label:
        parts.append(text(label.x, label.y, label.words, "number", label.anchor))
    elif outside:
        right = x + ROOM < frame.x.end
        accuracy = f"{100 * point['accuracy']:.1f}"
        parts.append(text(x + 10 if right else x - 10, y + 4, accuracy, "tick", "start" if right else "end"))
    return tag("g", *parts, class_=level_class(marks.colour(cell)), **marks.data(cell))
