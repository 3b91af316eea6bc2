"""A model trained by itself: eager, compiled, or from a CUDA graph."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from studies.data import DataSet
from studies.training.batches import single_batches
from studies.training.compute import Compute
from studies.training.curves import DivergedError, Fit
from studies.training.paths import DropPaths
from studies.training.recipe import Recipe
from studies.training.score import Score, evaluate
from studies.training.session import Session
from studies.training.steps.choice import step_of
from studies.training.steps.compiled import CompiledStep
from studies.training.steps.graphed import set_rate
from studies.training.streams import DropoutStream, initialised
from vit import ViT, ViTConfig


class Single(Session):
    """One model; ``compute`` says how its step is taken, and it is compiled here where that is asked for."""

    model: ViT

    def __init__(
        self, config: ViTConfig, recipe: Recipe, data: DataSet, seed: int, compute: Compute, device: str
    ) -> None:
        super().__init__([recipe], [seed], data)
        (own,) = self.seeds
        self.model = initialised(config, own, recipe.init).to(device).use_attention(compute.attention)
        self.paths = DropPaths(self.model, self.seeds, recipe.batch_size, device)
        self.update, self.optimizer = step_of(self.model, recipe, compute, device)
        self.dropout = DropoutStream(own, device)
        if isinstance(self.update, CompiledStep):
            first = torch.arange(recipe.batch_size)
            images, labels = self.prepare.floats(data.train.images[first]), data.train.labels[first]
            with self.paths:
                self.compile_seconds = self.update.prepare(images, labels)

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images ``(b, c, h, w)`` and labels ``(b,)``."""
        self.streams.rewind()
        ((order, shifts),) = self.streams.generators
        return single_batches(self.prepare, self.recipe, order, shifts, self.taken_of_epoch)

    def set_rates(self, step: int, num_steps: int) -> None:
        """The one rate, in every group of parameters."""
        rate = self.recipe.learning_rate_at(step, num_steps)
        for group in self.optimizer.param_groups:
            set_rate(group, rate)

    def evaluate(self) -> list[Score]:
        """One score."""
        return [evaluate(self.model, self.data.val, self.prepare)]

    def results(self) -> list[Fit | DivergedError]:
        """One result."""
        return self.curves.results([self.model], self.compile_seconds)
