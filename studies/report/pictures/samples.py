"""What the images of a data set look like: a row of training images for every class."""

from __future__ import annotations

import warnings
from pathlib import Path

from matplotlib.figure import Figure

from bench.files import write
from studies.data import DataSet
from studies.report.pictures.canvas import DPI, INK, bare, picture, styled

MOST_ROWS, COLUMNS = 20, 10


@styled
def samples(data: DataSet) -> Figure:
    """The first training images of every class, of the first ``MOST_ROWS`` classes."""
    names = data.names[:MOST_ROWS]
    figure = Figure(figsize=(COLUMNS * 0.7 + 1.2, len(names) * 0.7 + 0.6), dpi=DPI, layout="compressed")
    more = f", the first {len(names)} of {data.num_classes} classes" if data.num_classes > len(names) else ""
    figure.suptitle(f"Training images of {data.name}{more}", x=0.01, ha="left", fontweight="bold", color=INK)
    grid = figure.subplots(len(names), COLUMNS, squeeze=False)
    for label, (name, row) in enumerate(zip(names, grid, strict=True)):
        images = data.train.images[data.train.labels == label][:COLUMNS]
        for axes in row:
            bare(axes)
        for axes, image in zip(row, images, strict=False):
            axes.imshow(picture(image, 0, 255))
        row[0].set_title(name.replace("$", r"\$"), loc="left", fontsize=8, color=INK)
    return figure


def draw_samples(data: DataSet, folder: Path) -> Path:
    """Write the picture ``<name of the data set>.png`` into a folder."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # boxes where the font lacks a script: the table has the names
        return write(folder, f"{data.name}.png", samples(data).savefig)
