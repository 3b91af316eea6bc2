"""Where the model attends, painted over images, and how far."""

from __future__ import annotations

import math

import torch
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from studies.report.pictures.canvas import (
    ACCENT,
    AMOUNT,
    DOT,
    INK,
    bare,
    blend,
    colour_bar,
    panels,
    share_scale,
    sheet,
    styled,
    to_numpy,
)
from studies.report.pictures.look import PICTURES, Look
from vit import POOLINGS
from vit.lens import (
    attention_distance,
    patch_centres,
    readout_attention,
    rollout,
    to_pixels,
)

MOST_LABELS = 10
SAMPLE = 512
"""Images over which a mean is taken where all would take long."""


@PICTURES.register("readout")
@styled
def readout(look: Look) -> Figure:
    """What the readout attends to in every block and head, painted over one image."""
    config, image = look.config, look.images[look.image]
    shares = readout_attention(look.model, image[None])[:, 0] * config.num_patches  # (l, heads, m), 1 = even
    pixels, colours = look.pixels(image), look.scale("share", share_scale(shares))
    h, w = config.image_shape
    side = min(2.1, max(1.2, 12 / (config.num_heads + 1)))
    who = POOLINGS[config.pooling].reader
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


@PICTURES.register("rollout")
@styled
def flow(look: Look) -> Figure:
    """Attention rollout painted over one image of each label, and its mean over a label."""
    config, labels = look.config, look.present[:MOST_LABELS]
    everything = look.labels.to(look.images.device)
    chosen = [look.images[everything == label][:SAMPLE] for label in labels]
    shares = [rollout(look.model, images) * config.num_patches for images in chosen]  # 1 = an even share
    means = torch.stack([share.mean(dim=0) for share in shares])
    painted_shares = torch.cat([means, torch.stack([share[0] for share in shares])])
    colours = look.scale("share", share_scale(painted_shares))
    h, w = config.image_shape
    who = POOLINGS[config.pooling].reader
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
    top = look.scale("reach", Normalize(0, max(math.hypot(*config.image_shape) / 2, 1.1 * far))).vmax
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
        axes.scatter([i] * len(heads), heads, s=36, color=DOT, alpha=0.75, linewidths=0, zorder=3)
    axes.set(
        xlim=(0.4, config.depth + 0.6),
        ylim=(0, top),
        xlabel="block",
        ylabel="mean distance in pixels",
    )
    axes.set_xticks(range(1, config.depth + 1))
    return figure
