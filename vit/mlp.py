"""The feed-forward part of a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import nn

from vit.registry import Registry

if TYPE_CHECKING:
    from vit.config import ViTConfig

ACTIVATIONS: Registry[Callable[[], nn.Module]] = Registry("activation")
ACTIVATIONS.register("gelu")(nn.GELU)
ACTIVATIONS.register("relu")(nn.ReLU)


class Mlp(nn.Sequential):
    """Linear, activation, Linear, dropout: ``(b, n, d) -> (b, n, d)`` (ViT paper, section 3.1)."""

    def __init__(self, config: ViTConfig) -> None:
        hidden = int(config.embed_dim * config.mlp_ratio)
        super().__init__(
            nn.Linear(config.embed_dim, hidden),
            ACTIVATIONS[config.activation](),
            nn.Linear(hidden, config.embed_dim),
            nn.Dropout(config.dropout),
        )
