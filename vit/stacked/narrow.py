"""What narrow layers of many models leave idle on a GPU, in float32: a norm's rows and a weight's gradient.

torch's layer norm takes a block of threads a row, and its batched product a block a model for the gradient of a weight
that is no larger than one block. Both are written here by operators that fill the device: on an H100 a step of 32
packed models is 1.1 to 1.5 times as fast (results/published/bench-h100/stacked.md).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

NARROW = 64
"""Widest row of which the norm below is faster, forward and backward (results/published/bench-h100/narrow.md)."""
MANY = 16_000
"""Rows of all models from which it is."""
FEW = 300_000
"""Values of all models' gradients of a layer up to which parts are faster, two blocks a multiprocessor (same table)."""
PART = 128
"""Least rows of such a part."""


def in_float32_on_gpu(x: Tensor) -> bool:
    """Where this was measured, and where nothing rounds in between."""
    return x.is_cuda and x.dtype == torch.float32 and not torch.is_autocast_enabled("cuda")


def many_narrow_rows(x: Tensor) -> bool:
    """Whether a norm of the last axis is faster by ``Norm``."""
    return in_float32_on_gpu(x) and x.shape[-1] <= NARROW and x.numel() >= MANY * x.shape[-1]


def few_weights(x: Tensor, weight: Tensor) -> bool:
    """Whether a product with ``weight`` ``(m, out, in)`` has its gradient faster by ``Product``."""
    return in_float32_on_gpu(x) and weight.numel() <= FEW


class Norm(torch.autograd.Function):
    """Layer norms (arXiv 1607.06450) of m models, ``(m, rows, d) -> (m, rows, d)``; weight and bias are ``(m, d)``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        """As ``F.layer_norm`` of each model."""
        variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
        scale = (variance + eps).rsqrt_()
        normal = (x - mean).mul_(scale)
        ctx.save_for_backward(normal, scale, weight)
        return torch.addcmul(bias[:, None], normal, weight[:, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """``scale * (wg - mean(wg) - normal * mean(wg * normal))``; means over d are products with ``weight / d``."""
        normal, scale, weight = ctx.saved_tensors
        of_weight = gradient * normal
        average = (weight / weight.shape[-1])[..., None]
        centre, slope = gradient @ average, of_weight @ average
        of_x = torch.addcmul(-centre, gradient, weight[:, None]).addcmul_(normal, slope, value=-1).mul_(scale)
        return of_x, of_weight.sum(1), gradient.sum(1), None


class Product(torch.autograd.Function):
    """Linear layers of m models, ``(m, rows, in) -> (m, rows, out)``, with weight ``(m, out, in)``, bias ``(m, out)``.

    The gradient of a weight is a sum over rows: here of parts, each a product of its own.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """As ``F.linear`` of each model."""
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return torch.bmm(x, weight.mT) if bias is None else torch.baddbmm(bias[:, None], x, weight.mT)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """The gradients; none of inputs that want none."""
        x, weight = ctx.saved_tensors
        m, rows, _ = x.shape
        parts = num_parts(rows)
        per_part = torch.bmm(gradient.reshape(m * parts, rows // parts, -1).mT, x.reshape(m * parts, rows // parts, -1))
        return (
            gradient @ weight if ctx.needs_input_grad[0] else None,
            per_part.view(m, parts, *weight.shape[1:]).sum(1),
            gradient.sum(1) if ctx.has_bias else None,
        )


def num_parts(rows: int) -> int:
    """The most equal parts of at least ``PART`` rows; one of fewer."""
    return next(parts for parts in range(max(1, rows // PART), 0, -1) if rows % parts == 0)
