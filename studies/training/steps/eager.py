"""One training step as PyTorch runs it, operator by operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

from studies.training.steps.lowered import Lowered

Model = Callable[[Tensor], Tensor] | Lowered
"""Images to logits in float32."""


class Descends(Protocol):
    """What an update asks of an optimizer."""

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def step(self) -> object:
        """Change the weights."""


def descend(loss: Tensor, model: Model, optimizer: Descends) -> None:
    """Backward and update."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if isinstance(model, Lowered):
        model.hand_gradients()
    optimizer.step()


def train_step(
    model: Model, optimizer: Descends, images: Tensor, labels: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """Forward, backward and update on images ``(b, c, h, w)`` float; returns the loss, detached, on the device.

    Weights, optimizer and loss are in float32; a ``Lowered`` model computes in a lower precision.
    """
    loss = F.cross_entropy(model(images), labels, label_smoothing=label_smoothing)
    descend(loss, model, optimizer)
    return loss.detach()
