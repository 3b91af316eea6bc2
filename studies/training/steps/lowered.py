"""A model in a lower precision that computes, beside the one in float32 that is updated.

Small updates would be lost in weights of eight bits, so those that the optimizer sees stay in float32 (Micikevicius et
al., arXiv 1710.03740, section 3.1). Autocast does that too, and converts every weight where it is used and every
activation before a product. Here all weights are converted in one pass before a step, all gradients in one after it,
and what stands between products keeps the lower precision: on an AMD Zen 5 a train step takes 0.94 to 1.0 of its time,
and activations half the memory. Autocast stays on for what a component brings along in float32.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn


class Lowered:
    """A model's twin in a lower precision, in training; callable as the model, images to logits in float32.

    Buffers are the model's own.

    Args:
        model: in float32; whoever changes its weights between calls, in place, will see them used.
        dtype: what the twin computes in.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.twin = copy.deepcopy(model).train()
        for own, lowered in zip(model.modules(), self.twin.modules(), strict=True):
            lowered._buffers = own._buffers
            for name, weight in lowered._parameters.items():
                if weight is not None:
                    lowered._parameters[name] = nn.Parameter(weight.detach().to(dtype), weight.requires_grad)
        self.weights: list[Tensor] = list(model.parameters())
        self.lowered: list[Tensor] = list(self.twin.parameters())

    def __call__(self, images: Tensor) -> Tensor:
        """Logits with the model's weights of now."""
        with torch.no_grad():
            torch._foreach_copy_(self.lowered, self.weights)
        return forward(self.twin, images, self.dtype)

    def hand_gradients(self) -> None:
        """After backward: the model's weights get the gradients of the twin's, in float32."""
        pairs = zip(self.weights, self.lowered, strict=True)
        given = [(weight, low, low.grad) for weight, low in pairs if low.grad is not None]
        gradients = [torch.empty_like(weight) for weight, _, _ in given]
        torch._foreach_copy_(gradients, [gradient for _, _, gradient in given])
        for (weight, low, _), gradient in zip(given, gradients, strict=True):
            weight.grad, low.grad = gradient, None


def lowered(model: nn.Module, dtype: torch.dtype) -> Callable[[Tensor], Tensor] | Lowered:
    """What computes for a model in float32: itself, or its twin in another number format."""
    return model if dtype == torch.float32 else Lowered(model, dtype)


def forward(model: Callable[[Tensor], Tensor], images: Tensor, dtype: torch.dtype) -> Tensor:
    """Logits in float32 of a model whose weights have this type; what else it brings along is converted."""
    with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
        logits = model(images.to(dtype))
    return logits.float()
