"""Ways to keep the size of tokens in bounds, in front of attention and MLP and after the last block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vit.registry import Component, Registry

NORMS: Registry[type[Norm]] = Registry("norm")


class Norm(Component):
    """Base class: which layer stands there."""

    @staticmethod
    def build(dim: int, eps: float) -> nn.Module:
        """A layer ``(..., dim) -> (..., dim)``; ``eps`` is what it adds where it divides."""
        raise NotImplementedError


@NORMS.register("layernorm")
class LayerNorm(Norm):
    """Mean 0 and variance 1 within every token, then a learned scale and shift (Ba et al., arXiv 1607.06450)."""

    @staticmethod
    def build(dim: int, eps: float) -> nn.Module:
        return nn.LayerNorm(dim, eps=eps)


@NORMS.register("rmsnorm")
class RmsNorm(Norm):
    """Root mean square 1 within every token, then a learned scale (Zhang & Sennrich, arXiv 1910.07467, eq. 4)."""

    @staticmethod
    def build(dim: int, eps: float) -> nn.Module:
        return RootMeanSquare(dim, eps=eps)


@NORMS.register("dyt")
class DyT(Norm):
    """Dynamic tanh: no statistics, a tanh of learned slope, scale and shift (Zhu et al., arXiv 2503.10622, section 4).

    The slope begins at 0.5, as there.
    """

    @staticmethod
    def build(dim: int, eps: float) -> nn.Module:
        return DynamicTanh(dim)


class RootMeanSquare(nn.RMSNorm):
    """torch's, in the precision of its weights under autocast, as torch's LayerNorm is."""

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens.to(self.weight.dtype))


class DynamicTanh(nn.Module):
    """``tanh(slope * x) * weight + bias``: ``(..., dim) -> (..., dim)``."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.empty(1))
        self.weight, self.bias = nn.Parameter(torch.empty(dim)), nn.Parameter(torch.empty(dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As in the paper."""
        nn.init.constant_(self.slope, 0.5)
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.tanh(self.slope * tokens) * self.weight + self.bias
