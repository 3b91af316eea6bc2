"""What the positional scheme tells the model about places."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from studies.report.pictures.canvas import (
    DIVERGING,
    FAINT,
    Pixels,
    around_zero,
    bare,
    colour_bar,
    mosaic,
    panels,
    sheet,
    styled,
    to_numpy,
)
from studies.report.pictures.look import PICTURES, Look
from vit import ViTConfig
from vit.chunking import divisors
from vit.lens import position_similarity, position_vectors

READING = {
    "cosine": "Colour: cosine between the vectors added at two positions",
    "rotation": "Colour: mean product of equal query and key vectors after their rotation; 1 where nothing turns",
    "bias": "Colour: what the scheme adds to the attention logits, mean over heads",
}


@PICTURES.register("positions")
@styled
def positions(look: Look) -> Figure:
    """The vector that is added at each position, one small picture per position."""
    vectors = position_vectors(look.model)
    rows, columns = look.config.grid_size
    height, width = vector_shape(look.config)
    cells = to_numpy(vectors).reshape(rows, columns, height, width)
    colours = look.scale("value", around_zero(vectors))
    figure, axes = _mosaic_sheet(
        mosaic(cells),
        f"The {look.config.positional} vector of each place",
        f"One small picture per position, laid out as in the image: its {height * width} numbers"
        f"{'' if 1 in (height, width) else f', folded into {height} rows of {width}'}; prefix tokens left out.",
        look.config,
    )
    axes.imshow(mosaic(cells), cmap=DIVERGING, norm=colours, aspect="auto" if 1 in (rows, columns) else "equal")
    _place_ticks(axes, look.config, height, width)
    colour_bar(figure, [axes], colours, DIVERGING, "value")
    return figure


def vector_shape(config: ViTConfig) -> tuple[int, int]:
    """How a vector is folded into a small picture: lines along strips, else as square as its length allows."""
    rows, columns = config.grid_size
    if rows == 1 or columns == 1:
        return (1, config.embed_dim) if columns == 1 else (config.embed_dim, 1)
    height = max(k for k in divisors(config.embed_dim) if k * k <= config.embed_dim)
    return height, config.embed_dim // height


@PICTURES.register("position-similarity")
@styled
def similarity(look: Look) -> Figure:
    """How alike every position is to every other, laid out on the grid."""
    found = position_similarity(look.model)
    rows, columns = look.config.grid_size
    own = around_zero(found.values, 1.0) if found.kind == "bias" else Normalize(-1, 1)
    colours = look.scale(found.kind, own)
    strips = rows == 1 or columns == 1
    cells = to_numpy(found.values)
    cells = cells[None, None] if strips else cells.reshape(rows, columns, rows, columns)
    how = "Row: from this strip, column: to this strip. " if strips else "Each small map: one position against all. "
    figure, axes = _mosaic_sheet(
        mosaic(cells),
        f"How alike places look to the model: {look.config.positional} positions",
        f"{how}{READING[found.kind]}.",
        look.config,
    )
    axes.imshow(mosaic(cells), cmap=DIVERGING, norm=colours)
    if strips:
        _strip_ticks(axes, cells.shape[-1])
    else:
        _place_ticks(axes, look.config, rows, columns)
    label = {"cosine": "cosine", "rotation": "mean product", "bias": "logit bias"}[found.kind]
    colour_bar(figure, [axes], colours, DIVERGING, label)
    return figure


def _mosaic_sheet(shown: Pixels, title: str, caption: str, config: ViTConfig) -> tuple[Figure, Axes]:
    tall, wide = shown.shape
    inches = min(4.6, 1.8 + max(tall, wide) / 25)
    width, height = (inches * side / max(tall, wide) for side in (wide, tall))
    if max(tall, wide) > 2 * min(tall, wide):  # a few long lines: make them thick enough to see
        width, height = max(width, 3.2), max(height, 1.4)
    figure = sheet(width + 1.2, height + 0.4, title, caption, config)
    return figure, bare(panels(figure, 1, 1)[0][0])


def _place_ticks(axes: Axes, config: ViTConfig, height: int, width: int, zoom: int = 6, gap: int = 2) -> None:
    """Name the rows and columns of a mosaic by the pixels where their patches begin."""
    rows, columns = config.grid_size
    ph, pw = config.patch_shape
    axes.set_axis_on()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    across = [i * (width * zoom + gap) + width * zoom / 2 - 0.5 for i in range(columns)]
    down = [i * (height * zoom + gap) + height * zoom / 2 - 0.5 for i in range(rows)]
    axes.set_xticks([])
    axes.set_yticks([])
    if columns > 1:
        some = range(0, columns, -(-columns // 8))
        axes.set_xticks([across[i] for i in some], [_span(i, pw) for i in some])
        axes.set_xlabel("pixel columns", color=FAINT, fontsize=8)
    if rows > 1:
        some = range(0, rows, -(-rows // 16))
        axes.set_yticks([down[i] for i in some], [_span(i, ph) for i in some])
        axes.set_ylabel("pixel rows", color=FAINT, fontsize=8)


def _span(i: int, size: int) -> str:
    return str(i) if size == 1 else f"{i * size}–{i * size + size - 1}"


def _strip_ticks(axes: Axes, count: int, zoom: int = 6) -> None:
    axes.set_axis_on()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    some = range(0, count, -(-count // 16))
    centres = [i * zoom + zoom / 2 - 0.5 for i in some]
    axes.set_xticks(centres, [str(i + 1) for i in some])
    axes.set_yticks(centres, [str(i + 1) for i in some])
    axes.set_xlabel("to strip", color=FAINT, fontsize=8)
    axes.set_ylabel("from strip", color=FAINT, fontsize=8)
