"""A learned vector per row, and one per column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vit.positional.geometry import needs_multiple
from vit.positional.scheme import POSITIONALS, Positional

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POSITIONALS.register("learned2d")
class Learned2d(Positional):
    """A learned vector per row and one per column, each half a token wide, side by side (ViT paper, appendix D.4).

    Prefix tokens get no position: they are learned themselves.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        (rows, columns), self.num_prefix_tokens = config.grid_size, config.num_prefix_tokens
        self.rows = nn.Embedding(rows, config.embed_dim // 2)
        self.columns = nn.Embedding(columns, config.embed_dim // 2)

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        return needs_multiple(config, "embed_dim", config.embed_dim, 2)

    def add(self, tokens: Tensor) -> Tensor:
        rows, columns = self.rows.weight, self.columns.weight
        across = rows[:, None].expand(-1, len(columns), -1), columns[None].expand(len(rows), -1, -1)
        table = torch.cat(across, dim=-1).flatten(0, 1)
        prefix = table.new_zeros(self.num_prefix_tokens, table.shape[1])
        return tokens + torch.cat([prefix, table])
