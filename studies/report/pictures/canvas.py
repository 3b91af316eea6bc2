"""Paper, ink and scales shared by the pictures of a model: matplotlib figures without pyplot's global state."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import matplotlib
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import NullLocator
from torch import Tensor

from studies.report.colours import LIGHT
from vit import ViTConfig
from vit.lens import patch_of_pixel

P = ParamSpec("P")
Pixels = npt.NDArray[np.float64]

DPI = 150
INK, FAINT, DOT, ACCENT = LIGHT.ink, LIGHT.soft, *LIGHT.levels[:2]
AMOUNT = "viridis"
"""Colour map of amounts from 0 on; like DIVERGING readable with every kind of colour vision."""
DIVERGING = "RdBu_r"
STYLE: Any = {
    "font.size": 9,
    "text.color": INK,
    "axes.titlesize": 9,
    "axes.titlepad": 4,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "image.interpolation": "none",  # an SVG holds each image as it is, not drawn at some size
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "svg.fonttype": "none",
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the one style of the pictures, whatever the caller's own settings are."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return draw(*args, **kwargs)

    return wrapper


def sheet(width: float, height: float, title: str, caption: str, config: ViTConfig) -> Figure:
    """A figure with room for content of this size in inches, a title and, below, how to read it and which model."""
    width, height = max(width, 5.5), max(height, 1.6)
    lines = [*textwrap.wrap(caption, int(width * 16)), f"Model: {describe(config)}."]
    heading = textwrap.wrap(title, int(width * 10.5))
    figure = Figure(figsize=(width, height + 0.22 * len(heading) + 0.16 * len(lines)), dpi=DPI, layout="compressed")
    figure.suptitle("\n".join(heading), x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=8, color=FAINT)
    return figure


def describe(config: ViTConfig) -> str:
    """The arm in a few words: ``tiles of 7 x 7, learned positions, cls pooling``."""
    ph, pw = config.patch_shape
    what = "tiles" if config.chunking == "tiles" else f"{config.chunking} strips"
    return f"{what} of {ph} × {pw}, {config.positional} positions, {config.pooling} pooling"


def bare(axes: Axes) -> Axes:
    """Without ticks and frame."""
    axes.set_axis_off()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(NullLocator())  # what nobody sees would be laid out all the same
    return axes


def picture(image: Tensor, low: float, high: float) -> Pixels:
    """An image ``(c, h, w)`` as ``(h, w, 3)`` in [0, 1]; one channel is grey, two or more than three their mean."""
    scaled = ((image.detach().double().cpu() - low) / max(high - low, 1e-12)).clamp(0, 1)
    if scaled.shape[0] != 3:
        scaled = scaled.mean(dim=0, keepdim=True).expand(3, -1, -1)
    out: Pixels = scaled.permute(1, 2, 0).numpy()
    return out


@dataclass(frozen=True)
class Exploded:
    """An image whose patches are pulled apart; lengths are in pixels of the whole image."""

    pixels: Pixels
    corners: list[tuple[float, float]]
    """Top left (x, y) of every patch."""
    width: float
    height: float

    def draw(self, axes: Axes) -> None:
        """Onto bare axes."""
        bare(axes).imshow(self.pixels, extent=(0, self.width, self.height, 0))


def explode(pixels: Pixels, config: ViTConfig) -> Exploded:
    """Pull the patches of ``(h, w, 3)`` apart.

    A gap opens wherever two neighbouring pixels belong to different patches, so any chunking can be drawn.
    """
    thickness = min(config.patch_shape)
    zoom = -(-6 // thickness)
    gap = max(1, round(zoom * thickness / 8))
    owner = patch_of_pixel(config).numpy().repeat(zoom, axis=0).repeat(zoom, axis=1)
    rows = _opened((owner[1:] != owner[:-1]).any(axis=1), gap)
    columns = _opened((owner[:, 1:] != owner[:, :-1]).any(axis=0), gap)
    sides = [np.ix_(rows[i], columns[j]) for i in (0, 1) for j in (0, 1)]
    inside = np.logical_and.reduce([owner[sides[0]] == owner[side] for side in sides])
    paper = 1.0 if pixels.mean() < 0.6 else 0.25
    spread = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)[sides[0]]
    owners = np.where(inside, owner[sides[0]], -1)
    corners = [np.argwhere(owners == i).min(axis=0) / zoom for i in range(config.num_patches)]
    return Exploded(
        np.where(inside[..., None], spread, paper),
        [(float(x), float(y)) for y, x in corners],
        width=spread.shape[1] / zoom,
        height=spread.shape[0] / zoom,
    )


def _opened(boundary: npt.NDArray[np.bool_], gap: int) -> npt.NDArray[np.intp]:
    """Source index before and after every output line ``(2, lines)``; they differ where a gap opens."""
    lines = [(0, 0)]
    for i, cut in enumerate(boundary, start=1):
        lines += [(i - 1, i)] * (gap if cut else 0) + [(i, i)]
    return np.array(lines).T


def number(axes: Axes, corners: Sequence[tuple[float, float]]) -> None:
    """Number patches at their top left corners, readable on dark and on light."""
    outline = [withStroke(linewidth=1.6, foreground="black")]
    for i, (x, y) in enumerate(corners, start=1):
        axes.text(x + 0.2, y + 0.2, str(i), color="#f0c75e", fontsize=6, ha="left", va="top", path_effects=outline)


def same_frame(axes: Sequence[Axes], sizes: Sequence[tuple[float, float]]) -> None:
    """Show images of these (width, height) on one scale, each in the middle of an equal frame."""
    width, height = (max(side) for side in zip(*sizes, strict=True))
    for ax, (w, h) in zip(axes, sizes, strict=True):
        ax.set_xlim((w - width) / 2, (w + width) / 2)
        ax.set_ylim((h + height) / 2, (h - height) / 2)


def thumbnails(pixels: Pixels, config: ViTConfig) -> list[Pixels]:
    """Every patch as a small picture of its own: the smallest rectangle around its pixels."""
    owner = patch_of_pixel(config).numpy()
    small = []
    for i in range(config.num_patches):
        rows, columns = np.nonzero(owner == i)
        part = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        small.append(np.where((owner[part] == i)[..., None], pixels[part], np.nan))
    return small


def token_names(config: ViTConfig) -> list[str]:
    """Labels of the prefix tokens in front of the patches."""
    several = config.num_class_tokens > 1
    of_class = [f"cls{i + 1}" if several else "cls" for i in range(config.num_prefix_tokens - config.num_registers)]
    return of_class + [f"r{i + 1}" for i in range(config.num_registers)]


def colour_bar(figure: Figure, axes: Sequence[Axes], colours: Normalize, map_name: str, label: str) -> None:
    """One scale for several axes, at their right."""
    mappable = ScalarMappable(colours, map_name)
    shrink = min(0.8, 4 / figure.get_figheight())
    bar = figure.colorbar(mappable, ax=list(axes), shrink=shrink, aspect=25, pad=0.015)
    bar.set_label(label, fontsize=8, color=FAINT)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, length=2)


def blend(values: Pixels, backdrop: Pixels, colours: Normalize, map_name: str = AMOUNT) -> Pixels:
    """Colours of ``values`` (h, w) with the image ``backdrop`` (h, w, 3) shining through, for imshow."""
    heat = matplotlib.colormaps[map_name](colours(values))[..., :3]
    light = 0.7 * backdrop.mean(axis=2, keepdims=True) ** 1.5
    mixed: Pixels = heat * (1 - light) + light
    return mixed


def share_scale(values: Tensor) -> Normalize:
    """A scale from 0 to the largest share, stretched at its lower end, where most shares lie."""
    return PowerNorm(0.5, 0.0, max(values.max().item(), 2.0))


def amount(values: Tensor, quantile: float = 0.995) -> Normalize:
    """A scale from 0 to almost the largest value, so that one outlier does not darken the rest."""
    flat = values.detach().double().flatten().cpu().numpy()
    return Normalize(0.0, max(float(np.quantile(flat, quantile)), 1e-12))


def around_zero(values: Tensor, quantile: float = 0.995) -> Normalize:
    """A scale with 0 in its middle."""
    bound = amount(values.abs(), quantile).vmax or 1.0
    return Normalize(-bound, bound)


def mosaic(cells: Pixels, zoom: int = 6, gap: int = 2) -> Pixels:
    """Small pictures ``(rows, columns, height, width)`` side by side with blank gaps, as one picture."""
    big = cells.repeat(zoom, axis=2).repeat(zoom, axis=3)
    padded = np.pad(big, ((0, 0), (0, 0), (0, gap), (0, gap)), constant_values=np.nan)
    rows, columns, height, width = padded.shape
    return padded.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)[:-gap, :-gap]


def panels(figure: Figure, rows: int, columns: int) -> list[list[Axes]]:
    """A grid of axes as a list of rows, whatever its size."""
    return [list(row) for row in figure.subplots(rows, columns, squeeze=False)]


def to_numpy(values: Tensor) -> Pixels:
    """For matplotlib."""
    out: Pixels = values.detach().to("cpu", torch.float64).numpy()
    return out
