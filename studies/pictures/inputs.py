"""The image as the model gets it, and what it makes of it: cuts, confusions, mistakes."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from studies.pictures.canvas import (
    ACCENT,
    AMOUNT,
    FAINT,
    INK,
    bare,
    colour_bar,
    explode,
    number,
    panels,
    same_frame,
    sheet,
    styled,
    to_numpy,
)
from studies.pictures.look import PICTURES, Look
from vit import CHUNKINGS, ViTConfig
from vit.chunking import divisors
from vit.lens import NothingToSeeError, confusion, worst_mistakes


@PICTURES.register("cuts")
@styled
def cuts(look: Look) -> Figure:
    """One image, and the same image cut by every chunking."""
    config, pixels = look.config, look.pixels(look.images[look.image])
    arms = {name: recut(config, name) for name in CHUNKINGS}
    h, w = config.image_shape
    figure = sheet(
        2.1 * (len(arms) + 1),
        2.1 * h / w + 0.35,
        "One image, and the pieces that each chunking makes of it",
        "Each piece becomes one token; the numbers give their order. In colour: how this model cuts.",
        look.config,
    )
    whole, *cut = panels(figure, 1, len(arms) + 1)[0]
    bare(whole).imshow(pixels, extent=(0, w, h, 0))
    whole.set_title(f"image, {h} × {w}")
    frames: list[tuple[float, float]] = [(w, h)]
    for axes, (name, arm) in zip(cut, arms.items(), strict=True):
        spread = explode(pixels, arm)
        spread.draw(axes)
        frames.append((spread.width, spread.height))
        ph, pw = arm.patch_shape
        chosen = name == config.chunking
        axes.set_title(
            f"{name}: {arm.num_patches} of {ph} × {pw}",
            color=ACCENT if chosen else INK,
            fontweight="bold" if chosen else "normal",
        )
        if arm.num_patches <= 49 and min(ph, pw) * 14 >= max(h, w):
            number(axes, spread.corners)
    same_frame(figure.axes, frames)
    return figure


def recut(config: ViTConfig, chunking: str) -> ViTConfig:
    """The same image under another chunking, its patches as thick as the configuration's own, or nearly so."""
    if chunking == config.chunking:
        return config
    own = CHUNKINGS[config.chunking].cut_axes
    sides = []
    for axis, side in enumerate(config.image_shape):
        thickness = config.patch_shape[axis if axis in own else own[0]]
        sides.append(min(divisors(side), key=lambda k: abs(k - thickness)))
    axes = CHUNKINGS[chunking].cut_axes
    size = (sides[0], sides[1]) if len(axes) > 1 else sides[axes[0]]
    return ViTConfig(image_size=config.image_size, chunking=chunking, patch_size=size)


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
    colours = LogNorm(1, max(counts.max(), 2))
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
