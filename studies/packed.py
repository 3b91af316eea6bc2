"""Train several models of one configuration as one program, each as if it were alone: seeds, or rates.

Every model keeps its own streams of initialisation, order, augmentation and dropout. On a CPU it draws what
it would draw alone, and results are equal but for the rounding of batched products. On another device dropout
of all models is one joint draw: as random, and repeatable, but it depends on who is packed together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from studies.compute import resolve
from studies.data import DataSet, Split
from studies.dropouts import dropout_streams
from studies.graphed import graphed, set_rate
from studies.recipe import Recipe
from studies.streams import initialised, stream
from studies.train import EVAL_BATCH, DivergedError, Epoch, Fit, Preparation, Score, score, seed_of
from vit import ViT, ViTConfig
from vit.stacked import StackedViT, stack


def shared_part(recipe: Recipe) -> Recipe:
    """The recipe without what may differ within a pack: learning rate, weight decay, replica."""
    return recipe.replace(learning_rate=0.0, weight_decay=0.0, replica=0)


def fit_packed(
    config: ViTConfig, recipes: Sequence[Recipe], data: DataSet, seeds: Sequence[int], device: str = "cpu"
) -> list[Fit | DivergedError]:
    """Train one model per recipe and seed as ``fit`` does, all together; one that diverges hurts no other.

    Seconds are each model's share: those of the pack, divided by its models.

    Raises:
        ValueError: not one recipe a seed, or recipes that cannot go together.
        RecipeError: the batch is larger than the data.
    """
    _check(recipes, seeds)
    recipe, data = recipes[0], data.to(device)
    seeds = [seed_of(own, seed) for own, seed in zip(recipes, seeds, strict=True)]
    model = stacked_models(config, recipe, seeds, device)
    optimizer = PackedOptimizer(model, recipes)
    compute = resolve(config, recipe, device)

    def one_step(images: Tensor, labels: Tensor) -> Tensor:
        return packed_step(model, optimizer.inner, images, labels, recipe.label_smoothing, compute.torch_dtype)

    step = graphed(one_step, model, optimizer.inner, device)
    prepare, streams = Preparation(recipe, data), [(stream(s, "order"), stream(s, "augmentation")) for s in seeds]
    curves = Curves(recipes, recipe.steps_per_epoch(len(data.train)))
    with dropout_streams(seeds, device):
        for epoch in range(recipe.epochs):
            started = time.perf_counter()
            total = torch.zeros(len(seeds), device=device)
            for i, batch in enumerate(packed_batches(prepare, recipe, streams)):
                optimizer.set_rates(epoch * curves.steps + i, recipe.epochs * curves.steps)
                total += step(*batch)
            curves.trained(total.tolist(), time.perf_counter() - started)
            if len(curves.diverged) == len(seeds):
                break
            curves.scored(evaluate_packed(model, data.val, prepare))
    return curves.results(model.unstack())


class Curves:
    """The learning curve of every model of a pack, up to where it diverged."""

    def __init__(self, recipes: Sequence[Recipe], steps: int) -> None:
        self.recipes, self.steps = recipes, steps
        self.points: list[list[Epoch]] = [[] for _ in recipes]
        self.diverged: dict[int, DivergedError] = {}
        self.losses: list[float] = []
        self.epoch, self.seconds = 0, 0.0

    def trained(self, totals: list[float], seconds: float) -> None:
        """An epoch is over: the sums of each model's losses, and the seconds it took them all."""
        self.epoch += 1
        self.seconds += seconds / len(totals)
        self.losses = [total / self.steps for total in totals]
        for i, loss in enumerate(self.losses):
            if not math.isfinite(loss):
                where = f"epoch {self.epoch} of {self.recipes[i].epochs}"
                self.diverged.setdefault(i, DivergedError(f"training loss is {loss} in {where}"))

    def scored(self, scores: list[Score]) -> None:
        """Its validation, one score a model."""
        for points, recipe, loss, val in zip(self.points, self.recipes, self.losses, scores, strict=True):
            rate = recipe.learning_rate_at(self.epoch * self.steps - 1, recipe.epochs * self.steps)
            points.append(Epoch(self.epoch, rate, loss, val.loss, val.accuracy, self.seconds))

    def results(self, models: list[ViT]) -> list[Fit | DivergedError]:
        """What became of every model."""
        fits = [Fit(model, points, self.seconds) for model, points in zip(models, self.points, strict=True)]
        return [self.diverged.get(i, fitted) for i, fitted in enumerate(fits)]


