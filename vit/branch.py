"""What may become of a branch of a block before it is added to the tokens: scaled, or left out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerScale(nn.Module):
    """A learned factor per dimension, small at first (Touvron et al., arXiv 2103.17239, section 2.1)."""

    def __init__(self, dim: int, value: float) -> None:
        super().__init__()
        self.value = value
        self.weight = nn.Parameter(torch.empty(dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """All alike."""
        nn.init.constant_(self.weight, self.value)

    def forward(self, branch: Tensor) -> Tensor:
        return branch * self.weight


class DropPath(nn.Module):
    """In training leaves a branch out for some examples, at random (Huang et al., arXiv 1603.09382, section 3).

    What is left is divided by its share, so that nothing changes on average. Draws are dropout's: they come from its
    stream, one number an example, alone and in a pack.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training:
            return branch
        shape = (branch.shape[0], *(1 for _ in branch.shape[1:]))
        kept = F.dropout(torch.ones(shape, device=branch.device), self.probability)  # in float32, as 1 / (1 - p) wants
        return (branch * kept).to(branch.dtype)


def drop_path_at(block: int, depth: int, probability: float) -> float:
    """Of one block: rises from the first to ``probability`` in the last (eq. 4 there; blocks count from 0)."""
    return probability * (block + 1) / depth
