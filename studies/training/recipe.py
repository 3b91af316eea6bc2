"""How a model is trained: everything but the model, the data and the seed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from studies.training.initial import NAME
from studies.training.muon import Muon
from vit import ATTENTION_KERNELS, Registry
from vit.bounds import check_length

Schedule = Callable[[float], float]

OPTIMIZERS: Registry[type[torch.optim.Optimizer]] = Registry("optimizer")
OPTIMIZERS["adamw"] = torch.optim.AdamW
OPTIMIZERS["adam"] = torch.optim.Adam
OPTIMIZERS["muon"] = Muon
ELEMENTWISE = ("adamw", "adam")
"""Those that update every value by itself, whatever the shape of its parameter."""

SCHEDULES: Registry[Schedule] = Registry("schedule")
SCHEDULES["constant"] = lambda progress: 1.0
SCHEDULES["linear"] = lambda progress: 1.0 - progress
SCHEDULES["cosine"] = lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress))

DTYPES = ("auto", "float32", "bfloat16")


class RecipeError(ValueError):
    """An impossible recipe; the message names the value and the bound or the choices."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training recipe.

    Args:
        epochs: passes over the training images.
        batch_size: images a step; the last, smaller batch of an epoch is left out.
        optimizer: a name in ``OPTIMIZERS``.
        learning_rate: the peak rate.
        weight_decay: decoupled for AdamW (arXiv 1711.05101) and Muon, on matrices only.
        beta2: decay of the second moment.
        schedule: a name in ``SCHEDULES``, after the warm-up.
        warmup: share of all steps over which the rate rises linearly from 0.
        label_smoothing: share of the target spread evenly over the classes (arXiv 1512.00567, section 7).
        max_translation: pixels; every training image is shifted by up to so many in each direction.
        train_images: how many of the training images, the classes in proportion, the same ones every time; 0 for all.
        flip: every training image is mirrored left to right half of the time.
        normalize: subtract the training mean and divide by the standard deviation; else pixels in [0, 1].
        attention: an entry of ``ATTENTION_KERNELS``, or ``auto``: see ``studies/training/compute.py``.
        dtype: ``float32``, ``bfloat16`` (autocast) or ``auto``.
        compile: put the model through ``torch.compile``: True, False, or ``auto``: see ``studies/training/compute.py``.
        init: weights to start from, a name that ``studies/training/initial.py`` gives them; empty for random ones.
        replica: tells identical arms apart: it enters the random streams and nothing else. 0 is the arm itself.

    Raises:
        RecipeError: a value is out of range or unknown.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    beta2: float = 0.99
    schedule: str = "cosine"
    warmup: float = 0.1
    label_smoothing: float = 0.0
    max_translation: int = 0
    flip: bool = False
    normalize: bool = True
    attention: str = "auto"
    dtype: str = "auto"
    compile: bool | str = "auto"
    init: str = ""
    replica: int = 0
    train_images: int = 0

    def __post_init__(self) -> None:
        try:
            for field in dataclasses.fields(self):
                check_length(field.name, getattr(self, field.name))
        except ValueError as error:
            raise RecipeError(str(error)) from None
        for name, low, high in (
            ("epochs", 1, 10**6),
            ("batch_size", 1, 10**6),
            ("learning_rate", 0.0, 1e3),
            ("weight_decay", 0.0, 1e3),
            ("beta2", 0.0, 1.0),
            ("warmup", 0.0, 1.0),
            ("label_smoothing", 0.0, 1.0),
            ("max_translation", 0, 10**4),
            ("replica", 0, 10**6),
            ("train_images", 0, 10**9),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise RecipeError(f"{name}={value!r} must be a number between {low:g} and {high:g}")
        for name in ("epochs", "batch_size", "max_translation", "replica", "train_images"):
            if not isinstance(getattr(self, name), int):
                raise RecipeError(f"{name}={getattr(self, name)!r} must be a whole number")
        if self.beta2 == 1.0:
            raise RecipeError(f"beta2={self.beta2!r} must be below 1")
        for name in ("flip", "normalize"):
            if not isinstance(getattr(self, name), bool):
                raise RecipeError(f"{name}={getattr(self, name)!r} must be True or False")
        if not (isinstance(self.compile, bool) or self.compile == "auto"):
            raise RecipeError(f"compile={self.compile!r} must be True, False or auto")
        for name, choices in (("attention", ("auto", *ATTENTION_KERNELS)), ("dtype", DTYPES)):
            if getattr(self, name) not in choices:
                raise RecipeError(f"{name}={getattr(self, name)!r} is unknown; choices: {', '.join(choices)}")
        if self.init and not (isinstance(self.init, str) and NAME.fullmatch(self.init)):
            raise RecipeError(f"init={self.init!r} names no kept weights: give their file, --init FILE")
        for name in ("optimizer", "schedule"):
            if not isinstance(getattr(self, name), str):
                raise RecipeError(f"{name}={getattr(self, name)!r} must be a name")
        try:
            OPTIMIZERS[self.optimizer], SCHEDULES[self.schedule]
        except KeyError as error:
            raise RecipeError(str(error)) from None

    def replace(self, **changes: Any) -> Recipe:
        """A copy with some fields changed.

        Raises:
            RecipeError: no such field, or an impossible value.
        """
        names = [f.name for f in dataclasses.fields(self)]
        for name in changes:
            if name not in names:
                raise RecipeError(f"Recipe has no field {name!r}; choices: {', '.join(names)}")
        return dataclasses.replace(self, **changes)

    def images_of(self, num_images: int) -> int:
        """How many of so many training images are used.

        Raises:
            RecipeError: there are not as many.
        """
        if self.train_images > num_images:
            raise RecipeError(f"train_images={self.train_images} exceeds the {num_images} training images; 0 uses all")
        return self.train_images or num_images

    def steps_per_epoch(self, num_images: int) -> int:
        """Whole batches in those of the training images that are used.

        Raises:
            RecipeError: there is not one, or there are fewer images than ``train_images``.
        """
        used = self.images_of(num_images)
        if used < self.batch_size:
            raise RecipeError(f"batch_size={self.batch_size} exceeds the {used} training images")
        return used // self.batch_size

    def num_steps(self, num_images: int) -> int:
        """Updates of the whole training.

        Raises:
            RecipeError: there is not one whole batch.
        """
        return self.epochs * self.steps_per_epoch(num_images)

    def build_optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer, fused, weight decay on matrices only."""
        return self.optimizer_of(self.parameter_groups(parameters))

    def parameter_groups(self, parameters: Iterable[nn.Parameter], stacked: int = 0) -> list[dict[str, Any]]:
        """With the rate and the weight decay of each; so many leading axes, of models, make no matrix."""
        parameters = list(parameters)
        matrices = [p for p in parameters if p.ndim - stacked >= 2]
        others = [p for p in parameters if p.ndim - stacked < 2]
        rate = self.learning_rate
        return [
            {"params": matrices, "lr": rate, "weight_decay": self.weight_decay, "stacked": stacked},
            {"params": others, "lr": rate, "weight_decay": 0.0, "stacked": stacked},
        ]

    def optimizer_of(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """The optimizer of groups with their own rate and weight decay."""
        options: dict[str, Any] = {"lr": self.learning_rate, "betas": (0.9, self.beta2), "fused": True}
        return OPTIMIZERS[self.optimizer](groups, **options)

    def learning_rate_at(self, step: int, num_steps: int) -> float:
        """The rate of one step: linear warm-up, then the schedule down to the last step."""
        warmup_steps = self.warmup * num_steps
        if step < warmup_steps:
            return self.learning_rate * (step + 1) / (warmup_steps + 1)
        progress = (step - warmup_steps) / max(1.0, num_steps - warmup_steps)
        return self.learning_rate * SCHEDULES[self.schedule](progress)
