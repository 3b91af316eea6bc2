"""What a chunking is: a cut, and what is learned before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from vit.registry import Component, Registry

if TYPE_CHECKING:
    from vit.config import ViTConfig

CHUNKINGS: Registry[type[Chunking]] = Registry("chunking")
BACKENDS = ("einops", "manual")


class Chunking(Component):
    """One way to cut images ``(b, c, h, w)`` into flat patches ``(b, n, values)``, mostly of c*ph*pw values.

    Every patch stands for one cell of a grid of ``h / ph`` rows and ``w / pw`` columns, in reading order.
    """

    cut_axes: ClassVar[tuple[int, ...]] = (0, 1)
    """Which sides are cut: 0 the height, 1 the width. One axis makes strips, both make tiles."""

    @staticmethod
    def einops(images: Tensor, ph: int, pw: int) -> Tensor:
        """``(b, c, h, w) -> (b, n, values)`` with einops."""
        raise NotImplementedError

    @classmethod
    def manual(cls, images: Tensor, ph: int, pw: int) -> Tensor:
        """``(b, c, h, w) -> (b, n, values)`` with view, permute and reshape; what nobody wrote twice is as above."""
        return cls.einops(images, ph, pw)

    @classmethod
    def cell(cls, images: Tensor, ph: int, pw: int) -> Tensor:
        """``(b, c, h, w) -> (b, n, c*ph*pw)``: the part of the image that each patch stands for, none twice."""
        return cls.einops(images, ph, pw)

    @classmethod
    def patch_dim(cls, config: ViTConfig) -> int:
        """How many values a flat patch has."""
        ph, pw = config.patch_shape
        return config.in_channels * ph * pw

    @classmethod
    def stem(cls, config: ViTConfig) -> nn.Module:
        """Layers on images, before they are cut: ``(b, c, h, w)`` to maps whose sides the grid divides."""
        return nn.Identity()

    @classmethod
    def patch_norm(cls, config: ViTConfig) -> nn.Module:
        """Layers on flat patches, between the cut and the linear embedding."""
        return nn.Identity()

    @classmethod
    def cuts_images(cls) -> bool:
        """Whether it cuts images themselves, not what a stem makes of them."""
        return cls.stem.__func__ is Chunking.stem.__func__  # type: ignore[attr-defined]
