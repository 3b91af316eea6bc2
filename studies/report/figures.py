"""Charts of a study: accuracy of every arm, accuracy against speed, the effect of every level."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bench.files import write
from studies.design.levels import BASELINE
from studies.findings.effects import settings_of
from studies.ledger.folder import ResultsFolder
from studies.report.charts.dots import MOST_DOTS, few
from studies.report.charts.levels import LevelMarks
from studies.report.charts.scale import LEAST_ERROR, Scale, accuracy_scale, cost_scale
from studies.report.colours import LIGHT, level_colour
from studies.report.declared import Declared

TEXT = rc_context({"text.parse_math": False})  # a dollar in a name is a dollar
HASH = "vit-ablate"
"""From which SVG ids are made, so that a figure is the same file whenever it is drawn."""
VERDICT_MARKS = {"better": ("o", True), "worse": ("o", True), "equivalent": ("D", True), "undecided": ("o", False)}
"""Shape, and whether it is full."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


WORD_MARKS = {"better": "▲", "worse": "▼", "equivalent": "◆", "undecided": "○", BASELINE: BASELINE}
WIDTH = 8.0  # inches, of a figure on a screen
COLUMN = 7.0
"""A figure narrower than this stands in a column of a paper: smaller letters, and no title."""


def figures_of(
    plan: Declared,
    runs: pd.DataFrame,
    cells: pd.DataFrame,
    contrasts: pd.DataFrame,
    effects: pd.DataFrame,
    width: float = WIDTH,
) -> dict[str, Figure]:
    """Every figure that these tables can give, by name; ``width`` in inches."""
    with rc_context({"font.size": 10 if width >= COLUMN else 7.5}):
        figures = {"accuracy": accuracy_figure(plan, runs, cells, contrasts, width)}
        if len(effects):
            figures["effects"] = effects_figure(plan, effects, contrasts, width)
        if cells["train_images_per_second"].notna().any():
            figures["speed"] = speed_figure(plan, cells, width)
    return figures


@TEXT
def accuracy_figure(
    plan: Declared, runs: pd.DataFrame, cells: pd.DataFrame, contrasts: pd.DataFrame, width: float = WIDTH
) -> Figure:
    """Test accuracy per arm: every seed a dot, mean and 95 % t interval; the baseline, and the margin around it."""
    shown = cells[cells["n"] > 0].iloc[::-1].reset_index(drop=True)
    figure, axes = _axes(width, (1.6 if width >= COLUMN else 1.0) + (0.28 if width >= COLUMN else 0.17) * len(shown))
    marks, said = LevelMarks(plan), contrasts[contrasts["factor"] == "cell"].set_index("a")["verdict"].to_dict()
    complete = runs[runs["status"] == "complete"]
    base = 100 * cells.loc[cells["cell"] == plan.baseline, "test_accuracy_mean"].mean()
    axes.axvspan(base - 100 * plan.compares.margin, base + 100 * plan.compares.margin, color="0.5", alpha=0.15, lw=0)
    axes.axvline(base, color="0.45", lw=1, ls="--")
    for y, (_, cell) in enumerate(shown.iterrows()):
        seeds = 100 * np.array(few(complete.loc[complete["cell"] == cell["cell"], "test_accuracy"].to_numpy(float)))
        colour = level_colour(marks.colour(cell))
        axes.plot(seeds, [y] * len(seeds), "o", ms=3.5, mec="none", alpha=0.35, color=colour)
        _interval(axes, cell, y, colour)
    said[plan.baseline] = BASELINE
    marked = [WORD_MARKS.get(said.get(name, ""), "") for name in shown["cell"]]
    names = [
        _fitting(name, width) + f"  {mark}" * (mark != name) for name, mark in zip(shown["cell"], marked, strict=True)
    ]
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(-0.7, max(len(shown), 1) - 0.3)
    _scaled(axes, "x", accuracy_scale([*complete["test_accuracy"], *shown["test_accuracy_low"]], 0, 1))
    dots = "seeds" if cells["n"].max() <= MOST_DOTS else f"{MOST_DOTS} of the seeds, evenly by rank"
    axes.set_xlabel(f"test accuracy in % (dots: {dots}; bar: mean and 95 % t interval)" if width >= COLUMN else
                    "test accuracy, %")  # fmt: skip
    _title(figure, width, f"{plan.study} on {plan.dataset}: accuracy per arm")
    _key(figure, width, "dashed: the baseline, band: the margin around it · ▲ better ▼ worse ◆ equivalent ○ undecided")
    _legend(axes, plan, width)
    return figure


