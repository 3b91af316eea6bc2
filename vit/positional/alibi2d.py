"""A penalty on distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vit.positional.geometry import grid_positions
from vit.positional.scheme import POSITIONALS, Positional

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POSITIONALS.register("alibi2d")
class Alibi2d(Positional):
    """A fixed logit bias that falls with the distance of two patches (ALiBi, arXiv 2108.12409; in 2-D 2311.00566).

    Head i of H falls by 2^(-8 i / H) for every patch of Euclidean distance; prefix tokens are near everything.
    """

    table: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        slopes = 2.0 ** (-8.0 * torch.arange(1, config.num_heads + 1) / config.num_heads)
        places = torch.stack(grid_positions(config), dim=1)
        n, prefix = config.num_tokens, config.num_prefix_tokens
        table = torch.zeros(config.num_heads, n, n)
        apart = (places[:, None] - places[None]).norm(dim=-1)  # not cdist, which rounds
        table[:, prefix:, prefix:] = -slopes[:, None, None] * apart
        self.register_buffer("table", table, persistent=False)

    def bias(self) -> Tensor:
        return self.table
