"""Who attends to whom: attention matrices of one image, and their medians over labels."""

from __future__ import annotations

from itertools import product

import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from studies.report.pictures.canvas import (
    AMOUNT,
    DIVERGING,
    FAINT,
    Pixels,
    amount,
    around_zero,
    bare,
    colour_bar,
    explode,
    panels,
    sheet,
    styled,
    thumbnails,
    to_numpy,
    token_names,
)
from studies.report.pictures.look import PICTURES, Look
from vit import ViTConfig
from vit.lens import (
    attention_maps,
    median_attention,
)

MOST_BESIDE = 40
"""Tokens that small pictures beside a matrix can still show."""


@PICTURES.register("attention")
@styled
def attention(look: Look) -> Figure:
    """Attention matrices of every block and head for one image, with its patches along the sides."""
    config, image = look.config, look.images[look.image]
    maps = attention_maps(look.model, image[None])[:, 0]  # (l, heads, n, n)
    pixels, colours = look.pixels(image), look.scale("attention", amount(maps))
    side = min(2.9, max(1.5, 12 / (config.num_heads + 1)))
    label = look.name(int(look.labels[look.image]))
    beside = config.num_tokens <= MOST_BESIDE
    figure = sheet(
        side * (config.num_heads + 1) + 1.2,
        (side + 0.25) * config.depth,
        f"Who attends to whom in an image of {label}: every block and head",
        "Row: the token that looks; column: what it looks at; each row adds up to 1."
        + " Along the sides: the tokens." * beside,
        config,
    )
    figure.set_layout_engine("constrained")  # "compressed" does not foresee the strips beside the matrices
    grid = figure.add_gridspec(config.depth, config.num_heads + 1)
    whole = figure.add_subplot(grid[:, 0], anchor="N")
    explode(pixels, config).draw(whole)
    whole.set_title(f"image {look.image}, cut")
    small, drawn = thumbnails(pixels, config), []
    for i, j in product(range(config.depth), range(config.num_heads)):
        axes = figure.add_subplot(grid[i, j + 1])
        _matrix(axes, maps[i, j], config, colours)
        _patches_along(axes, small, config, left=beside and j == 0, top=beside and i == 0)
        axes.set_title(f"block {i + 1}, head {j + 1}")
        drawn.append(axes)
    colour_bar(figure, drawn, colours, AMOUNT, "attention")
    return figure


def _matrix(axes: Axes, values: Tensor, config: ViTConfig, colours: Normalize, map_name: str = AMOUNT) -> None:
    """One attention matrix ``(n, n)``; a line divides the prefix tokens from the patches."""
    axes.imshow(to_numpy(values), cmap=map_name, norm=colours)
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    if prefix := config.num_prefix_tokens:
        ink = "white" if map_name == AMOUNT else "dimgray"
        axes.axhline(prefix - 0.5, color=ink, linewidth=0.8)
        axes.axvline(prefix - 0.5, color=ink, linewidth=0.8)


def _patches_along(axes: Axes, small: list[Pixels], config: ViTConfig, left: bool, top: bool) -> None:
    """Small pictures of the patches beside the rows and above the columns of a matrix, prefix tokens by name."""
    n, (ph, pw) = config.num_tokens, config.patch_shape
    if left:
        width = _gutter(pw / ph, n)
        _strip(axes.inset_axes((-width - 0.02, 0.0, width, 1.0)), small, config, across=False, depth=width * n)
    if top:
        height = _gutter(ph / pw, n)
        _strip(axes.inset_axes((0.0, 1.02, 1.0, height)), small, config, across=True, depth=height * n)


def _gutter(aspect: float, n: int) -> float:
    """Room for patches ``aspect`` times as deep as a cell, in units of the matrix."""
    return min(0.35, max(0.06, aspect / n))


def _strip(axes: Axes, small: list[Pixels], config: ViTConfig, across: bool, depth: float) -> None:
    """The tokens in a line, one in each unit cell, in a strip ``depth`` cells deep."""
    n, names = config.num_tokens, token_names(config)
    middle = depth / 2
    places = [(i + 0.5, middle) if across else (middle, i + 0.5) for i in range(n)]
    for name, (x, y) in zip(names, places, strict=False):
        axes.text(x, y, name, ha="center", va="center", fontsize=5.5, color=FAINT)
    for pixels, (x, y) in zip(small, places[len(names) :], strict=True):
        h, w = pixels.shape[:2]
        scale = 0.46 * (min(1 / w, depth / h) if across else min(1 / h, depth / w))
        extent = (x - scale * w, x + scale * w, y + scale * h, y - scale * h)
        axes.imshow(pixels, extent=extent, aspect="auto")
    bare(axes).set(xlim=(0, n if across else depth), ylim=(depth if across else n, 0))


@PICTURES.register("median-attention")
@styled
def median(look: Look) -> Figure:
    """Median attention over all images of a label, labels side by side, and how each departs from their mean."""
    config, labels = look.config, look.compared
    medians = median_attention(look.model, look.images, look.labels, labels)
    stack = torch.stack([medians[label] for label in labels])  # (labels, l, heads, n, n)
    each = config.depth * config.num_heads <= 8
    stack = (stack if each else stack.mean(dim=2, keepdim=True)).flatten(1, 2)
    heads = [f"head {j + 1}" for j in range(config.num_heads)] if each else ["mean head"]
    rows = [f"block {i + 1}\n{head}" for i in range(config.depth) for head in heads]
    apart = stack - stack.mean(dim=0)
    sides = [(stack, look.scale("median", amount(stack)), AMOUNT, "median attention")]
    if len(labels) > 1:
        sides.append((apart, look.scale("apart", around_zero(apart)), DIVERGING, "less their mean"))
    figure = sheet(
        (1.55 * len(labels) + 0.7) * len(sides) + 0.4,
        1.5 * len(rows) + 0.3,
        f"Median attention of {', '.join(map(look.name, labels))}" + ", and what sets them apart" * (len(sides) - 1),
        "Median over all images of a label; row: the token that looks, column: what it looks at. "
        + "Right: the same less the mean of the labels shown." * (len(sides) - 1),
        config,
    )
    grid = panels(figure, len(rows), len(sides) * len(labels))
    for k, (values, colours, map_name, meaning) in enumerate(sides):
        part = [row[k * len(labels) : (k + 1) * len(labels)] for row in grid]
        for (i, row), j in product(enumerate(part), range(len(labels))):
            _matrix(row[j], values[j, i], config, colours, map_name)
        for axes, label in zip(part[0], labels, strict=True):
            axes.set_title(look.name(label) + " − mean" * k, fontweight="bold")
        colour_bar(figure, [axes for row in part for axes in row], colours, map_name, meaning)
    for row, name in zip(grid, rows, strict=True):
        row[0].set_ylabel(name, color=FAINT, fontsize=8)
    return figure