@TEXT
def speed_figure(plan: Declared, cells: pd.DataFrame, width: float = WIDTH) -> Figure:
    """Mean test accuracy against training throughput; bars are the 95 % t interval over seeds."""
    shown = cells[(cells["n"] > 0) & cells["train_images_per_second"].notna()]
    figure, axes = _axes(width, 0.65 * width if width >= COLUMN else 0.9 * width)
    marks = LevelMarks(plan)
    for _, cell in shown.iterrows():
        x, y = cell["train_images_per_second"], 100 * cell["test_accuracy_mean"]
        low, high = y - 100 * cell["test_accuracy_low"], 100 * cell["test_accuracy_high"] - y
        bars = None if pd.isna(low) else [[low], [high]]
        shape, colour = MARKERS[marks.shape(cell) % len(MARKERS)], level_colour(marks.colour(cell))
        size = (9 if cell["baseline"] else 6) * (1 if width >= COLUMN else 0.65)
        edge = "black" if cell["baseline"] else "none"
        axes.errorbar(x, y, yerr=bars, fmt=shape, ms=size, color=colour, mec=edge, lw=1)
    _scaled(axes, "x", cost_scale(shown["train_images_per_second"], 0, 1), 1.0)
    bounds = shown[["test_accuracy_low", "test_accuracy_high", "test_accuracy_mean"]].to_numpy().flat
    _scaled(axes, "y", accuracy_scale(bounds, 0, 1))
    axes.set_xlabel(
        "training throughput, images/s" + (" (one torch thread, measured alone)" if width >= COLUMN else "")
    )
    axes.set_ylabel("test accuracy, %")
    _title(figure, width, f"{plan.study} on {plan.dataset}: accuracy against speed")
    _legend(axes, plan, width, with_markers=True)
    return figure


@TEXT
def effects_figure(plan: Declared, effects: pd.DataFrame, contrasts: pd.DataFrame, width: float = WIDTH) -> Figure:
    """What every change does with all else at the baseline, with its verdict; faint, in the other settings."""
    shown = effects.iloc[::-1].reset_index(drop=True)
    step = 0.36 if width >= COLUMN else 0.3
    figure, axes = _axes(width, (1.7 if width >= COLUMN else 0.9) + step * max(1, len(shown)))
    margin = 100 * plan.compares.margin
    axes.axvspan(-margin, margin, color="0.5", alpha=0.15, lw=0)
    axes.axvline(0, color="0.6", lw=1)
    for y, (_, row) in enumerate(shown.iterrows()):
        low, high = 100 * row["low"], 100 * row["high"]
        if not pd.isna(low):
            axes.plot([low, high], [y, y], color=LIGHT.ink, lw=2, solid_capstyle="round")
        elsewhere = 100 * settings_of(contrasts, row)["difference"]
        axes.plot(elsewhere, [y] * len(elsewhere), "|", color=LIGHT.ink, ms=9, alpha=0.4)
        marker, full = VERDICT_MARKS[row["verdict"]]
        axes.plot(100 * row["difference"], y, marker, color=LIGHT.ink, mfc=LIGHT.ink if full else "white", ms=7)
    gap = "   " if width >= COLUMN else "\n"
    changes = [_fitting(f"{r['factor']}: {r['a']} − {r['b']}", width) for _, r in shown.iterrows()]
    names = [f"{change}{gap}{verdict}" for change, verdict in zip(changes, shown["verdict"], strict=True)]
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(-0.6, max(len(shown), 1) - 0.4)
    axes.set_xlabel("test accuracy, difference in points (bar: 95 % interval)" if width >= COLUMN else "points")
    _key(
        figure,
        width,
        f"band: ±{margin:.1f} points, which do not matter · full: decided, diamond: equivalent, open: undecided · "
        "strokes: other settings",
    )
    _title(figure, width, f"{plan.study} on {plan.dataset}: what each change does to the baseline")
    return figure


