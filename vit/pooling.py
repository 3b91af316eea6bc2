"""From tokens to the one vector that the head reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from vit.registry import Registry

if TYPE_CHECKING:
    from vit.config import ViTConfig

POOLINGS: Registry[type[Pooling]] = Registry("pooling")


class Pooling(nn.Module):
    """Base class: tokens ``(b, n, d)`` to one vector ``(b, d)``."""

    class_token: ClassVar[bool] = False
    reads: ClassVar[int | None] = None
    """How many tokens it looks at, counted from the first; None for all. The last block computes no others."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.num_prefix_tokens = config.num_prefix_tokens

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        """Why this pooling cannot serve this configuration, or None."""
        return None

    def forward(self, tokens: Tensor) -> Tensor:
        """``(b, n, d) -> (b, d)``."""
        raise NotImplementedError


@POOLINGS.register("cls")
class ClassToken(Pooling):
    """The class token (ViT paper, eq. 4)."""

    class_token = True
    reads = 1

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]


@POOLINGS.register("mean")
class Mean(Pooling):
    """Mean of the patch tokens, prefix left out (ViT paper, appendix D.3)."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, self.num_prefix_tokens :].mean(dim=1)


@POOLINGS.register("map")
class AttentionPooling(Pooling):
    """One learned query attends over the patch tokens (Zhai et al., arXiv 2106.04560, section 3.3), without MLP."""

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

    def forward(self, tokens: Tensor) -> Tensor:
        patches = tokens[:, self.num_prefix_tokens :]
        keys, values = rearrange(self.kv(patches), "b n (two h e) -> two b h n e", two=2, h=self.num_heads)
        scores = self.query @ keys.mT / self.query.shape[-1] ** 0.5  # (b, h, 1, n)
        pooled = scores.softmax(dim=-1) @ values  # (b, h, 1, e)
        out: Tensor = self.proj(rearrange(pooled, "b h 1 e -> b (h e)"))
        return out
