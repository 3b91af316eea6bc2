"""Loss, accuracy and per-image outcomes of trained models."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from studies.data import Split
from studies.training.batches import Preparation
from vit import ViT
from vit.stacked import StackedViT

EVAL_BATCH = 1000
"""Images at once; on a CPU of all models of a pack together, whose memory would else be the system's every time."""


@dataclass(frozen=True)
class Score:
    """Loss in nats, accuracy in [0, 1] and, per example, whether the prediction was right ``(n,)``.

    Balanced accuracy is the mean over the classes that occur of the share of each that was right: a model that
    always says the most frequent class has 1 / classes.
    """

    loss: float
    accuracy: float
    correct: Tensor
    balanced_accuracy: float = math.nan


@torch.inference_mode()
def evaluate(model: ViT, split: Split, prepare: Preparation) -> Score:
    """Score a model on a whole split, without augmentation."""
    model.eval()
    logits = torch.cat([model(prepare.floats(images)) for images in torch.split(split.images, EVAL_BATCH)])
    model.train()
    return score(logits, split.labels)


def score(logits: Tensor, labels: Tensor) -> Score:
    """From logits ``(n, num_classes)`` and labels ``(n,)``."""
    correct = logits.argmax(dim=1) == labels
    loss = F.cross_entropy(logits, labels)
    sizes = labels.bincount()
    balanced = (labels.bincount(correct.float()) / sizes)[sizes > 0].mean()
    return Score(loss.item(), correct.float().mean().item(), correct.cpu(), balanced.item())


@torch.inference_mode()
def evaluate_packed(model: StackedViT, split: Split, prepare: Preparation) -> list[Score]:
    """Score every model on the same whole split, without augmentation."""
    model.eval()
    each = max(1, EVAL_BATCH // model.num_models) if split.images.is_cpu else EVAL_BATCH
    batches = (prepare.floats(images) for images in torch.split(split.images, each))
    logits = torch.cat([model(images.expand(model.num_models, *images.shape)) for images in batches], dim=1)
    model.train()
    return [score(own, split.labels) for own in logits]
