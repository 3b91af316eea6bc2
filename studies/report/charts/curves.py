"""Learning curves: small multiples, a panel an arm, the others faint behind it; one chart where they are short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from studies.design.plan import Plan
from studies.findings.words import percent
from studies.report.charts.levels import LevelMarks
from studies.report.charts.scale import Scale, accuracy_scale
from studies.report.charts.svg import NARROW, both_widths, line, path, picture, tag, text
from studies.report.colours import level_class

WIDTH, HEIGHT = 220.0, 140.0
GROUND = "behind-curves"
"""Axes and all arms, faint: drawn in the first panel, and shown again in the others.

There, rules for what is below ``svg`` do not hold: those for its parts name ``.behind`` as well.
"""
SHORT = 3
"""Epochs that one chart of all arms can still show."""


@dataclass(frozen=True)
class Curve:
    """Validation accuracy of an arm by epoch: mean, lowest and highest seed."""

    epochs: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


def curves_charts(plan: Plan, runs: pd.DataFrame, cells: pd.DataFrame) -> dict[str, Markup]:
    """A panel for every arm with a curve, in the order of ``cells``; one chart, without a name, where all are short."""
    found = {name: curve for name in cells["cell"] if (curve := arm_curve(runs[runs["cell"] == name]))}
    if not found:
        return {}
    last = max(curve.epochs[-1] for curve in found.values())
    marks, arms = LevelMarks(plan), {str(cell["cell"]): cell for _, cell in cells.iterrows()}
    if last <= SHORT:
        return {"": _together(found, last, marks, arms)}
    x = Scale(1, last, 34, WIDTH - 8)
    y = accuracy_scale([v for c in found.values() for v in (*c.low, *c.high)], HEIGHT - 20, 8)
    shades = {name: level_class(marks.colour(arms[name])) for name in found}
    ghosts = (path(_points(curve, x, y), "ghost") for curve in found.values())
    ground = tag("g", *_ground(x, y, last, WIDTH, HEIGHT), *ghosts, id=GROUND, class_="behind")
    panels: dict[str, Markup] = {}
    for name, curve in found.items():
        parts = [tag("use", href=f"#{GROUND}") if panels else ground, _curve(curve, x, y, shades[name])]
        panels[name] = picture(WIDTH, HEIGHT, parts, f"Validation accuracy of {name} by epoch", "panel")
    return panels


def arm_curve(runs: pd.DataFrame) -> Curve | None:
    """Over the complete trials of one arm; None without any."""
    if "curve" not in runs:
        return None
    kept = [c for c in runs.loc[runs["status"] == "complete", "curve"] if isinstance(c, list) and c]
    if not kept:
        return None
    length = min(map(len, kept))
    values = np.array([[float(point["val_accuracy"]) for point in curve[:length]] for curve in kept])
    epochs = [int(point["epoch"]) for point in kept[0][:length]]
    return Curve(epochs, values.mean(axis=0).tolist(), values.min(axis=0).tolist(), values.max(axis=0).tolist())


def _together(found: dict[str, Curve], last: int, marks: LevelMarks, arms: dict[str, pd.Series[Any]]) -> Markup:
    """All arms in one chart: lines of their means."""
    means = [value for curve in found.values() for value in curve.mean]

    def draw(width: float) -> tuple[float, list[Markup]]:
        height = 320.0 if width == NARROW else 360.0
        x, y = Scale(1, max(last, 2), 60, width - 24), accuracy_scale(means, height - 30, 12)
        parts = _ground(x, y, last, width, height)
        return height, [*parts, *(_line(name, curve, x, y, marks, arms) for name, curve in found.items())]

    return both_widths(draw, f"Validation accuracy of {len(found)} arms by epoch")


def _line(name: str, curve: Curve, x: Scale, y: Scale, marks: LevelMarks, arms: dict[str, pd.Series[Any]]) -> Markup:
    words = ", ".join(f"epoch {e} {percent(v)}" for e, v in zip(curve.epochs, curve.mean, strict=True))
    points = _points(curve, x, y)
    dots = [tag("circle", cx=px, cy=py, r=3.2, class_="dot") for px, py in points]
    parts = [tag("title", f"{name}: {words}"), path(points, "hit line"), path(points, "curve"), *dots]
    return tag("g", *parts, class_=level_class(marks.colour(arms[name])), **marks.data(arms[name]))


def _ground(x: Scale, y: Scale, last: int, width: float, height: float) -> list[Markup]:
    parts = []
    left = x.start - 4
    for value in y.ticks(4 if height == HEIGHT else 7):
        parts += [
            line(x.start, y(value), width - 4, y(value), "grid"),
            text(left, y(value) + 3.5, f"{100 * value:.4g}", "tick", "end"),
        ]
    epochs = sorted({round(v) for v in Scale(1, max(last, 2), 0, 1).ticks(5)} | {1, last})
    return parts + [text(x(epoch), height - 4, str(epoch), "tick", "middle") for epoch in epochs if 1 <= epoch <= last]


def _curve(curve: Curve, x: Scale, y: Scale, colour: str) -> Markup:
    edges = [[(x(e), y(v)) for e, v in zip(curve.epochs, values, strict=True)] for values in (curve.high, curve.low)]
    middle = _points(curve, x, y)
    dots = [tag("circle", cx=px, cy=py, r=2.4, class_="dot") for px, py in middle] if len(middle) <= 8 else []
    spread = path([*edges[0], *reversed(edges[1])], "spread", closed=True)
    return tag("g", spread, path(middle, "curve"), *dots, class_=colour)


def _points(curve: Curve, x: Scale, y: Scale) -> list[tuple[float, float]]:
    return [(x(epoch), y(value)) for epoch, value in zip(curve.epochs, curve.mean, strict=True)]
