"""Places of patches, angles that grow with them, and widths that can be split among both axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor

if TYPE_CHECKING:
    from vit.config import ViTConfig


def grid_positions(config: ViTConfig) -> tuple[Tensor, Tensor]:
    """Row and column of every patch in reading order: two float tensors ``(num_patches,)``."""
    gh, gw = config.grid_size
    rows, columns = torch.meshgrid(torch.arange(gh), torch.arange(gw), indexing="ij")
    return rows.flatten().float(), columns.flatten().float()


def angle(positions: Tensor, num_frequencies: int, base: float) -> Tensor:
    """``positions / base^(i / num_frequencies)``: ``(n,) -> (n, num_frequencies)``."""
    frequencies = base ** (-torch.arange(num_frequencies) / num_frequencies)
    return positions[:, None] * frequencies[None, :]


def interleaved(num_tokens: int, dim: int) -> Tensor:
    """Columns sin, cos, sin, cos, ... of falling frequency, base 10000: ``(num_tokens, dim)``."""
    angles = angle(torch.arange(num_tokens).float(), dim // 2, base=10000.0)
    return rearrange([angles.sin(), angles.cos()], "f n i -> n (i f)")


def needs_multiple(config: ViTConfig, what: str, value: int, of: int) -> str | None:
    """Why a scheme cannot serve a configuration whose ``value`` is no multiple; None where it is."""
    if value % of == 0:
        return None
    return f"positional={config.positional!r} needs {what} to be a multiple of {of}, not {value}"
