"""The feed-forward part of a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from vit.registry import Component, Registry

if TYPE_CHECKING:
    from vit.config import ViTConfig

ACTIVATIONS: Registry[type[Activation]] = Registry("activation")


class Activation(Component):
    """Base class: which layer stands between the two linear ones."""

    gates: ClassVar[bool] = False
    """Whether it takes two halves, of which one opens the other, and so gives half as many values as it is given."""

    @staticmethod
    def build() -> nn.Module:
        """The layer, ``(..., hidden) -> (..., hidden)``, or ``(..., 2 hidden) -> (..., hidden)``."""
        raise NotImplementedError


@ACTIVATIONS.register("gelu")
class Gelu(Activation):
    """Gaussian error linear unit: x times the normal distribution below x (Hendrycks & Gimpel, arXiv 1606.08415)."""

    build = staticmethod(nn.GELU)


@ACTIVATIONS.register("relu")
class Relu(Activation):
    """Rectified linear unit: the positive part of x (Nair & Hinton, ICML 2010)."""

    build = staticmethod(nn.ReLU)


@ACTIVATIONS.register("swiglu")
class SwiGlu(Activation):
    """Gated: half of the hidden values times the SiLU of the other half (Shazeer, arXiv 2002.05202, eq. 6).

    With two thirds of the hidden width, so that the MLP has as many parameters, as there.
    """

    gates = True

    @staticmethod
    def build() -> nn.Module:
        return Gate()


class Gate(nn.Module):
    """``silu(a) * b`` of both halves: ``(..., 2 hidden) -> (..., hidden)``."""

    def forward(self, halves: Tensor) -> Tensor:
        opening, values = halves.chunk(2, dim=-1)
        return F.silu(opening) * values


class Mlp(nn.Sequential):
    """Linear, activation, Linear, dropout: ``(b, n, d) -> (b, n, d)`` (ViT paper, section 3.1)."""

    def __init__(self, config: ViTConfig) -> None:
        activation, hidden = ACTIVATIONS[config.activation], int(config.embed_dim * config.mlp_ratio)
        hidden = max(1, 2 * hidden // 3) if activation.gates else hidden
        super().__init__(
            nn.Linear(config.embed_dim, 2 * hidden if activation.gates else hidden),
            activation.build(),
            nn.Linear(hidden, config.embed_dim),
            nn.Dropout(config.dropout),
        )
