"""What may become of a branch of a block before it is added to the tokens: scaled, or left out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerScale(nn.Module):
    """A learned factor per dimension, small at first (Touvron et al., arXiv 2103.17239, section 2)."""

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

    There for a whole batch at once. What is left is divided by its share, so that nothing changes on average. An
    example's factor, 0 or 1 over the share, is read from ``kept`` ``(b,)`` where somebody put it there; else it is
    drawn from torch's global random state.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.kept: Tensor | None
        self.register_buffer("kept", None, persistent=False)

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training:
            return branch
        kept = self.kept  # in float32, as 1 / (1 - p) wants
        if kept is None:
            kept = F.dropout(torch.ones(branch.shape[0], device=branch.device), self.probability)
        return (branch * kept.view(-1, *(1 for _ in branch.shape[1:]))).to(branch.dtype)


def drop_path_at(block: int, depth: int, probability: float) -> float:
    """Of one block: rises from the first to ``probability`` in the last (eq. 4 there; blocks count from 0)."""
    return probability * (block + 1) / depth
