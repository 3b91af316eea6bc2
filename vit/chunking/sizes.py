"""Sizes of patches, from whatever was given."""

from __future__ import annotations

import math

from vit.chunking.base import CHUNKINGS


def divisors(n: int) -> list[int]:
    """All divisors of ``n``, ascending."""
    small = [k for k in range(1, math.isqrt(n) + 1) if n % k == 0]
    return [*small, *(n // k for k in reversed(small) if k * k != n)]


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


def default_patch_size(image_shape: tuple[int, int]) -> int | None:
    """About as many patches along the shorter side as pixels along a patch; None where no such square fits.

    The smallest common divisor of both sides whose square is not below the shorter: 7 of 28 pixels, 8 of 32,
    16 of 224.
    """
    fitting = (k for k in divisors(math.gcd(*image_shape)) if k * k >= min(image_shape))
    return next(fitting, None)


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
