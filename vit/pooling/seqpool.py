"""A mean weighted by what the tokens say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from vit.pooling.base import POOLINGS, Pooling

if TYPE_CHECKING:
    from vit.config import ViTConfig


@POOLINGS.register("seqpool")
class SequencePooling(Pooling):
    """Mean of the patch tokens, weighted by a softmax of a linear score (SeqPool of CCT, arXiv 2104.05704).

    The score has no bias, which a softmax does not see.
    """

    reader = "sequence pooling"

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.score = nn.Linear(config.embed_dim, 1, bias=False)

    def weights(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.score(tokens[:, self.num_prefix_tokens :]).softmax(dim=1).squeeze(2)
        return out

    def forward(self, tokens: Tensor) -> Tensor:
        patches = tokens[:, self.num_prefix_tokens :]
        out: Tensor = (self.weights(tokens)[:, None] @ patches).squeeze(1)
        return out
