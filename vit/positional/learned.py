"""One learned vector per position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from vit.positional.scheme import POSITIONALS, Positional

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POSITIONALS.register("learned")
class Learned(Positional):
    """One learned vector per position, added to every token (ViT paper, section 3.1)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.num_tokens, config.embed_dim)

    def add(self, tokens: Tensor) -> Tensor:
        return tokens + self.embedding.weight