def stacked_models(config: ViTConfig, recipe: Recipe, seeds: Sequence[int], device: str) -> StackedViT:
    """Each model initialised from its own seed."""
    kernel = resolve(config, recipe, device).attention
    return stack([initialised(config, seed).to(device).use_attention(kernel) for seed in seeds])


class PackedOptimizer:
    """One optimizer of all models, each with its own learning rate and weight decay.

    Neighbours with equal ones share parameter groups. If all do, these hold the stacked parameters themselves;
    else views of them, which are handed their gradients before every step.
    """

    def __init__(self, model: StackedViT, recipes: Sequence[Recipe]) -> None:
        stacked = list(model.parameters())
        groups: list[dict[str, Any]] = []
        self.owners: list[Recipe] = []  # of each group
        self.views: list[tuple[nn.Parameter, nn.Parameter, slice]] = []
        for recipe, part in _runs(recipes):
            if part == slice(0, len(recipes)):
                parameters = stacked
            else:
                parameters = [nn.Parameter(p.detach()[part]) for p in stacked]
                self.views += [(view, p, part) for view, p in zip(parameters, stacked, strict=True)]
            added = recipe.parameter_groups(parameters, stacked=1)
            groups += added
            self.owners += [recipe] * len(added)
        self.inner = recipes[0].optimizer_of(groups)
        self.inner.register_step_pre_hook(self._hand_gradients)

    def set_rates(self, step: int, num_steps: int) -> None:
        """Every model's rate for this step."""
        for group, recipe in zip(self.inner.param_groups, self.owners, strict=True):
            set_rate(group, recipe.learning_rate_at(step, num_steps))

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
    model: StackedViT,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    label_smoothing: float = 0.0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """As ``train_step``, on images ``(m, b, c, h, w)`` and labels ``(m, b)``; returns the losses ``(m,)``."""
    with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
        logits = model(images)
    flat, targets = logits.flatten(0, 1).float(), labels.flatten()
    each = F.cross_entropy(flat, targets, reduction="none", label_smoothing=label_smoothing)
    losses = each.view(labels.shape).mean(dim=1)
    model.zero_grad(set_to_none=True)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return losses.detach()


@torch.inference_mode()
def evaluate_packed(model: StackedViT, split: Split, prepare: Preparation) -> list[Score]:
    """Score every model on the same whole split, without augmentation."""
    model.eval()
    batches = (prepare.floats(images) for images in torch.split(split.images, EVAL_BATCH))
    logits = torch.cat([model(images.expand(model.num_models, *images.shape)) for images in batches], dim=1)
    model.train()
    return [score(own, split.labels) for own in logits]


def packed_batches(
    prepare: Preparation, recipe: Recipe, streams: Sequence[tuple[torch.Generator, torch.Generator]]
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch: images ``(m, b, c, h, w)`` and labels ``(m, b)``, each model's by its streams of order and shifts.

    All draws are made first: the same numbers as draws between steps, and one copy to the device.
    """
    num_images, b, m = len(prepare.train), recipe.batch_size, len(streams)
    steps, device = recipe.steps_per_epoch(num_images), prepare.train.labels.device
    orders = [torch.randperm(num_images, generator=order)[: steps * b].view(steps, b) for order, _ in streams]
    index = torch.stack(orders, dim=1).to(device)  # (steps, m, b)
    drawn = [draw for _, shifts in streams if (draw := prepare.draw(shifts, steps, 2, b)) is not None]
    offsets = torch.stack(drawn, dim=2).to(device) if drawn else [None] * steps  # (steps, 2, m, b)
    for of_step, offset in zip(index, offsets, strict=True):
        images, labels = prepare.gather(of_step.flatten(), None if offset is None else offset.flatten(1))
        yield images.view(m, b, *images.shape[1:]), labels.view(m, b)


def _check(recipes: Sequence[Recipe], seeds: Sequence[int]) -> None:
    if not seeds or len(recipes) != len(seeds):
        raise ValueError(f"{len(recipes)} recipes for {len(seeds)} seeds: give one recipe a seed, and at least one")
    if any(shared_part(recipe) != shared_part(recipes[0]) for recipe in recipes):
        raise ValueError("recipes of one pack may differ in learning_rate, weight_decay and replica only")
    if recipes[0].compile is True:
        raise ValueError("compile=True: a compiled model cannot be packed; train it alone")
