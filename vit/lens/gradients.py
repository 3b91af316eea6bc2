"""Which pixels would change the answer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vit.lens.evaluating import BATCH, at_rest, prepared, with_label
from vit.model import ViT

TARGETS = ("logit", "loss")


def input_gradient(model: ViT, images: Tensor, labels: Tensor, of: str = "logit") -> Tensor:
    """Gradient of every image's logit of its label, or of its loss, by its pixels: ``(b, c, h, w)``.

    Simonyan, Vedaldi & Zisserman, arXiv 1312.6034, section 3.

    Args:
        model: any; its parameters get no gradient.
        images: ``(b, c, h, w)``.
        labels: ``(b,)``, the real ones or any others.
        of: ``"logit"`` or ``"loss"`` (cross-entropy in nats, not averaged).
    """
    if of not in TARGETS:
        raise ValueError(f"unknown of={of!r}; choices: {', '.join(TARGETS)}")
    with torch.inference_mode(False), torch.enable_grad(), at_rest(model):
        images = prepared(model, images).detach().clone().requires_grad_()
        labels = labels.to(images.device).clone()
        logits = model(images)
        if of == "loss":
            target = F.cross_entropy(logits, labels, reduction="sum")
        else:
            target = logits.gather(1, labels[:, None]).sum()
        (gradient,) = torch.autograd.grad(target, images)
    return gradient


def label_gradients(
    model: ViT,
    images: Tensor,
    labels: Tensor,
    wanted: Sequence[int],
    of: str = "logit",
    batch_size: int = BATCH,
) -> dict[int, Tensor]:
    """Mean signed input gradient over the images of a label, channels averaged: label -> ``(h, w)``.

    Raises:
        NothingToSeeError: a wanted label has no image.
    """
    heat = {}
    for label in wanted:
        chosen = with_label(images, labels, label)
        total = torch.zeros(model.config.image_shape, dtype=torch.float64)
        for batch in torch.split(chosen, batch_size):
            same = torch.full((len(batch),), label)
            total += input_gradient(model, batch, same, of).double().mean(dim=1).sum(dim=0).cpu()
        heat[label] = (total / len(chosen)).float()
    return heat
