"""The mean of the patches."""

from __future__ import annotations

from torch import Tensor

from vit.pooling.base import POOLINGS, Pooling


@POOLINGS.register("mean")
class Mean(Pooling):
    """Mean of the patch tokens, prefix left out (ViT paper, appendix D.3)."""

    reader = "the average patch"

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, self.num_prefix_tokens :].mean(dim=1)
