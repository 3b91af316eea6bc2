"""Every seed as a dot, one line an arm, with its mean and interval."""

from __future__ import annotations

from typing import Any

import pandas as pd
from markupsafe import Markup

from studies.charts.levels import Looks
from studies.charts.scale import Scale, accuracy_scale
from studies.charts.svg import NARROW, both_widths, line, tag, text
from studies.design import Plan
from studies.phrases import percent

LETTER = 6.6  # pixels, about


def dots_chart(plan: Plan, runs: pd.DataFrame, cells: pd.DataFrame) -> Markup:
    """Test accuracy per arm, the highest mean on top; a dashed line marks the baseline's mean."""
    shown = [cell for _, cell in cells[cells["n"] > 0].iterrows()]
    complete = runs[runs["status"] == "complete"]
    seeds = {str(name): arm["test_accuracy"].astype(float).tolist() for name, arm in complete.groupby("cell")}
    values = [v for arm in seeds.values() for v in arm]
    values += [cell[bound] for cell in shown for bound in ("test_accuracy_low", "test_accuracy_high")]
    looks = Looks(plan)

    def draw(width: float) -> tuple[float, list[Markup]]:
        narrow = width == NARROW
        left = 6.0 if narrow else 24 + LETTER * max(len(str(cell["cell"])) for cell in shown)
        step = 38.0 if narrow else 25.0
        bottom = 12 + step * len(shown)
        scale = accuracy_scale(values, left + 6, width - 10)
        parts = [*gridlines(scale, 6, bottom, 4 if narrow else 8), *_baseline(plan, shown, scale, bottom)]
        for i, cell in enumerate(shown):
            y = 12 + step * (i + 0.5) + (9 if narrow else 0)
            parts.append(_arm(cell, seeds[cell["cell"]], scale, y, looks.colour(cell)))
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


def _arm(cell: pd.Series[Any], seeds: list[float], scale: Scale, y: float, colour: str) -> Markup:
    parts = [tag("title", f"{cell['cell']}: mean {percent(cell['test_accuracy_mean'])}, n = {cell['n']}")]
    if pd.notna(cell["test_accuracy_low"]):
        low, high = scale(cell["test_accuracy_low"]), scale(cell["test_accuracy_high"])
        parts.append(line(low, y, high, y, "interval"))
    parts += [tag("circle", cx=scale(value), cy=y, r=3.6, class_="seed") for value in seeds]
    mean = scale(cell["test_accuracy_mean"])
    parts.append(line(mean, y - 8, mean, y + 8, "mean"))
    return tag("g", *parts, class_=colour)
