"""Rotation by row and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vit.positional.geometry import angle, grid_positions, needs_multiple
from vit.positional.scheme import POSITIONALS, Positional

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POSITIONALS.register("rope2d")
class Rope2d(Positional):
    """Axial rotary embedding of queries and keys, base 100 (Heo et al., arXiv 2403.13298, section 3.2).

    Half of each head turns with the row, half with the column; prefix tokens do not turn.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        turns = [angle(axis, config.head_dim // 4, base=100.0) for axis in grid_positions(config)]
        prefix = torch.zeros(config.num_prefix_tokens, config.head_dim // 2)
        angles = torch.cat([prefix, torch.cat(turns, dim=-1)])
        self.register_buffer("cos", angles.cos().repeat(1, 2), persistent=False)
        signed = torch.cat([-angles.sin(), angles.sin()], dim=-1)
        self.register_buffer("sin", signed, persistent=False)

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        return needs_multiple(config, "head_dim = embed_dim / num_heads", config.head_dim, 4)

    def rotate(self, heads: Tensor) -> Tensor:
        n, half = heads.shape[-2], heads.shape[-1] // 2
        cos, sin = self.cos[:n].to(heads.dtype), self.sin[:n].to(heads.dtype)
        return heads * cos + heads.roll(half, dims=-1) * sin
