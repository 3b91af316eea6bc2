"""The largest value of each dimension."""

from __future__ import annotations

from torch import Tensor

from vit.pooling.base import POOLINGS, Pooling


@POOLINGS.register("max")
class Max(Pooling):
    """Largest value over the patch tokens, dimension by dimension (Boureau et al., ICML 2010)."""

    reader = "the largest values"

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, self.num_prefix_tokens :].amax(dim=1)
