"""Where the model attends: matrices, maps on the image, rollout, distances."""

from __future__ import annotations

from itertools import product

import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from studies.pictures.canvas import (
    ACCENT,
    AMOUNT,
    DIVERGING,
    FAINT,
    INK,
    Pixels,
    amount,
    around_zero,
    bare,
    blend,
    colour_bar,
    explode,
    panels,
    share_scale,
    sheet,
    styled,
    thumbnails,
    to_numpy,
    token_names,
)
from studies.pictures.look import PICTURES, Look
from vit import ViTConfig
from vit.lens import (
    attention_distance,
    attention_maps,
    median_attention,
    patch_centres,
    readout_attention,
    rollout,
    to_pixels,
)

MOST_LABELS = 10
SAMPLE = 512
"""Images over which a mean is taken where all would take long."""

READOUTS = {"cls": "the class token", "mean": "the average patch", "map": "the attention pooling's query"}


@PICTURES.register("attention")
@styled
def attention(look: Look) -> Figure:
    """Attention matrices of every block and head for one image, with its patches along the sides."""
    config, image = look.config, look.images[look.image]
    maps = attention_maps(look.model, image[None])[:, 0]  # (l, heads, n, n)
    pixels, colours = look.pixels(image), amount(maps)
    side = min(2.9, max(1.5, 12 / (config.num_heads + 1)))
    label = look.name(int(look.labels[look.image]))
    figure = sheet(
        side * (config.num_heads + 1) + 1.2,
        (side + 0.25) * config.depth,
        f"Who attends to whom in an image of {label}: every block and head",
        "Row: the token that looks; column: what it looks at; each row adds up to 1. Along the sides: the tokens.",
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
        _patches_along(axes, small, config, left=j == 0, top=i == 0)
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
        ink = "white" if map_name == AMOUNT else FAINT
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


@PICTURES.register("readout")
@styled
def readout(look: Look) -> Figure:
    """What the readout attends to in every block and head, painted over one image."""
    config, image = look.config, look.images[look.image]
    shares = readout_attention(look.model, image[None])[:, 0] * config.num_patches  # (l, heads, m), 1 = even
    pixels, colours = look.pixels(image), share_scale(shares)
    h, w = config.image_shape
    side = min(2.1, max(1.2, 12 / (config.num_heads + 1)))
    who = READOUTS.get(config.pooling, "the readout")
    figure = sheet(
        side * (config.num_heads + 1) + 0.8,
        (side * h / w + 0.25) * config.depth,
        f"Where {who} looks, in every block and head",
        "Colour of a patch: its share of the attention, 1 = an even share.",
        config,
    )
    grid = panels(figure, config.depth, config.num_heads + 1)
    for row in grid:
        for axes in row:
            bare(axes)
    grid[0][0].imshow(pixels)
    grid[0][0].set_title(f"image {look.image}: {look.name(int(look.labels[look.image]))}")
    painted = to_numpy(to_pixels(shares, config))
    for i, row in enumerate(grid):
        for j, axes in enumerate(row[1:]):
            axes.imshow(blend(painted[i, j], pixels, colours))
            axes.set_title(f"block {i + 1}, head {j + 1}")
    colour_bar(figure, [axes for row in grid for axes in row], colours, AMOUNT, "share (1 = even)")
    return figure


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
    sides = [(stack, amount(stack), AMOUNT, "median attention")]
    if len(labels) > 1:
        sides.append((apart, around_zero(apart), DIVERGING, "less their mean"))
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


@PICTURES.register("rollout")
@styled
def flow(look: Look) -> Figure:
    """Attention rollout painted over one image of each label, and its mean over a label."""
    config, labels = look.config, look.present[:MOST_LABELS]
    everything = look.labels.to(look.images.device)
    chosen = [look.images[everything == label][:SAMPLE] for label in labels]
    shares = [rollout(look.model, images) * config.num_patches for images in chosen]  # 1 = an even share
    means = torch.stack([share.mean(dim=0) for share in shares])
    colours = share_scale(torch.cat([means, torch.stack([share[0] for share in shares])]))
    h, w = config.image_shape
    who = READOUTS.get(config.pooling, "the readout")
    figure = sheet(
        1.2 * len(labels) + 1.2,
        3 * (1.2 * h / w + 0.1),
        f"What reaches {who} through all blocks: attention rollout",
        f"Top: an image of each label; middle: its rollout; bottom: mean over up to {SAMPLE} images of the label. "
        "1 = an even share.",
        config,
    )
    grid = panels(figure, 3, len(labels))
    for j, (label, images) in enumerate(zip(labels, chosen, strict=True)):
        first, mean = look.pixels(images[0]), look.pixels(images.mean(dim=0))
        painted = to_numpy(to_pixels(torch.stack([shares[j][0], means[j]]), config))
        bare(grid[0][j]).imshow(first)
        bare(grid[1][j]).imshow(blend(painted[0], first, colours))
        bare(grid[2][j]).imshow(blend(painted[1], mean, colours))
        grid[0][j].set_title(look.name(label), fontweight="bold")
    colour_bar(figure, [axes for row in grid for axes in row], colours, AMOUNT, "share (1 = even)")
    return figure


@PICTURES.register("attention-distance")
@styled
def distance(look: Look) -> Figure:
    """How far every head looks on average, block by block."""
    config = look.config
    reach = to_numpy(attention_distance(look.model, look.images[:SAMPLE]))  # (l, heads)
    centres = patch_centres(config)
    apart = torch.cdist(centres, centres)
    even = apart.mean().item()
    near, far = reach.min(), reach.max()
    figure = sheet(
        max(5.5, 0.5 * config.depth + 2),
        3.2,
        f"Heads look {near:.1f} to {far:.1f} pixels far",
        "Dot: mean distance between a patch and what it attends to, one dot a head; bar: mean of the block. "
        f"Mean over {min(SAMPLE, len(look.images))} images.",
        config,
    )
    (axes,) = panels(figure, 1, 1)[0]
    axes.axhline(even, color=ACCENT, linewidth=1, linestyle=(0, (4, 3)))
    beside = axes.get_yaxis_transform()
    axes.text(1.01, even, "even\nattention", transform=beside, color=ACCENT, fontsize=8, va="center")
    for i, heads in enumerate(reach, start=1):
        axes.hlines(heads.mean(), i - 0.25, i + 0.25, color=INK, linewidth=1.5)
        axes.scatter([i] * len(heads), heads, s=36, color="#0072b2", alpha=0.75, linewidths=0, zorder=3)
    axes.set(
        xlim=(0.4, config.depth + 0.6),
        ylim=(0, max(far, even) * 1.2 or 1.0),
        xlabel="block",
        ylabel="mean distance in pixels",
    )
    axes.set_xticks(range(1, config.depth + 1))
    return figure
