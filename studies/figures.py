"""Charts of a study: accuracy of every arm, accuracy against speed, the effect of every level."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.design import Plan
from studies.tables import write

# Okabe and Ito: told apart with any colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#B8A800")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def accuracy_figure(plan: Plan, runs: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Test accuracy per arm: every seed a dot, the mean and its 95 % t interval beside them."""
    shown = cells[cells["n"] > 0].iloc[::-1].reset_index(drop=True)
    figure, axes = _axes(8.0, 1.6 + 0.28 * len(shown))
    colour = _colours(plan)
    for y, (_, cell) in enumerate(shown.iterrows()):
        seeds = 100 * runs.loc[(runs["cell"] == cell["cell"]) & (runs["status"] == "complete"), "test_accuracy"]
        axes.plot(seeds, [y] * len(seeds), "o", ms=3.5, mec="none", alpha=0.35, color=colour(cell))
        _interval(axes, cell, y, colour(cell))
    names = [
        f"{name}  ◄ baseline" if base else name for name, base in zip(shown["cell"], shown["baseline"], strict=True)
    ]
    axes.set_yticks(range(len(shown)), names)
    axes.set_xlabel("test accuracy in % (dots: seeds; bar: mean and 95 % t interval)")
    axes.set_title(f"{plan.study} on {plan.dataset}: accuracy per arm", loc="left")
    _legend(axes, plan)
    return figure


def speed_figure(plan: Plan, cells: pd.DataFrame) -> Figure:
    """Mean test accuracy against training throughput; bars are the 95 % t interval over seeds."""
    shown = cells[(cells["n"] > 0) & cells["train_images_per_second"].notna()]
    figure, axes = _axes(8.0, 5.2)
    colour, marker = _colours(plan), _markers(plan)
    for _, cell in shown.iterrows():
        x, y = cell["train_images_per_second"] / 1000, 100 * cell["test_accuracy_mean"]
        low, high = y - 100 * cell["test_accuracy_low"], 100 * cell["test_accuracy_high"] - y
        bars = None if pd.isna(low) else [[low], [high]]
        size = 9 if cell["baseline"] else 6
        axes.errorbar(
            x,
            y,
            yerr=bars,
            fmt=marker(cell),
            ms=size,
            color=colour(cell),
            mec="black" if cell["baseline"] else "none",
            lw=1,
        )
    axes.set_xlabel("training throughput in 1,000 images a second (one torch thread, measured alone)")
    axes.set_ylabel("test accuracy in %")
    axes.set_title(f"{plan.study} on {plan.dataset}: accuracy against speed", loc="left")
    _legend(axes, plan, with_markers=True)
    return figure


def effects_figure(plan: Plan, effects: pd.DataFrame) -> Figure:
    """Difference of every level from the baseline's level, averaged over the other factors."""
    shown = effects.iloc[::-1].reset_index(drop=True)
    figure, axes = _axes(8.0, 1.5 + 0.36 * max(1, len(shown)))
    axes.axvline(0, color="0.6", lw=1)
    for y, (_, row) in enumerate(shown.iterrows()):
        colour = COLOURS[list(plan.factors).index(row["factor"]) % len(COLOURS)]
        low, high = 100 * row["low"], 100 * row["high"]
        if not pd.isna(low):
            axes.plot([low, high], [y, y], color=colour, lw=2, solid_capstyle="round")
        axes.plot(100 * row["difference"], y, "o", color=colour, ms=6)
    axes.set_yticks(range(len(shown)), [f"{r['factor']}: {r['a']} − {r['b']}" for _, r in shown.iterrows()])
    axes.set_xlabel("difference in test accuracy, points (bar: 95 % t interval over paired seeds)")
    axes.set_title(f"{plan.study} on {plan.dataset}: what each choice changes", loc="left")
    return figure


def save_figures(folder: Path, figures: dict[str, Figure]) -> list[str]:
    """Write PNG and SVG files; returns the PNG paths relative to ``folder``."""
    (folder / "figures").mkdir(exist_ok=True)
    for name, figure in figures.items():
        for suffix in ("png", "svg"):
            metadata = {"Date": None} if suffix == "svg" else None
            save = partial(figure.savefig, format=suffix, dpi=130, metadata=metadata)
            write(folder / "figures", f"{name}.{suffix}", save)
    return [f"figures/{name}.png" for name in figures]


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.grid(visible=True, axis="both", color="0.92", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _interval(axes: Axes, cell: pd.Series[Any], y: int, colour: str) -> None:
    mean = 100 * cell["test_accuracy_mean"]
    low, high = 100 * cell["test_accuracy_low"], 100 * cell["test_accuracy_high"]
    if not pd.isna(low):
        axes.plot([low, high], [y, y], color=colour, lw=2, solid_capstyle="round")
    axes.plot(mean, y, "|", color=colour, ms=12, mew=2.5)


def _by_level(plan: Plan, position: int, choices: Sequence[str]) -> Any:
    """The choice of a cell by its level of the factor at ``position``; the first choice if there is none."""
    if len(plan.factors) <= position:
        return lambda cell: choices[0]
    name, levels = list(plan.factors.items())[position]
    table = {str(level): choices[i % len(choices)] for i, level in enumerate(levels)}
    return lambda cell: table[str(cell[name])]


def _colours(plan: Plan) -> Any:
    return _by_level(plan, 0, COLOURS)


def _markers(plan: Plan) -> Any:
    return _by_level(plan, 1, MARKERS)


def _legend(axes: Axes, plan: Plan, with_markers: bool = False) -> None:
    factors = list(plan.factors.items())
    for i, level in enumerate(factors[0][1] if factors else []):
        axes.plot([], [], "o", color=COLOURS[i % len(COLOURS)], label=f"{factors[0][0]}: {level}")
    if with_markers and len(factors) > 1:
        for i, level in enumerate(factors[1][1]):
            axes.plot([], [], MARKERS[i % len(MARKERS)], color="0.4", label=f"{factors[1][0]}: {level}")
    if factors:
        axes.legend(frameon=False, fontsize=8, loc="best")
