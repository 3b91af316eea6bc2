"""Strips, top to bottom."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor

from vit.chunking.base import CHUNKINGS, Chunking


@CHUNKINGS.register("horizontal")
class Horizontal(Chunking):
    """Full-width strips, top to bottom."""

    cut_axes = (0,)

    @staticmethod
    def einops(images: Tensor, ph: int, pw: int) -> Tensor:
        return rearrange(images, "b c (k ph) w -> b k (c ph w)", ph=ph)

    @staticmethod
    def manual(images: Tensor, ph: int, pw: int) -> Tensor:
        b, c, h, w = images.shape
        return images.view(b, c, h // ph, ph, w).permute(0, 2, 1, 3, 4).reshape(b, h // ph, c * ph * w)
