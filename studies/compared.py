"""A comparison of two runs as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from rich.table import Table

from studies.comparison import Comparison
from studies.statistics import Contrast


def comparison_table(found: Comparison) -> Table:
    """One row per arm: B - A in points, and the speed of B over that of A."""
    table = Table("arm", title="B against A", title_justify="left")
    for column in ("n", "accuracy, points", "95 % interval", "verdict", "training", "inference"):
        table.add_column(column, justify="right")
    for _, arm in found.arms.iterrows():
        table.add_row(*_row(arm))
    return table


def comparison_lines(found: Comparison) -> Iterator[str]:
    """What differs between the runs, and the verdicts over all arms."""
    for name, (a, b) in found.changed.items():
        yield f"{name}: {a} -> {b}"
    if found.only:
        yield f"in one run only: {', '.join(found.only)}"
    yield f"accuracy over all {found.accuracy.n} arms: {_points(found.accuracy)}: {found.accuracy.verdict}"
    if found.speed is None:
        yield "speed: not compared, the hardware differs"
        return
    for kind, judged in found.speed.items():
        yield f"{kind.replace('_', ' ')} over all {judged.n} arms: {100 * judged.difference:+.1f} %: {judged.verdict}"


def _row(arm: pd.Series[Any]) -> list[str]:
    low, high = 100 * arm["low"], 100 * arm["high"]
    speeds = [arm.get(f"{kind}_images_per_second_ratio") for kind in ("train", "infer")]
    return [
        arm["arm"],
        str(arm["n"]),
        f"{100 * arm['difference']:+.2f}",
        "–" if pd.isna(low) else f"{low:+.2f} to {high:+.2f}",
        arm["verdict"],
        *("–" if ratio is None or pd.isna(ratio) else f"{ratio:.2f}x" for ratio in speeds),
    ]


def _points(judged: Contrast) -> str:
    return f"{100 * judged.difference:+.2f} points ({100 * judged.low:+.2f} to {100 * judged.high:+.2f})"
