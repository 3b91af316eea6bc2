"""What a training leaves: its learning curve and its model, or when it diverged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from studies.training.recipe import Recipe
from studies.training.score import Score
from vit import ViT


class DivergedError(RuntimeError):
    """The training loss is no longer a finite number."""


@dataclass(frozen=True)
class Epoch:
    """One point of the learning curve; losses in nats, accuracies in [0, 1]."""

    epoch: int
    learning_rate: float
    train_loss: float
    val_loss: float
    val_accuracy: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Fit:
    """A trained model, its learning curve, the seconds of training (evaluation left out) and, apart, of compiling."""

    model: ViT
    curve: list[Epoch]
    train_seconds: float
    compile_seconds: float = 0.0


class Curves:
    """The learning curve of every model of a training, up to where it diverged.

    Args:
        recipes: one a model.
        steps: of an epoch.
    """

    def __init__(self, recipes: Sequence[Recipe], steps: int) -> None:
        self.recipes, self.steps = recipes, steps
        self.points: list[list[Epoch]] = [[] for _ in recipes]
        self.diverged: dict[int, DivergedError] = {}
        self.losses: list[float] = []
        self.epoch, self.seconds = 0, 0.0

    @property
    def all_diverged(self) -> bool:
        """Whether no model is left that could go on."""
        return len(self.diverged) == len(self.recipes)

    def trained(self, totals: Sequence[float], seconds: float) -> None:
        """An epoch is over: the sums of each model's losses, and the seconds it took them all."""
        self.epoch += 1
        self.seconds += seconds / len(totals)
        self.losses = [total / self.steps for total in totals]
        for i, loss in enumerate(self.losses):
            if not math.isfinite(loss):
                where = f"epoch {self.epoch} of {self.recipes[i].epochs}"
                self.diverged.setdefault(i, DivergedError(f"training loss is {loss} in {where}"))

    def scored(self, scores: Sequence[Score]) -> None:
        """Its validation, one score a model."""
        for points, recipe, loss, val in zip(self.points, self.recipes, self.losses, scores, strict=True):
            rate = recipe.learning_rate_at(self.epoch * self.steps - 1, recipe.epochs * self.steps)
            points.append(Epoch(self.epoch, rate, loss, val.loss, val.accuracy, self.seconds))

    def results(self, models: Sequence[ViT], compile_seconds: float = 0.0) -> list[Fit | DivergedError]:
        """What became of every model."""
        pairs = zip(models, self.points, strict=True)
        fits = [Fit(model, points, self.seconds, compile_seconds) for model, points in pairs]
        return [self.diverged.get(i, fitted) for i, fitted in enumerate(fits)]

    def state_dict(self) -> dict[str, Any]:
        """The epochs that are over, for JSON."""
        return {
            "epoch": self.epoch,
            "seconds": self.seconds,
            "points": [[point.as_dict() for point in points] for points in self.points],
            "diverged": [[i, str(error)] for i, error in self.diverged.items()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on behind those epochs."""
        self.epoch, self.seconds = state["epoch"], state["seconds"]
        self.points = [[Epoch(**point) for point in points] for points in state["points"]]
        self.diverged = {i: DivergedError(text) for i, text in state["diverged"]}
