"""One model in training, or several together: what the epoch loop asks for, and what a checkpoint keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from studies.data import DataSet
from studies.training.batches import Preparation
from studies.training.curves import Curves, DivergedError, Fit
from studies.training.paths import DropPaths
from studies.training.recipe import Recipe
from studies.training.score import Score
from studies.training.steps.graphed import GraphedStep, Step
from studies.training.stopwatch import Stopwatch
from studies.training.streams import Dropout, EpochStreams, seed_of


class Session(ABC):
    """A training between two of its steps; ``studies/training/fit.py`` has the loop that runs it to its end.

    Batches are made and steps taken while ``dropout`` and ``paths`` are entered. Whatever decides how the training
    goes on is in ``state_dict``, after any step: a fresh session of the same arguments that loads it ends with the
    same bits. Losses and scores have one entry a model.

    Args:
        recipes: one a model; they differ in nothing that batches depend on.
        seeds: one a model.
        data: on the device where the models are trained.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    update: Step
    dropout: Dropout
    paths: DropPaths

    def __init__(self, recipes: Sequence[Recipe], seeds: Sequence[int], data: DataSet) -> None:
        self.recipe, self.data = recipes[0], data
        self.curves = Curves(recipes, self.recipe.steps_per_epoch(len(data.train)))
        self.seeds = [seed_of(recipe, seed) for recipe, seed in zip(recipes, seeds, strict=True)]
        self.streams = EpochStreams(self.seeds)
        self.prepare = Preparation(self.recipe, data)
        self.taken = 0
        self.clock = Stopwatch()
        self.compile_seconds = 0.0
        self.total = torch.zeros(len(recipes), device=data.train.images.device)

    @property
    def taken_of_epoch(self) -> int:
        """Steps taken of the epoch that is not over."""
        return self.taken - self.curves.epoch * self.curves.steps

    @abstractmethod
    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels of the steps that are left of this epoch."""

    @abstractmethod
    def set_rates(self, step: int, num_steps: int) -> None:
        """Every model's learning rate for this step of so many."""

    @abstractmethod
    def evaluate(self) -> list[Score]:
        """On the validation split."""

    @abstractmethod
    def results(self) -> list[Fit | DivergedError]:
        """What became of every model."""

    def step(self, images: Tensor, labels: Tensor) -> None:
        """One update of every model; its loss is added to ``total``, where the epoch's losses come together."""
        self.set_rates(self.taken, self.recipe.epochs * self.curves.steps)
        self.paths.draw()
        self.total += self.update(images, labels)
        self.taken += 1
        if self.taken % self.curves.steps == 0:
            self.streams.mark()

    def end_epoch(self) -> None:
        """Write down the epoch's losses and the seconds of its steps."""
        totals = self.total.tolist()  # waits for the device
        self.clock.stop()
        self.curves.trained(totals, self.clock.seconds)
        self.clock.seconds = 0.0
        self.total.zero_()

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizer, steps, all random streams, losses and curve: tensors and plain data, copied.

        Its seconds are those until the clock was last stopped.
        """
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict()["state"],
            "streams": self.streams.marked,
            "dropout": self.dropout.states(),
            "paths": self.paths.states(),
            "taken": self.taken,
            "total": self.total,
            "seconds": self.clock.seconds,
            "compile_seconds": self.compile_seconds,
            "curves": self.curves.state_dict(),
        }
        copied: dict[str, Any] = _copied(state)
        return copied

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there; rates and weight decay are the recipe's. All seconds add up."""
        state = _copied(state)
        self.model.load_state_dict(state["model"])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        self.streams.load(state["streams"])
        self.dropout.load(state["dropout"])
        self.paths.load(state["paths"])
        self.taken = state["taken"]
        self.total.copy_(state["total"])
        self.clock.seconds = state["seconds"]
        self.compile_seconds += state["compile_seconds"]
        self.curves.load_state_dict(state["curves"])
        if isinstance(self.update, GraphedStep):
            self.update.forget()


def _copied(value: Any) -> Any:
    """Tensors in memory of their own, containers as plain ones."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, (list, tuple)) else value
