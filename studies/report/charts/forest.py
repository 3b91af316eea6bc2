"""Differences with their intervals against 0 and against what was declared not to matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from studies.findings.effects import settings_of
from studies.findings.words import evidence
from studies.report.charts.scale import Scale, difference_scale
from studies.report.charts.svg import NARROW, both_widths, line, tag, text

LETTER = 6.6


def forest_chart(effects: pd.DataFrame, contrasts: pd.DataFrame) -> Markup:
    """Every change away from the baseline; the band is the margin, faint strokes are the change in other settings."""
    rows = [row for _, row in effects.iterrows() if pd.notna(row["difference"])]
    if not rows:
        return Markup("")
    margin = rows[0]["margin"]
    elsewhere = [settings_of(contrasts, row)["difference"].dropna().tolist() for row in rows]
    values = [row[name] for row in rows for name in ("low", "high", "difference")] + [margin, -margin]
    values += [value for settings in elsewhere for value in settings]
    names = {i: f"{row['factor']}: {row['a']} − {row['b']}" for i, row in enumerate(rows)}

    def draw(width: float) -> tuple[float, list[Markup]]:
        narrow = width == NARROW
        left = 8.0 if narrow else 24 + LETTER * max(map(len, names.values()))
        right = width - 14 if narrow else width - 190
        step, top = (42.0, 8.0) if narrow else (30.0, 8.0)
        bottom = top + step * len(rows)
        scale = difference_scale(values, left + 6, right)
        parts = _ground(scale, margin, top, bottom, 7 if narrow else 11)
        for i, row in enumerate(rows):
            y = top + step * (i + 0.5) + (10 if narrow else 0)
            parts.append(_effect(row, elsewhere[i], scale, y))
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


def _effect(row: pd.Series[Any], elsewhere: Sequence[float], scale: Scale, y: float) -> Markup:
    x = scale(row["difference"])
    parts = [tag("title", f"{row['factor']}: {row['a']} instead of {row['b']}: {evidence(row)}; {row['verdict']}")]
    if pd.notna(row["low"]):
        parts.append(line(scale(row["low"]), y, scale(row["high"]), y, "interval"))
    parts += [line(scale(value), y - 6, scale(value), y + 6, "elsewhere") for value in elsewhere]
    parts.append(_mark(row["verdict"], x, y))
    return tag("g", *parts, class_="ink")


def _mark(verdict: str, x: float, y: float) -> Markup:
    """Full where decided, a diamond where equivalent, open where undecided."""
    if verdict == "equivalent":
        return tag("path", d=f"M{x - 6:.1f} {y:.1f}l6 -6l6 6l-6 6z", class_="dot")
    return tag("circle", cx=x, cy=y, r=5.0, class_="dot" if verdict != "undecided" else "dot open")
