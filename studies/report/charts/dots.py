"""Every seed as a dot, one line an arm, with its mean and interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from studies.design.plan import Plan
from studies.findings.words import percent, span
from studies.report.charts.levels import LevelMarks
from studies.report.charts.scale import Scale, accuracy_scale
from studies.report.charts.svg import NARROW, both_widths, line, tag, text
from studies.report.colours import level_class

LETTER = 6.6  # pixels, about
MOST_DOTS = 200
"""Of an arm: more lie upon one another, and would make a page of many megabytes."""


def few(values: Sequence[float]) -> list[float]:
    """All of some seeds; of more than ``MOST_DOTS``, so many evenly spaced by rank, from the lowest to the highest."""
    if len(values) <= MOST_DOTS:
        return list(values)
    ranked = np.sort(values)
    return [float(value) for value in ranked[np.linspace(0, len(ranked) - 1, MOST_DOTS).round().astype(int)]]


def dots_chart(plan: Plan, runs: pd.DataFrame, cells: pd.DataFrame) -> Markup:
    """Test accuracy per arm, the highest mean on top; a dashed line marks the baseline's mean."""
    shown = [cell for _, cell in cells[cells["n"] > 0].iterrows()]
    complete = runs[runs["status"] == "complete"]
    seeds = {str(name): arm["test_accuracy"].astype(float).tolist() for name, arm in complete.groupby("cell")}
    ends = [end for arm in seeds.values() for end in (min(arm), max(arm))]
    ends += [cell[bound] for cell in shown for bound in ("test_accuracy_low", "test_accuracy_high")]
    marks = LevelMarks(plan)

    def draw(width: float) -> tuple[float, list[Markup]]:
        narrow = width == NARROW
        left = 6.0 if narrow else 24 + LETTER * max(len(str(cell["cell"])) for cell in shown)
        step = 38.0 if narrow else 25.0
        bottom = 12 + step * len(shown)
        scale = accuracy_scale(ends, left + 6, width - 10)
        parts = [*gridlines(scale, 6, bottom, 4 if narrow else 8), *_baseline(plan, shown, scale, bottom)]
        for i, cell in enumerate(shown):
            y = 12 + step * (i + 0.5) + (9 if narrow else 0)
            parts.append(_arm(cell, few(seeds[cell["cell"]]), scale, y, marks))
            anchor = None if narrow else "end"
            where = (left, y - 13) if narrow else (left - 12, y + 4)
            style = "name strong" if cell["baseline"] else "name"
            parts.append(
                text(*where, str(cell["cell"]) + " · baseline" * (narrow and bool(cell["baseline"])), style, anchor)
            )
        return bottom + 24, parts

    return both_widths(draw, f"Test accuracy of every seed of {len(shown)} arms, with means and 95 % intervals")


def gridlines(scale: Scale, top: float, bottom: float, most: int) -> list[Markup]:
    """Vertical lines at round accuracies, labelled below in percent."""
    parts = []
    for value in scale.ticks(most):
        x = scale(value)
        parts += [line(x, top, x, bottom, "grid"), text(x, bottom + 17, f"{100 * value:.4g} %", "tick", "middle")]
    return parts


def _baseline(plan: Plan, shown: list[pd.Series[Any]], scale: Scale, bottom: float) -> list[Markup]:
    means = [cell["test_accuracy_mean"] for cell in shown if cell["cell"] == plan.baseline]
    return [line(scale(mean), 6, scale(mean), bottom, "reference") for mean in means]


def _arm(cell: pd.Series[Any], seeds: list[float], scale: Scale, y: float, marks: LevelMarks) -> Markup:
    bounds = span(cell["test_accuracy_low"], cell["test_accuracy_high"])
    words = f"{cell['cell']}: mean {percent(cell['test_accuracy_mean'])} ({bounds}), n = {cell['n']}"
    parts = [tag("title", words), tag("rect", x=0, y=y - 11, width=scale.end, height=22.0, class_="hit")]
    if pd.notna(cell["test_accuracy_low"]):
        low, high = scale(cell["test_accuracy_low"]), scale(cell["test_accuracy_high"])
        parts.append(line(low, y, high, y, "interval"))
    parts += [tag("circle", cx=scale(value), cy=y, r=3.6, class_="seed") for value in seeds]
    mean = scale(cell["test_accuracy_mean"])
    parts.append(line(mean, y - 8, mean, y + 8, "mean"))
    return tag("g", *parts, class_=level_class(marks.colour(cell)), **marks.data(cell))
