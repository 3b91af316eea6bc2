"""All pictures of a model in one folder, and the same picture of several models side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from studies.report.pictures.canvas import DPI, bare, styled
from studies.report.pictures.look import PICTURES, Look
from studies.report.pictures.on_any_paper import save_svg
from vit import ViT
from vit.lens import NothingToSeeError


@dataclass(frozen=True)
class Gallery:
    """Files that were written, in the order of ``PICTURES``, and reasons by name for those that were not."""

    paths: list[Path] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def gallery(
    model: ViT,
    images: Tensor,
    labels: Tensor,
    folder: str | Path,
    names: Sequence[str] = (),
    image: int = 0,
    wanted: Sequence[int] = (),
    pictures: Sequence[str] = (),
    form: str = "png",
) -> Gallery:
    """Draw a model's pictures as ``folder/<picture>.png``, or as ``.svg``.

    Args:
        model: a trained ViT.
        images: floats ``(b, c, h, w)``, prepared as in training.
        labels: ``(b,)``.
        folder: made where it is missing.
        names: of the classes; empty for their numbers.
        image: index of the one image that single-image pictures show.
        wanted: labels to compare; empty for the first three that have an image.
        pictures: names in ``PICTURES``; empty for all.
        form: ``png``, or ``svg`` for light and for dark paper.

    Raises:
        UnknownNameError: no such picture.
    """
    look = Look(model, images, labels, names, image, wanted)
    chosen = {name: PICTURES[name] for name in pictures or PICTURES}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = Gallery()
    for name, draw in chosen.items():
        try:
            figure = draw(look)
        except NothingToSeeError as reason:
            drawn.missing[name] = str(reason)
            continue
        path = folder / f"{name}.{form}"
        if form == "svg":
            save_svg(figure, path)
        else:
            figure.savefig(path)
        drawn.paths.append(path)
    return drawn


@styled
def side_by_side(arms: Mapping[str, Figure]) -> Figure:
    """The same picture of several arms in one figure, each under its name."""
    shots = {name: _pixels(figure) for name, figure in arms.items()}
    widths = [shot.shape[1] / DPI for shot in shots.values()]
    tallest = max(shot.shape[0] / DPI for shot in shots.values())
    figure = Figure(figsize=(sum(widths), tallest + 0.4), dpi=DPI)
    left = 0.0
    for (name, shot), width in zip(shots.items(), widths, strict=True):
        height = shot.shape[0] / DPI
        place = (
            left / sum(widths),
            (tallest - height) / (tallest + 0.4),
            width / sum(widths),
            height / (tallest + 0.4),
        )
        bare(figure.add_axes(place)).imshow(shot, aspect="auto", interpolation="antialiased")
        figure.text((left + 0.1) / sum(widths), 1 - 0.3 / (tallest + 0.4), name, fontsize=13, fontweight="bold")
        left += width
    return figure


def on_one_scale(picture: str, looks: Mapping[str, Look]) -> dict[str, Figure]:
    """One picture of several models, equal colours for equal values.

    Drawn twice: what all of them need is known only when each was drawn.

    Raises:
        UnknownNameError: no such picture.
        NothingToSeeError: one of the models has no such picture.
    """
    draw: Callable[[Look], Figure] = PICTURES[picture]
    scales: dict[str, Normalize] = {}
    sharing = {name: replace(look, scales=scales) for name, look in looks.items()}
    for look in sharing.values():
        draw(look)
    return {name: draw(look) for name, look in sharing.items()}


def compare(picture: str, looks: Mapping[str, Look]) -> Figure:
    """One picture, for example ``"rollout"``, of several models side by side on one scale; keys are their names.

    Raises:
        UnknownNameError: no such picture.
        NothingToSeeError: one of the models has no such picture.
    """
    return side_by_side(on_one_scale(picture, looks))


def _pixels(figure: Figure) -> npt.NDArray[np.uint8]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
