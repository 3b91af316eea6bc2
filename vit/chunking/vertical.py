"""Strips, left to right."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor

from vit.chunking.base import CHUNKINGS, Chunking


@CHUNKINGS.register("vertical")
class Vertical(Chunking):
    """Full-height strips, left to right."""

    cut_axes = (1,)

    @staticmethod
    def einops(images: Tensor, ph: int, pw: int) -> Tensor:
        return rearrange(images, "b c h (k pw) -> b k (c h pw)", pw=pw)

    @staticmethod
    def manual(images: Tensor, ph: int, pw: int) -> Tensor:
        b, c, h, w = images.shape
        return images.view(b, c, h, w // pw, pw).permute(0, 3, 1, 2, 4).reshape(b, w // pw, c * h * pw)
