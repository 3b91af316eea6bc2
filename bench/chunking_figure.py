"""The figure of the chunking bench: ratios with intervals, one panel a level."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.cells import BATCHES, IMAGES, LEVELS
from bench.rows import BASELINE, Row

COLOURS = {"einops": "#0072b2", "unfold": "#e69f00", "conv": "#009e73"}
MARKERS = ("s", "D", "o", "^", "v", "P", "X")


def draw(rows: Sequence[Row], path: Path) -> None:
    """Save a PNG: eager rows on contiguous images; colour the backend, marker the chunking, x the ratio."""
    rows = [r for r in rows if r.cell.mode == "eager" and r.cell.layout == "contiguous" and r.backend != BASELINE]
    conditions = [(image, batch) for image in IMAGES for batch in BATCHES]
    chunkings = list(dict.fromkeys(row.cell.chunking for row in rows))
    backends = list(dict.fromkeys(row.backend for row in rows))
    figure = Figure(figsize=(15, 7), layout="constrained")
    axes = figure.subplots(1, len(LEVELS), sharey=True)
    for panel, (level, text) in zip(axes, LEVELS.items(), strict=True):
        for row in (row for row in rows if row.cell.level == level):
            y = conditions.index((row.cell.image, row.cell.batch))
            lane = backends.index(row.backend) * len(chunkings) + chunkings.index(row.cell.chunking)
            marker = MARKERS[chunkings.index(row.cell.chunking) % len(MARKERS)]
            _dot(panel, row, y + 0.8 * ((lane + 0.5) / (len(backends) * len(chunkings)) - 0.5), marker)
        _dress(panel, text.replace(", ", ",\n", 1), len(conditions))
    axes[0].set_yticks(range(len(conditions)), [f"{image}\nbatch {batch:,}" for image, batch in conditions])
    axes[0].invert_yaxis()
    figure.supxlabel(f"time over that of {BASELINE}, with 95 % interval (right of 1: slower)")
    _legend(figure, axes[0], backends, chunkings)
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def _dot(panel: Any, row: Row, y: float, marker: str) -> None:
    colour = COLOURS.get(row.backend, "#cc79a7")
    panel.plot([row.ratio.low, row.ratio.high], [y, y], color=colour, linewidth=1.2, alpha=0.7)
    panel.plot(row.ratio.ratio, y, marker, color=colour, markersize=4)


def _dress(panel: Any, title: str, conditions: int) -> None:
    panel.set_title(title, fontsize=10)
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    panel.axvline(1.0, color="black", linewidth=0.8)
    for y in range(1, conditions):
        panel.axhline(y - 0.5, color="#dddddd", linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure, panel: Any, backends: Sequence[str], chunkings: Sequence[str]) -> None:
    handles = [panel.plot([], [], "-", linewidth=3, color=COLOURS.get(b, "#cc79a7"), label=b)[0] for b in backends]
    for name, marker in zip(chunkings, MARKERS * len(chunkings), strict=False):
        handles += panel.plot([], [], marker, linestyle="", color="#555555", label=name)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
