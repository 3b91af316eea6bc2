"""Differences with their intervals against 0 and against what was declared not to matter."""

from __future__ import annotations

from typing import Any

import pandas as pd
from markupsafe import Markup

from studies.charts.scale import Scale, difference_scale
from studies.charts.svg import NARROW, NUM_COLOURS, both_widths, line, tag, text
from studies.design import Plan
from studies.phrases import evidence

LETTER = 6.6


def forest_chart(plan: Plan, effects: pd.DataFrame) -> Markup:
    """Every level against the baseline's level of its factor; the band is the margin of equivalence."""
    rows = [row for _, row in effects.iterrows() if pd.notna(row["difference"])]
    if not rows:
        return Markup("")
    margin = rows[0]["margin"]
    values = [row[name] for row in rows for name in ("low", "high", "difference")] + [margin, -margin]
    names = {i: f"{row['factor']}: {row['a']} − {row['b']}" for i, row in enumerate(rows)}

    def draw(width: float) -> tuple[float, list[Markup]]:
        narrow = width == NARROW
        left = 8.0 if narrow else 24 + LETTER * max(map(len, names.values()))
        right = width - 14 if narrow else width - 190
        step, top = (42.0, 8.0) if narrow else (30.0, 8.0)
        bottom = top + step * len(rows)
        scale = difference_scale(values, left + 6, right)
        parts = _ground(scale, margin, top, bottom, 5 if narrow else 11)
        for i, row in enumerate(rows):
            y = top + step * (i + 0.5) + (10 if narrow else 0)
            parts.append(_effect(row, scale, y, list(plan.factors).index(row["factor"])))
            parts.append(
                text(left, y - 15, names[i], "name") if narrow else text(left - 12, y + 4, names[i], "name", "end")
            )
            parts.append(
                text(right, y - 15, str(row["verdict"]), "tick", "end")
                if narrow
                else text(right + 16, y + 4, str(row["verdict"]), "tick")
            )
        return bottom + 26, parts

    return both_widths(draw, f"Differences in test accuracy of {len(rows)} levels from the baseline's, in points")


def _ground(scale: Scale, margin: float, top: float, bottom: float, most: int) -> list[Markup]:
    band = tag(
        "rect", x=scale(-margin), y=top, width=scale(margin) - scale(-margin), height=bottom - top, class_="band"
    )
    parts = [band]
    for value in scale.ticks(most):
        x = scale(value)
        parts += [line(x, top, x, bottom, "grid"), text(x, bottom + 18, _tick(value), "tick", "middle")]
    return [*parts, line(scale(0), top, scale(0), bottom, "zero")]


def _tick(value: float) -> str:
    return f"{100 * value:+.4g}".replace("-", "−") if value else "0"


def _effect(row: pd.Series[Any], scale: Scale, y: float, factor: int) -> Markup:
    x = scale(row["difference"])
    parts = [tag("title", f"{row['factor']}: {row['a']} instead of {row['b']}: {evidence(row)}; {row['verdict']}")]
    if pd.notna(row["low"]):
        parts.append(line(scale(row["low"]), y, scale(row["high"]), y, "interval"))
    parts.append(tag("circle", cx=x, cy=y, r=5.0, class_="dot"))
    return tag("g", *parts, class_=f"k{factor % NUM_COLOURS}")
