"""The image as the model gets it: cut into patches."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from studies.report.pictures.canvas import ACCENT, INK, bare, explode, number, panels, same_frame, sheet, styled
from studies.report.pictures.look import PICTURES, Look
from vit import CHUNKINGS, ViTConfig
from vit.chunking import Chunking, divisors
from vit.lens import patch_of_pixel


@PICTURES.register("cuts")
@styled
def cuts(look: Look) -> Figure:
    """One image, and the same image cut by every chunking."""
    config, pixels = look.config, look.pixels(look.images[look.image])
    arms = {name: recut(config, name) for name in CHUNKINGS if makes_pieces(name)}
    own = patch_of_pixel(config)
    h, w = config.image_shape
    figure = sheet(
        2.1 * (len(arms) + 1),
        2.1 * h / w + 0.35,
        "One image, and the pieces that each chunking makes of it",
        "Each piece becomes one token; the numbers give their order. In colour: what this model's tokens stand for.",
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
        chosen = torch.equal(patch_of_pixel(arm), own)
        axes.set_title(
            f"{name}: {arm.num_patches} of {ph} × {pw}",
            color=ACCENT if chosen else INK,
            fontweight="bold" if chosen else "normal",
        )
        if arm.num_patches <= 49 and min(ph, pw) * 14 >= max(h, w):
            number(axes, spread.corners)
    same_frame(figure.axes, frames)
    return figure


def makes_pieces(chunking: str) -> bool:
    """Whether it takes an image apart; what it cuts otherwise, overlapping say, stands for the pieces of another."""
    cut = CHUNKINGS[chunking]
    return cut.cuts_images() and cut.cell.__func__ is Chunking.cell.__func__  # type: ignore[attr-defined]


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
