"""Fixed waves of row and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vit.positional.geometry import angle, grid_positions, needs_multiple
from vit.positional.scheme import POSITIONALS, Positional

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POSITIONALS.register("sincos2d")
class SinCos2d(Positional):
    """Fixed sine and cosine of row and column, half the width each (Chen et al., arXiv 2104.02057; MoCo v3).

    Prefix tokens get no position.
    """

    table: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        rows, columns = grid_positions(config)
        angles = [angle(axis, config.embed_dim // 4, base=10000.0) for axis in (rows, columns)]
        table = torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], dim=-1)
        prefix = torch.zeros(config.num_prefix_tokens, config.embed_dim)
        self.register_buffer("table", torch.cat([prefix, table]), persistent=False)

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        return needs_multiple(config, "embed_dim", config.embed_dim, 4)

    def add(self, tokens: Tensor) -> Tensor:
        return tokens + self.table.to(tokens.dtype)
