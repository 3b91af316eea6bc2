"""What the model gets wrong: confusions and the worst mistakes."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from studies.report.pictures.canvas import AMOUNT, FAINT, bare, colour_bar, panels, sheet, styled, to_numpy
from studies.report.pictures.look import PICTURES, Look
from vit.lens import NothingToSeeError, confusion, worst_mistakes


@PICTURES.register("confusion")
@styled
def confusion_matrix(look: Look) -> Figure:
    """What is taken for what, on a logarithmic colour scale."""
    counts = to_numpy(confusion(look.logits, look.labels))
    classes = len(counts)
    right = int(np.trace(counts))
    wrong = counts - np.diag(np.diag(counts))
    real, taken = np.unravel_index(wrong.argmax(), wrong.shape)
    worst = f"most often {look.name(int(real))} is taken for {look.name(int(taken))}" if wrong.any() else "no mistake"
    size = max(4.2, 0.42 * classes)
    figure = sheet(
        size + 0.9,
        size,
        f"{right / len(look.labels):.2%} right; {worst}",
        f"{right:,} of {len(look.labels):,} images. Real labels in rows, predicted ones in columns; blank is 0.",
        look.config,
    )
    (axes,) = panels(figure, 1, 1)[0]
    colours = look.scale("images", LogNorm(1, max(counts.max(), 2)))
    axes.imshow(np.where(counts > 0, counts, np.nan), cmap=AMOUNT, norm=colours)
    if classes <= 25:
        for i, j in np.argwhere(counts > 0):
            ink = "black" if colours(counts[i, j]) > 0.6 else "white"
            axes.text(j, i, f"{counts[i, j]:.0f}", ha="center", va="center", fontsize=7, color=ink)
    ticks = range(classes) if classes <= 25 else range(0, classes, math.ceil(classes / 20))
    names = [look.name(i) for i in ticks]
    axes.set_xticks(ticks, names, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(ticks, names)
    axes.set(xlabel="predicted", ylabel="real")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    colour_bar(figure, [axes], colours, AMOUNT, "images (log scale)")
    bar = figure.axes[-1]
    powers = [10**i for i in range(12) if 10**i <= colours.vmax]
    bar.set_yticks(powers, [f"{power:,}" for power in powers])
    bar.minorticks_off()
    return figure


@PICTURES.register("mistakes")
@styled
def mistakes(look: Look) -> Figure:
    """The misclassified images of highest loss."""
    worst = worst_mistakes(look.logits, look.labels, count=16)
    if not worst:
        raise NothingToSeeError(f"all {len(look.labels)} images are classified correctly")
    wrong = int((look.logits.argmax(dim=1) != look.labels.cpu()).sum())
    columns = min(8, len(worst))
    rows = math.ceil(len(worst) / columns)
    h, w = look.config.image_shape
    figure = sheet(
        1.15 * columns,
        rows * (1.15 * h / w + 0.42),
        f"The worst {len(worst)} of {wrong:,} mistakes" if wrong > len(worst) else f"All mistakes: {wrong}",
        "Title: predicted, not real label; below it the loss in nats and the image's index. The worst comes first.",
        look.config,
    )
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        bare(axes)
    for axes, mistake in zip(figure.axes, worst, strict=False):
        axes.imshow(look.pixels(look.images[mistake.index]))
        said, real = look.name(mistake.predicted), look.name(mistake.real)
        axes.set_title(f"{said}, not {real}\n", fontweight="bold", fontsize=8.5)
        note = f"loss {mistake.loss:.1f} · #{mistake.index}"
        axes.text(0.5, 1.04, note, transform=axes.transAxes, ha="center", fontsize=6.5, color=FAINT)
    return figure
