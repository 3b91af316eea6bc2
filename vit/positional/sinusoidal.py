"""Fixed waves of the 1-D position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from vit.positional.geometry import interleaved, needs_multiple
from vit.positional.scheme import POSITIONALS, Positional

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POSITIONALS.register("sinusoidal")
class Sinusoidal(Positional):
    """Fixed interleaved sine and cosine of the 1-D position (Vaswani et al., arXiv 1706.03762, section 3.5)."""

    table: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.register_buffer("table", interleaved(config.num_tokens, config.embed_dim), persistent=False)

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        return needs_multiple(config, "embed_dim", config.embed_dim, 2)

    def add(self, tokens: Tensor) -> Tensor:
        return tokens + self.table.to(tokens.dtype)
