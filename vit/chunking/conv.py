"""Convolutions in place of a cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import nn

from vit.chunking.base import CHUNKINGS
from vit.chunking.tiles import Tiles

if TYPE_CHECKING:
    from vit.config import ViTConfig


@CHUNKINGS.register("conv")
class Convolutional(Tiles):
    """Convolutional stem: 3 x 3 convolutions of stride 2 and ReLU down to the grid (Xiao et al., arXiv 2106.14881).

    Channels double up to the width of a token, and the linear embedding is their 1 x 1 convolution;
    without batch norm, as in CCT (arXiv 2104.05704).
    """

    @classmethod
    def patch_dim(cls, config: ViTConfig) -> int:
        return config.embed_dim

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        *_, (h, w) = halvings(config)
        if (h, w) == config.grid_size:
            return None
        gh, gw = config.grid_size
        return (
            f"chunking='conv' halves {config.image_shape} down to a grid of {h} x {w}, not {gh} x {gw}: "
            f"patch_size={config.patch_size} must be a power of 2, or nearly so"
        )

    @classmethod
    def stem(cls, config: ViTConfig) -> nn.Module:
        halved = len(list(halvings(config))) - 1
        widths = [config.in_channels, *(max(1, config.embed_dim >> i) for i in reversed(range(halved or 1)))]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, stride=2 if halved else 1, padding=1), nn.ReLU()]
        return nn.Sequential(*layers)


def halvings(config: ViTConfig) -> Iterator[tuple[int, int]]:
    """Height and width of the image and after every halving, rounded up, down to where a cell would have no patch."""
    (h, w), (gh, gw) = config.image_shape, config.grid_size
    while h >= gh and w >= gw:
        yield h, w
        if (h, w) == (gh, gw):
            return
        h, w = -(-h // 2), -(-w // 2)
