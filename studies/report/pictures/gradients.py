"""Which pixels would change the answer."""

from __future__ import annotations

import math

import torch
from matplotlib.figure import Figure

from studies.report.pictures.canvas import DIVERGING, around_zero, bare, colour_bar, sheet, styled, to_numpy
from studies.report.pictures.look import PICTURES, Look
from vit.lens import label_gradients

MOST = 20
"""Labels in one picture."""


@PICTURES.register("gradients")
@styled
def gradients(look: Look) -> Figure:
    """Mean gradient of the logit of a label by the pixels of its images, one heat map per label."""
    shown = look.present[:MOST]
    heat = label_gradients(look.model, look.images, look.labels, shown)
    columns = min(5, len(shown))
    rows = math.ceil(len(shown) / columns)
    h, w = look.config.image_shape
    outlined = look.config.in_channels == 1 and min(h, w) > 1
    figure = sheet(
        1.75 * columns + 0.8,
        rows * (1.75 * h / w + 0.25),
        "Which pixels speak for a label, and which against it",
        "Red: more brightness here raises the label's logit, blue: lowers it, mean over the label's images. "
        f"{'Line: outline of their mean.' if outlined else ''}",
        look.config,
    )
    colours = look.scale("gradient", around_zero(torch.stack(list(heat.values()))))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        bare(ax)
    for ax, label in zip(axes, shown, strict=False):
        ax.imshow(to_numpy(heat[label]), cmap=DIVERGING, norm=colours)
        mean = to_numpy(look.images[look.labels.to(look.images.device) == label].mean(dim=(0, 1)))
        if outlined and mean.max() > mean.min():
            ax.contour(mean, [(mean.max() + mean.min()) / 2], colors="black", linewidths=0.7, alpha=0.6)
        ax.set_title(look.name(label), fontweight="bold")
    colour_bar(figure, axes, colours, DIVERGING, "gradient of the logit")
    return figure
