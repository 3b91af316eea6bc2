"""Cutting without a model."""

from __future__ import annotations

from torch import Tensor

from vit.chunking.base import BACKENDS, CHUNKINGS
from vit.chunking.sizes import patch_shape


def chunk(
    images: Tensor,
    chunking: str,
    patch_size: int | tuple[int, int] | None = None,
    num_strips: int | None = None,
    backend: str = "einops",
) -> Tensor:
    """Cut images ``(b, c, h, w)`` into flat patches ``(b, n, values)``, mostly of c*ph*pw values.

    Args:
        images: any dtype, any memory layout.
        chunking: a name in ``CHUNKINGS``.
        patch_size: a tile's side or (height, width); a strip's thickness.
        num_strips: instead of ``patch_size``, how many strips.
        backend: ``"einops"`` or ``"manual"``; they return bit-equal tensors.

    Raises:
        UnknownNameError: no such chunking.
        ValueError: no such backend, not four dimensions, the image cannot be cut so, or not without a model.
    """
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}; choices: {', '.join(BACKENDS)}")
    if not CHUNKINGS[chunking].cuts_images():
        raise ValueError(f"chunking={chunking!r} cuts what its stem makes of images: build a ViT, call its patches")
    if images.ndim != 4:
        raise ValueError(f"images of shape {tuple(images.shape)}: expected (b, c, h, w)")
    ph, pw = patch_shape((images.shape[2], images.shape[3]), chunking, patch_size, num_strips)
    cut: Tensor = getattr(CHUNKINGS[chunking], backend)(images, ph, pw)
    return cut
