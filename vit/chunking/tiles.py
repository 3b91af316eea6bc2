"""Tiles."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor

from vit.chunking.base import CHUNKINGS, Chunking


@CHUNKINGS.register("tiles")
class Tiles(Chunking):
    """Rectangular tiles in reading order: the patches of the ViT paper."""

    cut_axes = (0, 1)

    @staticmethod
    def einops(images: Tensor, ph: int, pw: int) -> Tensor:
        return rearrange(images, "b c (gh ph) (gw pw) -> b (gh gw) (c ph pw)", ph=ph, pw=pw)

    @staticmethod
    def manual(images: Tensor, ph: int, pw: int) -> Tensor:
        b, c, h, w = images.shape
        gh, gw = h // ph, w // pw
        cut = images.view(b, c, gh, ph, gw, pw).permute(0, 2, 4, 1, 3, 5)
        return cut.reshape(b, gh * gw, c * ph * pw)
