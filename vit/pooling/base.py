"""What a pooling is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from vit.registry import Component, Registry

if TYPE_CHECKING:
    from vit.config import ViTConfig

POOLINGS: Registry[type[Pooling]] = Registry("pooling")


class Pooling(Component, nn.Module):
    """Base class: tokens ``(b, n, d)`` to one vector ``(b, d)``."""

    class_token: ClassVar[bool] = False
    reads: int | None = None
    """How many tokens it looks at, counted from the first; None for all. The last block computes no others."""

    reader: ClassVar[str] = "the readout"
    """Who reads, in the titles of pictures."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.num_prefix_tokens = config.num_prefix_tokens

    def weights(self, tokens: Tensor) -> Tensor | None:
        """Share of every patch ``(b, m)`` where tokens decide about it; None where the result's gradient tells."""
        return None

    def forward(self, tokens: Tensor) -> Tensor:
        """``(b, n, d) -> (b, d)``."""
        raise NotImplementedError
