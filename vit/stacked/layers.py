"""Layers with the weights of m models on a leading axis, computed as one batched product or sum.

Inputs are joined model by model: ``(m*b, ...)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit.stacked.narrow import Norm, Product, few_weights, many_narrow_rows


def joined(tensors: Sequence[Tensor]) -> nn.Parameter:
    """Copies of tensors of one shape as one parameter ``(m, *shape)``, trained if they are."""
    return nn.Parameter(torch.stack([tensor.detach() for tensor in tensors]), tensors[0].requires_grad)


class StackedLinear(nn.Module):
    """m linear layers as one batched product: ``(m*b, ..., in) -> (m*b, ..., out)``."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__()
        self.in_features, self.out_features = layers[0].in_features, layers[0].out_features
        self.weight = joined([layer.weight for layer in layers])
        self.bias = None if layers[0].bias is None else joined([layer.bias for layer in layers])

    def forward(self, inputs: Tensor) -> Tensor:
        return self.some(inputs, slice(None))

    def some(self, inputs: Tensor, rows: slice) -> Tensor:
        """As ``RowLinear.some``, per model: only the outputs in ``rows``."""
        weight = self.weight[:, rows]
        bias = None if self.bias is None else self.bias[:, rows]
        flat = inputs.reshape(len(weight), -1, self.in_features)
        if few_weights(flat, weight):
            out: Tensor = Product.apply(flat, weight, bias)  # type: ignore[no-untyped-call]
        elif bias is None:
            out = torch.bmm(flat, weight.mT)
        else:
            out = torch.baddbmm(bias[:, None], flat, weight.mT)
        return out.view(*inputs.shape[:-1], -1)


class StackedLayerNorm(nn.Module):
    """m layer norms as one: normalise, then scale and shift by each model's own ``(m, d)``."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__()
        self.normalized_shape, self.eps = layers[0].normalized_shape, layers[0].eps
        self.weight = joined([layer.weight for layer in layers])
        self.bias = joined([layer.bias for layer in layers])

    def forward(self, inputs: Tensor) -> Tensor:
        if many_narrow_rows(inputs):
            flat = inputs.reshape(len(self.weight), -1, inputs.shape[-1])
            out: Tensor = Norm.apply(flat, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
            return out.view(inputs.shape)
        normal = F.layer_norm(inputs, self.normalized_shape, eps=self.eps)
        flat = normal.view(len(self.weight), -1, normal.shape[-1])
        # under autocast the weights may be wider than what a layer norm gives
        return torch.addcmul(self.bias[:, None], flat, self.weight[:, None]).to(normal.dtype).view(inputs.shape)
