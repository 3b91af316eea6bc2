"""A learned bias per offset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vit.positional.geometry import grid_positions
from vit.positional.scheme import POSITIONALS, Positional

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POSITIONALS.register("relative")
class Relative(Positional):
    """A learned logit bias per head and 2-D offset, shared by the blocks (Liu et al., arXiv 2103.14030, eq. 4).

    Pairs with a prefix token have three biases of their own, as in BEiT (arXiv 2106.08254).
    """

    index: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        gh, gw = config.grid_size
        offsets = (2 * gh - 1) * (2 * gw - 1)
        self.table = nn.Parameter(torch.empty(config.num_heads, offsets + 3))
        self.register_buffer("index", self._offset_index(config, offsets), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Small normal values, as in Swin."""
        nn.init.trunc_normal_(self.table, std=0.02)

    @staticmethod
    def _offset_index(config: ViTConfig, offsets: int) -> Tensor:
        gh, gw = config.grid_size
        rows, columns = (axis.long() for axis in grid_positions(config))
        dy = rows[:, None] - rows[None, :] + gh - 1
        dx = columns[:, None] - columns[None, :] + gw - 1
        n, p = config.num_tokens, config.num_prefix_tokens
        index = torch.empty(n, n, dtype=torch.long)
        index[p:, p:] = dy * (2 * gw - 1) + dx
        index[:p, p:], index[p:, :p], index[:p, :p] = offsets, offsets + 1, offsets + 2
        return index

    def bias(self) -> Tensor:
        return self.table[:, self.index]
