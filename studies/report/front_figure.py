"""What a search for trade-offs found: accuracy against each cost, and how the hypervolume grew."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from studies.report.colours import level_colour
from studies.report.figures import TEXT

COSTS = {
    "train_seconds": "training of one core, s",
    "infer_images_per_second": "inference, images/s of one thread",
    "gpu_memory_mib": "GPU memory of training, MiB",
}


@TEXT
def front_figure(cells: pd.DataFrame, trials: pd.DataFrame) -> Figure:
    """Three panels of cost, one of the search's course.

    Args:
        cells: one row per confirmed arm, with its interval on the test set.
        trials: of `findings.fronts.trials_frame`.
    """
    figure = Figure(figsize=(11.0, 7.5), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    done = trials[trials["state"] == "complete"]
    confirmed = done[done["confirmed"]].merge(
        cells[cells["n"] > 0], left_on="configuration", right_on="cell", suffixes=("", "_arm")
    )
    for one, (name, words) in zip(axes, COSTS.items(), strict=False):
        _against(one, done, confirmed, name)
        one.set_xlabel(words)
        one.set_xscale("log")
        one.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        one.xaxis.set_major_formatter(lambda cost, _: f"{cost:,g}")
        one.xaxis.set_minor_formatter(NullFormatter())
    _course(axes[3], done)
    for one in axes:
        one.grid(visible=True, color="0.92", lw=0.8)
        one.set_axisbelow(True)
        one.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8, loc="best")
    return figure


def _against(axes: Axes, done: pd.DataFrame, confirmed: pd.DataFrame, cost: str) -> None:
    for part, colour, words in (
        (done[~done["on_front"]], "0.75", "another is better in all, validation, one seed"),
        (done[done["on_front"]], level_colour(0), "on the front, validation, one seed"),
    ):
        axes.plot(part[cost], 100 * part["val_accuracy"], "o", ls="", ms=4.5, color=colour, label=words)
    if len(confirmed):
        mean, low, high = (100 * confirmed[f"test_accuracy_{name}"] for name in ("mean", "low", "high"))
        bars = None if low.isna().all() else [(mean - low).fillna(0), (high - mean).fillna(0)]
        words = "confirmed: test, fresh seeds, 95 % interval"
        axes.errorbar(confirmed[cost], mean, yerr=bars, fmt="*", ms=11, lw=1.2, color=level_colour(1), label=words)
    axes.set_ylabel("accuracy in %")


def _course(axes: Axes, done: pd.DataFrame) -> None:
    axes.step(np.arange(1, len(done) + 1), done["hypervolume"], where="post", color=level_colour(0))
    axes.set_xlabel("trained configurations")
    axes.set_ylabel("hypervolume (worst seen to best seen = 1)")
    axes.set_ylim(bottom=0)
