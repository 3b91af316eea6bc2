"""What a model gets wrong."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vit.lens.evaluating import BATCH, at_rest, prepared
from vit.model import ViT


@dataclass(frozen=True)
class Mistake:
    """A misclassified image; the loss in nats."""

    index: int
    predicted: int
    real: int
    loss: float


@torch.no_grad()
def predict(model: ViT, images: Tensor, batch_size: int = BATCH) -> Tensor:
    """Logits in evaluation mode: ``(b, c, h, w) -> (b, k)``."""
    with at_rest(model):
        return torch.cat([model(prepared(model, batch)) for batch in torch.split(images, batch_size)])


def confusion(logits: Tensor, labels: Tensor) -> Tensor:
    """Counts ``(k, k)`` of label i taken for j (rows are real) from logits ``(b, k)`` and labels ``(b,)``."""
    classes = logits.shape[1]
    pairs = labels.to(logits.device) * classes + logits.argmax(dim=1)
    return torch.bincount(pairs, minlength=classes**2).reshape(classes, classes).cpu()


def worst_mistakes(logits: Tensor, labels: Tensor, count: int = 16) -> list[Mistake]:
    """The misclassified images of highest loss, the worst first: logits ``(b, k)``, labels ``(b,)``."""
    labels = labels.to(logits.device)
    predicted = logits.argmax(dim=1)
    losses = F.cross_entropy(logits, labels, reduction="none")
    wrong = (predicted != labels).nonzero().flatten()
    order = wrong[losses[wrong].argsort(descending=True, stable=True)][:count].tolist()
    return [Mistake(i, int(predicted[i]), int(labels[i]), losses[i].item()) for i in order]
