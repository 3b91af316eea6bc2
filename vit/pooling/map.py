"""A query that attends to the patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn

from vit.pooling.base import POOLINGS, Pooling

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POOLINGS.register("map")
class AttentionPooling(Pooling):
    """One learned query attends over the patch tokens (Zhai et al., arXiv 2106.04560, section 3.2), without MLP."""

    reader = "the attention pooling's query"

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.num_heads = config.num_heads
        self.query = nn.Parameter(torch.empty(config.num_heads, 1, config.head_dim))
        self.kv = nn.Linear(config.embed_dim, 2 * config.embed_dim)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the query; the linear layers draw their own."""
        nn.init.normal_(self.query)

    def weights(self, tokens: Tensor) -> Tensor:
        return self._attend(tokens)[0].mean(dim=(1, 2))

    def forward(self, tokens: Tensor) -> Tensor:
        shares, values = self._attend(tokens)
        pooled = shares @ values  # (b, h, 1, e)
        out: Tensor = self.proj(rearrange(pooled, "b h 1 e -> b (h e)"))
        return out

    def _attend(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Weights ``(b, h, 1, m)`` and values ``(b, h, m, e)``."""
        patches = tokens[:, self.num_prefix_tokens :]
        keys, values = rearrange(self.kv(patches), "b n (two h e) -> two b h n e", two=2, h=self.num_heads)
        scores = self.query @ keys.mT / self.query.shape[-1] ** 0.5
        return scores.softmax(dim=-1), values
