"""Accuracy by learning rate: the picture of the ViT paper's figure 9 (arXiv 2010.11929, appendix D.3)."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from studies.design.plan import Plan
from studies.design.tuned import TUNED, tuned_pairs
from studies.report.colours import level_colour
from studies.report.figures import TEXT

RATE = "learning_rate"


@TEXT
def tuning_figure(plan: Plan, cells: pd.DataFrame, trials: pd.DataFrame) -> Figure:
    """Left, where the study has a grid of rates: test accuracy over it, tuned arms as stars. Right: every tuning trial.

    Args:
        plan: of the tuned study.
        cells: one row per arm.
        trials: one row per tuning trial.
    """
    figure = Figure(figsize=(10.0 if RATE in plan.factors else 6.0, 4.2), layout="constrained")
    axes = figure.subplots(1, 2 if RATE in plan.factors else 1, squeeze=False)[0]
    if RATE in plan.factors:
        _grid(axes[0], plan, cells)
    _trials(axes[-1], plan, trials)
    for one in axes:
        one.set_xscale("log")
        one.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        one.xaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
        one.xaxis.set_minor_formatter(NullFormatter())
        one.set_xlabel("learning rate")
        one.grid(visible=True, color="0.92", lw=0.8)
        one.set_axisbelow(True)
        one.spines[["top", "right"]].set_visible(False)
        one.legend(frameon=False, fontsize=8, loc="best")
    return figure


def _grid(axes: Axes, plan: Plan, cells: pd.DataFrame) -> None:
    """One line for every setting of the other factors."""
    others = [name for name in plan.factors if name != RATE]
    rates = {cell.name: cell.recipe.learning_rate for cell in plan.runnable}
    order = {cell.name: place for place, cell in enumerate(plan.cells)}  # colours as of the tuning trials
    done = cells[cells["n"] > 0].sort_values("cell", key=lambda names: names.map(order))
    groups = done.groupby([done[name].astype(str) for name in others], sort=False) if others else [("", done)]
    for i, (setting, rows) in enumerate(groups):
        label = "/".join(setting) if isinstance(setting, tuple) else str(setting)
        rows = rows.assign(rate=rows["cell"].map(rates)).sort_values("rate")
        tuned = rows[RATE].astype(str) == TUNED
        for part, line in ((rows[~tuned], "o-"), (rows[tuned], "*")):
            mean, low, high = (100 * part[f"test_accuracy_{name}"] for name in ("mean", "low", "high"))
            bars = None if low.isna().all() else [(mean - low).fillna(0), (high - mean).fillna(0)]
            words = label if line == "o-" else None
            size = 13 if line == "*" else 5
            axes.errorbar(part["rate"], mean, yerr=bars, fmt=line, ms=size, lw=1.2, color=level_colour(i), label=words)
    axes.set_ylabel("test accuracy in % (bar: 95 % interval)")
    axes.set_title("declared rates, and tuned (star)", loc="left")


def _trials(axes: Axes, plan: Plan, trials: pd.DataFrame) -> None:
    """Full: complete; open: given up; star: chosen."""
    for i, arm in enumerate(tuned_pairs(plan)):
        rows = trials[(trials["cell"] == arm) & trials["val_accuracy"].notna()]
        if RATE not in rows:
            continue
        colour = level_colour(i)
        for part, marker, full in (
            (rows[(rows["state"] == "complete") & ~rows["chosen"]], "o", True),
            (rows[rows["state"] == "pruned"], "o", False),
            (rows[rows["chosen"]], "*", True),
        ):
            words = arm if marker == "*" else None
            face = colour if full else "none"
            size = 13 if marker == "*" else 5
            axes.plot(part[RATE], 100 * part["val_accuracy"], marker, ls="", ms=size, mec=colour, mfc=face, label=words)
    axes.set_ylabel("validation accuracy in %, one seed")
    axes.set_title("tuning trials (open: given up, star: chosen)", loc="left")
