"""Tiles of the image and of its shifted copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit.chunking.base import CHUNKINGS
from vit.chunking.tiles import Tiles

if TYPE_CHECKING:
    from vit.config import ViTConfig


@CHUNKINGS.register("spt")
class ShiftedPatches(Tiles):
    """Shifted patch tokens: an image, and four copies shifted along the diagonals by half a patch, cut into tiles.

    The copies are further channels, black moves in, and a LayerNorm stands before the linear embedding
    (Lee et al., arXiv 2112.13492, section 3.2).
    """

    @staticmethod
    def einops(images: Tensor, ph: int, pw: int) -> Tensor:
        return Tiles.einops(with_shifted(images, ph, pw), ph, pw)

    @staticmethod
    def manual(images: Tensor, ph: int, pw: int) -> Tensor:
        return Tiles.manual(with_shifted(images, ph, pw), ph, pw)

    @classmethod
    def cell(cls, images: Tensor, ph: int, pw: int) -> Tensor:
        return Tiles.einops(images, ph, pw)

    @classmethod
    def patch_dim(cls, config: ViTConfig) -> int:
        return 5 * super().patch_dim(config)

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        if min(config.patch_shape) >= 2:
            return None
        return f"chunking='spt' shifts by half a patch: patch_size={config.patch_size} must be at least 2 pixels a side"

    @classmethod
    def patch_norm(cls, config: ViTConfig) -> nn.Module:
        return nn.LayerNorm(cls.patch_dim(config))


def with_shifted(images: Tensor, ph: int, pw: int) -> Tensor:
    """The image, then its copies towards the four corners: ``(b, c, h, w) -> (b, 5 c, h, w)``."""
    h, w = images.shape[2:]
    dy, dx = ph // 2, pw // 2
    padded = F.pad(images, (dx, dx, dy, dy))
    corners = [(2 * dy, 2 * dx), (2 * dy, 0), (0, 2 * dx), (0, 0)]  # where a copy begins: left up, right up, ...
    return torch.cat([images, *(padded[:, :, y : y + h, x : x + w] for y, x in corners)], dim=1)
