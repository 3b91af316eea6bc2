"""Ways to cut an image into patches, each written twice: with einops, and with view/permute by hand.

Both backends of a chunking return bit-equal tensors for any legal shape, contiguous or not.
A patch is flattened in the order (channel, row, column), as in the ViT paper, section 3.1.
"""

from __future__ import annotations

from typing import ClassVar

from einops import rearrange
from torch import Tensor

from vit.registry import Registry

CHUNKINGS: Registry[type[Chunking]] = Registry("chunking")
BACKENDS = ("einops", "manual")


class Chunking:
    """One way to cut images ``(b, c, h, w)`` into flat patches ``(b, n, c*ph*pw)``."""

    cut_axes: ClassVar[tuple[int, ...]]
    """Which sides are cut: 0 the height, 1 the width. One axis makes strips, both make tiles."""

    @staticmethod
    def einops(images: Tensor, ph: int, pw: int) -> Tensor:
        """``(b, c, h, w) -> (b, n, c*ph*pw)`` with einops."""
        raise NotImplementedError

    @staticmethod
    def manual(images: Tensor, ph: int, pw: int) -> Tensor:
        """``(b, c, h, w) -> (b, n, c*ph*pw)`` with view, permute and reshape."""
        raise NotImplementedError


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


def divisors(n: int) -> list[int]:
    """All divisors of ``n``, ascending."""
    return [k for k in range(1, n + 1) if n % k == 0]


def patch_shape(
    image_shape: tuple[int, int],
    chunking: str,
    patch_size: int | tuple[int, int] | None = None,
    num_strips: int | None = None,
) -> tuple[int, int]:
    """Height and width in pixels of one patch, from whichever of the two sizes was given.

    Raises:
        UnknownNameError: no such chunking.
        ValueError: none or both sizes are given, or the image cannot be cut so without remainder.
    """
    axes = CHUNKINGS[chunking].cut_axes
    if (patch_size is None) == (num_strips is None):
        raise ValueError(f"patch_size={patch_size}, num_strips={num_strips}: give exactly one of the two")
    if num_strips is not None:
        size = _thickness(image_shape, chunking, num_strips)
    elif len(axes) == 1 and not isinstance(patch_size, int):
        raise ValueError(f"patch_size={patch_size}: for {chunking} strips give the thickness, one integer")
    elif not _is_size(patch_size):
        raise ValueError(f"patch_size={patch_size!r}: give one integer or (height, width)")
    else:
        size = pair(patch_size)  # type: ignore[arg-type]
    shape = list(image_shape)
    for axis in axes:
        side = image_shape[axis]
        if size[axis] < 1 or side % size[axis]:
            name = ("height", "width")[axis]
            raise ValueError(
                f"patch_size={patch_size} does not divide the image {name} {side}; use one of {divisors(side)}"
            )
        shape[axis] = size[axis]
    return shape[0], shape[1]


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """``(height, width)``; an integer stands for a square."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _is_size(size: object) -> bool:
    pair_of_int = isinstance(size, (tuple, list)) and [type(v) for v in size] == [int, int]
    return isinstance(size, int) or pair_of_int


def _thickness(image_shape: tuple[int, int], chunking: str, num_strips: int) -> tuple[int, int]:
    axes = CHUNKINGS[chunking].cut_axes
    if len(axes) != 1:
        raise ValueError(f"num_strips={num_strips} has no meaning for chunking={chunking!r}; give patch_size")
    side = image_shape[axes[0]]
    if num_strips < 1 or side % num_strips:
        raise ValueError(f"num_strips={num_strips} does not divide {side}; use one of {divisors(side)}")
    return pair(side // num_strips)


def chunk(
    images: Tensor,
    chunking: str,
    patch_size: int | tuple[int, int] | None = None,
    num_strips: int | None = None,
    backend: str = "einops",
) -> Tensor:
    """Cut images ``(b, c, h, w)`` into flat patches ``(b, n, c*ph*pw)``.

    Args:
        images: any dtype, any memory layout.
        chunking: a name in ``CHUNKINGS``.
        patch_size: a tile's side or (height, width); a strip's thickness.
        num_strips: instead of ``patch_size``, how many strips.
        backend: ``"einops"`` or ``"manual"``; they return bit-equal tensors.

    Raises:
        UnknownNameError: no such chunking.
        ValueError: no such backend, not four dimensions, or the image cannot be cut so.
    """
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}; choices: {', '.join(BACKENDS)}")
    if images.ndim != 4:
        raise ValueError(f"images of shape {tuple(images.shape)}: expected (b, c, h, w)")
    ph, pw = patch_shape((images.shape[2], images.shape[3]), chunking, patch_size, num_strips)
    cut: Tensor = getattr(CHUNKINGS[chunking], backend)(images, ph, pw)
    return cut
