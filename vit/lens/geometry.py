"""Where patches lie in the image, for any chunking."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vit.chunking import CHUNKINGS
from vit.config import ViTConfig


def patch_of_pixel(config: ViTConfig) -> Tensor:
    """Which patch stands for every pixel: ``(h, w)`` int64, learned by cutting an image of pixel numbers."""
    h, w = config.image_shape
    pixels = torch.arange(h * w).reshape(1, 1, h, w)
    cut = CHUNKINGS[config.chunking].cell(pixels, *config.patch_shape)[0]
    owner = torch.empty(h * w, dtype=torch.long)
    owner[cut] = torch.arange(len(cut))[:, None]
    return owner.reshape(h, w)


def to_pixels(values: Tensor, config: ViTConfig) -> Tensor:
    """Paint every patch with its value: ``(..., m) -> (..., h, w)``; strips come out as strips."""
    if values.shape[-1] != config.num_patches:
        raise ValueError(
            f"values of shape {tuple(values.shape)}: the last axis must be the {config.num_patches} patches"
        )
    return values[..., patch_of_pixel(config).to(values.device)]


def patch_centres(config: ViTConfig) -> Tensor:
    """Mean row and column in pixels of every patch: ``(m, 2)``."""
    owner = patch_of_pixel(config)
    member = F.one_hot(owner.flatten(), config.num_patches).float()  # (h*w, m)
    rows, columns = torch.meshgrid(*(torch.arange(side).float() for side in owner.shape), indexing="ij")
    where = torch.stack([rows.flatten(), columns.flatten()], dim=1)  # (h*w, 2)
    return (member.T @ where) / member.sum(dim=0)[:, None]
