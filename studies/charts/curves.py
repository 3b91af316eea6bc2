"""Learning curves as small multiples: one panel an arm, on common axes, the other arms faint behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from studies.charts.levels import Looks
from studies.charts.scale import Scale, accuracy_scale
from studies.charts.svg import line, path, picture, tag, text
from studies.design import Plan

WIDTH, HEIGHT = 220.0, 140.0


@dataclass(frozen=True)
class Curve:
    """Validation accuracy of an arm by epoch: mean, lowest and highest seed."""

    epochs: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


def curves_charts(plan: Plan, runs: pd.DataFrame, cells: pd.DataFrame) -> dict[str, Markup]:
    """A panel for every arm with a curve, in the order of ``cells``."""
    found = {name: curve for name in cells["cell"] if (curve := arm_curve(runs[runs["cell"] == name]))}
    if not found:
        return {}
    last = max(curve.epochs[-1] for curve in found.values())
    x = Scale(1, max(last, 2), 34, WIDTH - 8)
    y = accuracy_scale([v for c in found.values() for v in (*c.low, *c.high)], HEIGHT - 20, 8)
    looks, arms = Looks(plan), cells.set_index("cell", drop=False)
    behind = tag("g", *(path(_points(c.epochs, c.mean, x, y), "ghost") for c in found.values()))
    return {
        name: picture(
            WIDTH,
            HEIGHT,
            [*_ground(x, y, last), behind, _curve(curve, x, y, looks.colour(arms.loc[name]))],
            f"Validation accuracy of {name} by epoch",
            "panel",
        )
        for name, curve in found.items()
    }


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


def _ground(x: Scale, y: Scale, last: int) -> list[Markup]:
    parts = []
    for value in y.ticks(4):
        parts += [
            line(34, y(value), WIDTH - 4, y(value), "grid"),
            text(30, y(value) + 3.5, f"{100 * value:.4g}", "tick", "end"),
        ]
    epochs = sorted({round(v) for v in Scale(1, max(last, 2), 0, 1).ticks(5)} | {1, last})
    return parts + [text(x(epoch), HEIGHT - 4, str(epoch), "tick", "middle") for epoch in epochs if epoch <= last]


def _curve(curve: Curve, x: Scale, y: Scale, colour: str) -> Markup:
    upper, lower = _points(curve.epochs, curve.high, x, y), _points(curve.epochs, curve.low, x, y)
    middle = _points(curve.epochs, curve.mean, x, y)
    dots = [tag("circle", cx=px, cy=py, r=2.4, class_="dot") for px, py in middle] if len(middle) <= 8 else []
    if len(middle) == 1:
        return tag("g", line(middle[0][0], lower[0][1], middle[0][0], upper[0][1], "interval"), *dots, class_=colour)
    return tag(
        "g", path([*upper, *reversed(lower)], "spread", closed=True), path(middle, "curve"), *dots, class_=colour
    )


def _points(epochs: list[int], values: list[float], x: Scale, y: Scale) -> list[tuple[float, float]]:
    return [(x(epoch), y(value)) for epoch, value in zip(epochs, values, strict=True)]
