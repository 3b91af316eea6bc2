"""What a model refuses to compute with, before torch does: shapes and types are looked at, values never."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from vit.config import ViTConfig

AUTOCAST = (torch.float32, torch.float16, torch.bfloat16)
"""Types that autocast brings together; float64 it leaves alone."""


class InputError(ValueError):
    """Images that a model cannot take; the message names what was found, what is expected, and the fix."""


def check_shape(images: Tensor, config: ViTConfig) -> None:
    """Refuse anything but images ``(b, c, h, w)`` of this configuration, at least one.

    Raises:
        InputError: not a tensor, or of another shape.
    """
    expected = (config.in_channels, *config.image_shape)
    if not isinstance(images, Tensor):
        raise InputError(
            f"images are {type(images).__name__}, not a tensor: make one with torch.as_tensor or torch.stack"
        )
    if images.ndim != 4 or images.shape[1:] != expected or images.shape[0] == 0:
        shape = tuple(images.shape)
        takes = f"this model takes (b, {', '.join(map(str, expected))})"
        raise InputError(f"images of shape {shape}: {takes}; {_shape_fix(shape, expected)}")


def check_dtype(images: Tensor, layer: nn.Module) -> None:
    """Refuse numbers that do not go with the weights of the first layer, where that has weights as torch's have.

    Raises:
        InputError: whole numbers, or another floating type where no autocast brings both together.
    """
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor):  # a quantised layer, or a user's
        return
    found, expected = images.dtype, weight.dtype
    if found == expected or not expected.is_floating_point:
        return
    if not found.is_floating_point:
        raise InputError(
            f"images are {found}: this model computes in {expected}; scale them as in training, "
            f"for pixels from 0 to 255 images.to({expected}) / 255"
        )
    if {found, expected} <= set(AUTOCAST) and torch.is_autocast_enabled(images.device.type):
        return
    raise InputError(f"images are {found}, weights {expected}: use images.to({expected}), or model.to({found})")


def _shape_fix(shape: tuple[int, ...], expected: tuple[int, int, int]) -> str:
    c, h, w = expected
    if shape == expected:
        return "for one image alone use images[None]"
    if shape == (h, w) and c == 1:
        return "for one grey image alone use images[None, None]"
    if len(shape) == 3 and shape[1:] == (h, w) and c == 1:
        return "for grey images without an axis of channels use images[:, None]"
    if len(shape) == 4 and shape[1:] == (h, w, c):
        return "for channels that come last use images.permute(0, 3, 1, 2)"
    if len(shape) != 4 or shape[0] == 0:
        return "give a batch of at least one image"
    return f"convert them, or build a model of {_fields(shape, expected)}"


def _fields(shape: tuple[int, ...], expected: tuple[int, int, int]) -> str:
    """What a configuration for these images would say."""
    channels = [] if shape[1] == expected[0] else [f"in_channels={shape[1]}"]
    size = [] if shape[2:] == expected[1:] else [f"image_size={shape[2:]}"]
    return ", ".join(channels + size)
