"""Rotation by learned directions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vit.positional.geometry import grid_positions, needs_multiple
from vit.positional.scheme import POSITIONALS, Positional

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POSITIONALS.register("rope2d_mixed")
class Rope2dMixed(Positional):
    """Rotary embedding whose frequencies mix row and column, learned by every head (arXiv 2403.13298, section 3.2).

    Begins as axial frequencies of base 10 in an axis system turned at random, as in the authors' code; shared by the
    blocks, where the paper has one set a block. Prefix tokens do not turn.
    """

    places: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.frequencies = nn.Parameter(torch.empty(2, config.num_heads, config.head_dim // 2))
        places = torch.stack(grid_positions(config), dim=1)  # (m, 2)
        prefix = torch.zeros(config.num_prefix_tokens, 2)
        self.register_buffer("places", torch.cat([prefix, places]), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the direction of each head's axes."""
        _, heads, half = self.frequencies.shape
        sizes = 10.0 ** (-torch.arange(half // 2) / (half // 2))
        turn = 2 * math.pi * torch.rand(heads, 1)
        directions = torch.cat([turn.expand(-1, half // 2), (turn + math.pi / 2).expand(-1, half // 2)], dim=1)
        with torch.no_grad():
            self.frequencies.copy_(torch.stack([directions.cos(), directions.sin()]) * sizes.repeat(2))

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        return needs_multiple(config, "head_dim = embed_dim / num_heads", config.head_dim, 4)

    def rotate(self, heads: Tensor) -> Tensor:
        n, half = heads.shape[-2], heads.shape[-1] // 2
        rows, columns = self.places[:n, :, None].unbind(dim=1)  # (n, 1) each
        of_row, of_column = self.frequencies[:, :, None].unbind()  # (heads, 1, half) each
        angles = rows * of_row + columns * of_column
        cos, sin = angles.cos(), angles.sin()
        turned = heads.roll(half, dims=-1) * torch.cat([-sin, sin], dim=-1).to(heads.dtype)
        return heads * torch.cat([cos, cos], dim=-1).to(heads.dtype) + turned
