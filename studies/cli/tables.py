"""Tables as a terminal shows them; names are text, never markup."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from rich.cells import cell_len

from studies.cli.grid import Grid
from studies.design.levels import BASELINE
from studies.findings.columns import ARMS, CHANGES, Column, texts
from studies.findings.words import MISSING, signed, span

if TYPE_CHECKING:  # a table that lies there is printed without torch and scipy
    from studies.design.plan import Plan
    from studies.findings.comparison import Comparison
    from studies.statistics.verdicts import Contrast


def comparison_table(found: Comparison) -> Grid:
    """One row per arm: B - A in points, and the speed of B over that of A; no column is left out."""
    return column_table("B against A", list(CHANGES.values()), found.arms)


def comparison_lines(found: Comparison) -> Iterator[str]:
    """What differs between the runs, and the verdicts over all arms."""
    if found.identical:
        yield f"identical: {found.trials} trials of {len(found.arms)} arms, bit for bit, and what made them"
        return
    for name, (a, b) in found.changed.items():
        yield f"{name}: {a} -> {b}"
    if found.only:
        yield f"in one run only: {', '.join(found.only)}"
    if found.redeclared:
        yield f"declared otherwise: {', '.join(found.redeclared)}"
    if found.unpaired:
        yield f"complete in one run only: {found.unpaired} trials"
    yield f"equal bit for bit: {found.equal} of {found.trials} trials"
    yield f"accuracy over all {found.accuracy.n} arms: {_points(found.accuracy)}: {found.accuracy.verdict}"
    if found.speed is None:
        yield "speed: not compared, the hardware differs"
        return
    for kind, judged in found.speed.items():
        change = signed(math.expm1(judged.difference), 1)  # differences are logarithms of a ratio
        yield f"{kind.replace('_', ' ')} over all {judged.n} arms: {change} %: {judged.verdict}"


def _points(judged: Contrast) -> str:
    return f"{signed(judged.difference)} points ({span(judged.low, judged.high, signed)})"


def ranked_table(title: str, cells: pd.DataFrame, styled: bool = True) -> Grid:
    """The arms by mean test accuracy, with intervals and speed; as many columns as a terminal holds.

    Args:
        title: above it.
        cells: a row an arm, as in ``cells.csv``.
        styled: whether bold can be seen; else the baseline is named below.
    """
    failed = ["failed"] if "failed" in cells and cells["failed"].any() else []
    balanced = ["test_balanced_accuracy_mean"] if "test_balanced_accuracy_mean" in cells else []
    speeds = ("train_images_per_second", "infer_images_per_second")
    wanted = ("cell", "n", *failed, "test_accuracy_mean", "interval", *balanced, *speeds, "params", "num_tokens")
    columns = [ARMS[name] for name in wanted if set(ARMS[name].keys) <= set(cells)]
    baseline = ", ".join(cells.loc[cells["baseline"].astype(bool), "cell"]) if "baseline" in cells else ""
    named = styled or baseline != BASELINE
    caption = ["bold: the baseline" if styled else f"baseline: {baseline}"] if baseline and named else []
    caption[:] = [" · ".join([*caption, "interval: Student's t over seeds", f"{MISSING} : not available"])]
    if "unsupported" in cells:
        impossible = cells[cells["unsupported"].notna()]
        reasons = zip(impossible["cell"], impossible["unsupported"], strict=True)
        caption += [f"{name} cannot be: {reason}" for name, reason in reasons]
    return column_table(title, columns, cells, caption, whole=False)


def title_of(plan: Plan) -> str:
    """Which study, of what, and what it asks."""
    return f"{plan.study} on {plan.dataset}, {plan.device}: {plan.question}"


def column_table(
    title: str, columns: Sequence[Column], frame: pd.DataFrame, caption: Sequence[str] = (), whole: bool = True
) -> Grid:
    """A table of result columns, a heading no wider than what stands under it; the baseline is bold."""
    rows = texts(columns, frame)
    headers = []
    for i, column in enumerate(columns):
        room = max([6, *(cell_len(row[i]) for row in rows)])
        headers.append("\n".join(textwrap.wrap(column.short or column.heading, room, break_long_words=False)))
    bold = [i for i, is_baseline in enumerate(frame["baseline"]) if is_baseline] if "baseline" in frame else []
    return Grid(headers, rows, title, caption, range(1, len(columns)), bold, whole)
