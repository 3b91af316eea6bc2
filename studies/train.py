"""Train one model on resident data: a pure function of configuration, recipe, data and seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from studies.compute import Compute, resolve
from studies.data import DataSet, Split
from studies.graphed import Step, graphed, set_rate
from studies.program import CompiledStep
from studies.recipe import Recipe
from studies.streams import derive, initialised, stream
from vit import ViT, ViTConfig

EVAL_BATCH = 1000


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
class Score:
    """Loss in nats, accuracy in [0, 1] and, per example, whether the prediction was right ``(n,)``."""

    loss: float
    accuracy: float
    correct: Tensor


@dataclass(frozen=True)
class Fit:
    """A trained model, its learning curve, the seconds of training (evaluation left out) and, apart, of compiling."""

    model: ViT
    curve: list[Epoch]
    train_seconds: float
    compile_seconds: float = 0.0


def fit(
    config: ViTConfig,
    recipe: Recipe,
    data: DataSet,
    seed: int,
    device: str = "cpu",
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fit:
    """Train ``config`` by ``recipe`` on ``data.train``; validation is scored after every epoch.

    On a CPU with one thread the result is the same bit for bit whatever runs beside it. On a GPU the step is
    replayed from a CUDA graph, unless the recipe says ``compile``.

    Raises:
        DivergedError: the loss became NaN or infinite.
        RecipeError: the batch is larger than the data.
    """
    seed = seed_of(recipe, seed)
    data = data.to(device)
    steps, num_steps = recipe.steps_per_epoch(len(data.train)), recipe.num_steps(len(data.train))
    compute = resolve(config, recipe, device, num_steps)
    model = initialised(config, seed).to(device).use_attention(compute.attention)
    step, optimizer = step_of(model, recipe, compute, device)
    prepare = Preparation(recipe, data)
    compile_seconds = 0.0
    if isinstance(step, CompiledStep):
        first = torch.arange(recipe.batch_size)
        compile_seconds = step.prepare(prepare.floats(data.train.images[first]), data.train.labels[first])
    order, shifts = stream(seed, "order"), stream(seed, "augmentation")
    curve, train_seconds = [], 0.0
    with dropout_stream(seed, device):
        for epoch in range(recipe.epochs):
            started = time.perf_counter()
            total = torch.zeros((), device=device)
            for i, index in enumerate(_batches(len(data.train), recipe, order)):
                rate = recipe.learning_rate_at(epoch * steps + i, num_steps)
                for group in optimizer.param_groups:
                    set_rate(group, rate)
                total += step(*prepare.batch(index, shifts))
            train_loss = total.item() / steps
            train_seconds += time.perf_counter() - started
            if not torch.isfinite(total):
                raise DivergedError(f"training loss is {train_loss} in epoch {epoch + 1} of {recipe.epochs}")
            val = evaluate(model, data.val, prepare)
            curve.append(Epoch(epoch + 1, rate, train_loss, val.loss, val.accuracy, train_seconds))
            on_epoch(curve[-1])
    return Fit(model, curve, train_seconds, compile_seconds)


def seed_of(recipe: Recipe, seed: int) -> int:
    """What all streams of a training derive from: replicas of an arm have a seed of their own."""
    return derive(seed, "replica", str(recipe.replica)) if recipe.replica else seed


def step_of(
    model: ViT, recipe: Recipe, compute: Compute, device: str, as_graph: bool = True
) -> tuple[Step, torch.optim.Optimizer]:
    """Images and labels to loss, and the optimizer inside: compiled, from a CUDA graph, or ``train_step`` as it is."""
    if compute.compile:
        compiled = CompiledStep(model, recipe, compute)
        return compiled, compiled.optimizer
    optimizer = recipe.build_optimizer(model.parameters())

    def step(images: Tensor, labels: Tensor) -> Tensor:
        return train_step(model, optimizer, images, labels, recipe.label_smoothing, compute.torch_dtype)

    return graphed(step, model, optimizer, device) if as_graph else step, optimizer


def train_step(
    model: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    label_smoothing: float = 0.0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Forward, backward and update on images ``(b, c, h, w)`` float; returns the loss, detached, on the device.

    Another ``dtype`` than float32 means autocast; weights, optimizer and loss stay in float32.
    """
    with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
        logits = model(images)
    loss = F.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


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
    return Score(loss.item(), correct.float().mean().item(), correct.cpu())


class Preparation:
    """From resident uint8 images to model input: translation by indexing, then scaling."""

    def __init__(self, recipe: Recipe, data: DataSet) -> None:
        self.train = data.train
        self.reach = recipe.max_translation
        mean, std = data.pixel_statistics if recipe.normalize else (torch.zeros(1), torch.ones(1))
        device = data.train.images.device
        self.scale = (1 / (255 * std)).to(device)
        self.offset = (-mean / std).to(device)
        _, _, h, w = data.train.images.shape
        padded = F.pad(data.train.images, (self.reach,) * 4)
        # every shift of every image as a view that takes no memory: (n, c, 2r+1, 2r+1, h, w)
        self.windows = padded.unfold(2, h, 1).unfold(3, w, 1)

    def floats(self, images: Tensor) -> Tensor:
        """uint8 ``(b, c, h, w)`` to normalised float."""
        return torch.addcmul(self.offset, images.float(), self.scale)

    def batch(self, index: Tensor, shifts: torch.Generator) -> tuple[Tensor, Tensor]:
        """Training images ``(b, c, h, w)`` float, shifted at random, and labels ``(b,)``."""
        return self.gather(index, self.draw(shifts, 2, len(index)))

    def draw(self, shifts: torch.Generator, *shape: int) -> Tensor | None:
        """Shifts of this shape; None where the recipe wants none, and then nothing is drawn."""
        return torch.randint(0, 2 * self.reach + 1, shape, generator=shifts) if self.reach else None

    def gather(self, index: Tensor, offsets: Tensor | None) -> tuple[Tensor, Tensor]:
        """Training images ``(b, c, h, w)`` float, shifted by ``(2, b)``, and labels ``(b,)``, in one go."""
        index = index.to(self.train.labels.device)
        if offsets is None:
            return self.floats(self.train.images.index_select(0, index)), self.train.labels[index]
        dy, dx = offsets.to(index.device)
        return self.floats(self.windows[index, :, dy, dx]), self.train.labels[index]


@contextmanager
def dropout_stream(seed: int, device: str) -> Iterator[None]:
    """Dropout draws from torch's global state: set it for one training, then put it back."""
    devices = [torch.cuda.current_device()] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive(seed, "dropout"))
        yield


def _batches(num_images: int, recipe: Recipe, order: torch.Generator) -> Iterator[Tensor]:
    shuffled = torch.randperm(num_images, generator=order)
    for i in range(recipe.steps_per_epoch(num_images)):
        yield shuffled[i * recipe.batch_size : (i + 1) * recipe.batch_size]
