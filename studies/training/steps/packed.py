"""One training step of several models at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from studies.training.compute import Compute
from studies.training.recipe import Recipe
from studies.training.steps.eager import Descends, Model, descend
from studies.training.steps.graphed import set_rate
from studies.training.steps.vectors import optimizer_of
from studies.training.streams import initialised
from vit import ViTConfig
from vit.stacked import StackedViT, stack


def stacked_models(
    config: ViTConfig, seeds: Sequence[int], compute: Compute, device: str, init: str = ""
) -> StackedViT:
    """Each model initialised from its own seed, or from weights called ``init``."""
    return stack([initialised(config, seed, init).to(device).use_attention(compute.attention) for seed in seeds])


class PackedOptimizer:
    """One optimizer of all models, each with its own learning rate and weight decay.

    Neighbours with equal ones share parameter groups. If all do, these hold the stacked parameters themselves, in
    vectors where that is asked for; else views of them, which are handed their gradients before every step.
    """

    def __init__(self, model: StackedViT, recipes: Sequence[Recipe], in_vectors: bool = False) -> None:
        self.stacked = list(model.parameters())
        groups: list[dict[str, Any]] = []
        self.owners: list[Recipe] = []  # of each group
        self.views: list[tuple[nn.Parameter, nn.Parameter, slice]] = []
        for recipe, part in _runs(recipes):
            if part == slice(0, len(recipes)):
                parameters = self.stacked
            else:
                parameters = [nn.Parameter(p.detach()[part]) for p in self.stacked]
                self.views += [(view, p, part) for view, p in zip(parameters, self.stacked, strict=True)]
            added = recipe.parameter_groups(parameters, stacked=1)
            groups += added
            self.owners += [recipe] * len(added)
        self.inner = optimizer_of(recipes[0], groups, in_vectors and not self.views)
        self.inner.register_step_pre_hook(self._hand_gradients)

    def set_rates(self, step: int, num_steps: int) -> None:
        """Every model's rate for this step."""
        for group, recipe in zip(self.inner.param_groups, self.owners, strict=True):
            set_rate(group, recipe.learning_rate_at(step, num_steps))

    def zero_grad(self) -> None:
        """Of the stacked parameters, which backward fills."""
        for parameter in self.stacked:
            parameter.grad = None

    def step(self) -> None:
        """Update all models."""
        self.inner.step()

    def _hand_gradients(self, *_: Any) -> None:
        for view, stacked, part in self.views:
            view.grad = None if stacked.grad is None else stacked.grad[part]


def _runs(recipes: Sequence[Recipe]) -> Iterator[tuple[Recipe, slice]]:
    """Neighbours of one rate and decay."""
    start = 0
    for recipe, run in groupby(recipes, lambda recipe: recipe.replace(replica=0)):
        stop = start + len(list(run))
        yield recipe, slice(start, stop)
        start = stop


def packed_step(
    model: Model, optimizer: Descends, images: Tensor, labels: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """As ``train_step``, on images ``(m, b, c, h, w)`` and labels ``(m, b)``; returns the losses ``(m,)``."""
    flat, targets = model(images).flatten(0, 1), labels.flatten()
    each = F.cross_entropy(flat, targets, reduction="none", label_smoothing=label_smoothing)
    losses = each.view(labels.shape).mean(dim=1)
    descend(losses.sum(), model, optimizer)
    return losses.detach()
