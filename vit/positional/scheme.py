"""What a positional scheme is: three hooks that do nothing until a class overrides them.

Position 0 is the first prefix token (class token, then registers), patches follow in reading order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from vit.registry import Component, Registry

if TYPE_CHECKING:
    from vit.config import ViTConfig

POSITIONALS: Registry[type[Positional]] = Registry("positional scheme")


class Positional(Component, nn.Module):
    """Base class: three hooks, and a reason why a configuration makes no sense."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()

    def add(self, tokens: Tensor) -> Tensor:
        """Add positions to tokens ``(b, n, d)``, once, before the first block."""
        return tokens

    def rotate(self, heads: Tensor) -> Tensor:
        """Turn queries or keys ``(..., n, head_dim)`` of the first n tokens, often all of them, in every block."""
        return heads

    def rotates(self) -> bool:
        """Whether ``rotate`` does anything."""
        return type(self).rotate is not Positional.rotate

    def bias(self) -> Tensor | None:
        """Added to the attention logits of every block: ``(heads, n, n)``."""
        return None
