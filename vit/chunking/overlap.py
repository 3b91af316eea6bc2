"""Tiles that overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from vit.chunking.base import CHUNKINGS
from vit.chunking.tiles import Tiles

if TYPE_CHECKING:
    from vit.config import ViTConfig


@CHUNKINGS.register("overlap")
class Overlap(Tiles):
    """Soft split: windows of side 2s - 1 at every s pixels, black around (T2T-ViT, arXiv 2101.11986, section 3.1).

    Its kernels of 7 at stride 4 and of 3 at stride 2; a window is padded by s // 2, and stands for the tile in it.
    """

    @staticmethod
    def einops(images: Tensor, ph: int, pw: int) -> Tensor:
        return rearrange(windows(images, ph, pw), "b c gh gw kh kw -> b (gh gw) (c kh kw)")

    @staticmethod
    def manual(images: Tensor, ph: int, pw: int) -> Tensor:
        cut = windows(images, ph, pw).permute(0, 2, 3, 1, 4, 5)
        return cut.flatten(3).flatten(1, 2)

    @classmethod
    def cell(cls, images: Tensor, ph: int, pw: int) -> Tensor:
        return Tiles.einops(images, ph, pw)

    @classmethod
    def patch_dim(cls, config: ViTConfig) -> int:
        ph, pw = config.patch_shape
        return config.in_channels * (2 * ph - 1) * (2 * pw - 1)


def windows(images: Tensor, ph: int, pw: int) -> Tensor:
    """All of them, as a view of the padded images: ``(b, c, h, w) -> (b, c, gh, gw, 2 ph - 1, 2 pw - 1)``."""
    padded = F.pad(images, (pw // 2, pw // 2, ph // 2, ph // 2))
    return padded.unfold(2, 2 * ph - 1, ph).unfold(3, 2 * pw - 1, pw)