def save_figures(folder: Path, figures: dict[str, Figure], suffixes: Sequence[str] = ("png", "svg")) -> list[str]:
    """Write every figure in every format; returns the paths of the first format relative to ``folder``."""
    place = ResultsFolder(folder).figures
    place.mkdir(exist_ok=True)
    for name, figure in figures.items():
        for suffix in suffixes:
            save_figure(figure, place / f"{name}.{suffix}")
            figure.set_layout_engine("none")  # its places are found once for all formats
    return [f"{place.name}/{name}.{suffixes[0]}" for name in figures]


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of its suffix, the same bytes whenever it is drawn; fonts of a PDF are embedded."""
    suffix = path.suffix.removeprefix(".")
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix)
    with rc_context({"svg.hashsalt": HASH, "pdf.fonttype": 42, "text.parse_math": False}):
        write(path.parent, path.name, lambda part: figure.savefig(part, format=suffix, dpi=130, metadata=metadata))


def _scaled(axes: Axes, side: str, scale: Scale, times: float = 100.0) -> None:
    """The axis of the report: the same ends and ticks, logarithmic (in the error) where it is."""
    if scale.kind == "error":
        top = times * (1 + LEAST_ERROR)
        bend = (lambda v: -np.log(np.maximum(top - v, LEAST_ERROR)), lambda v: top - np.exp(-v))
        getattr(axes, f"set_{side}scale")("function", functions=bend)
    elif scale.kind == "log":
        getattr(axes, f"set_{side}scale")("log")
    getattr(axes, f"set_{side}lim")(times * scale.low, times * scale.high)
    ticks = [times * value for value in scale.ticks(7)]
    getattr(axes, f"set_{side}ticks")(ticks, [f"{v:,.4g}" if v < 1000 else f"{v:,.0f}" for v in ticks])
    getattr(axes, f"{side}axis").set_minor_locator(NullLocator())


def _title(figure: Figure, width: float, words: str) -> None:
    """A paper's caption says it."""
    if width >= COLUMN:
        figure.suptitle(textwrap.fill(words, int(11 * width)), x=0.01, ha="left", fontsize=12)


def _fitting(name: str, width: float) -> str:
    """In at most two lines, which leave half of the figure to what it shows."""
    return textwrap.fill(name, int(5.5 * width) if width >= COLUMN else int(8 * width), max_lines=2, placeholder="…")


def _key(figure: Figure, width: float, words: str) -> None:
    if width >= COLUMN:
        figure.supxlabel(words, x=0.01, ha="left", fontsize=8, color="0.35")


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


def _legend(axes: Axes, plan: Declared, width: float, with_markers: bool = False) -> None:
    for words, colour, shape in LevelMarks(plan).legend(with_markers):
        shown = "0.4" if colour is None else level_colour(colour)
        axes.plot([], [], MARKERS[shape % len(MARKERS)], color=shown, label=words)
    if plan.factors:
        if width >= COLUMN:
            axes.legend(frameon=False, fontsize=8, loc="best")
        else:
            figure = axes.get_figure(root=True)
            assert figure is not None
            handles, labels = axes.get_legend_handles_labels()
            said = [label.split(": ")[1] for label in labels]
            figure.legend(
                handles, said, frameon=False, fontsize=6, loc="outside upper left", ncols=4, columnspacing=0.8
            )
