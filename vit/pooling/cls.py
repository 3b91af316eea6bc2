"""The class token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from vit.pooling.base import POOLINGS, Pooling

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POOLINGS.register("cls")
class ClassToken(Pooling):
    """The class token (ViT paper, eq. 4); of several, an idea of arXiv 2501.06220, here their mean."""

    class_token = True
    reads = 1
    reader = "the class token"

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.reads = config.num_class_tokens

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0] if self.reads == 1 else tokens[:, : self.reads].mean(dim=1)
