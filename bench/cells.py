"""The cells of the chunking bench: which shapes, at which level, and the tasks that are timed in each."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from bench.patching import Patched, cutters, embedders
from bench.timing import Task
from vit import CHUNKINGS, PRESETS, ViT, ViTConfig
from vit.chunking import BACKENDS

LEVELS = {
    "cut": "cutting alone, forward",
    "embed": "cutting and the linear layer, forward",
    "backward": "cutting and the linear layer, forward and backward",
    "step": "a whole train step of the preset `tiny`",
}
# (c, h, w) and the patch's side or the strip's thickness, in pixels
IMAGES = {"28x28x1": ((1, 28, 28), 7), "32x32x3": ((3, 32, 32), 4), "224x224x3": ((3, 224, 224), 16)}
BATCHES = (1, 128, 1024)
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
MIB = 2**20
LARGE = 256 * MIB
"""Bytes of images above which a CPU measures the cut of contiguous images into tiles, and no more."""
LARGE_STEP = 8 * MIB
"""Bytes of images above which a CPU measures the train step on contiguous images only."""

TensorTask = Callable[[], Tensor]
TrainStep = Callable[[Any, torch.optim.Optimizer, Tensor, Tensor], Tensor]
"""Callable model, optimizer, images ``(b, c, h, w)``, labels ``(b,)`` -> loss; as ``steps.eager.train_step``."""


@dataclass(frozen=True)
class Cell:
    """One comparison: backends timed against each other under one condition."""

    chunking: str
    image: str
    batch: int
    layout: str
    level: str
    mode: str

    def __str__(self) -> str:
        return f"{self.chunking}-{self.image}-b{self.batch}-{self.layout}-{self.level}-{self.mode}"

    @property
    def config(self) -> ViTConfig:
        """The model of this cell."""
        (c, h, w), patch_size = IMAGES[self.image]
        return PRESETS["tiny"].replace(image_size=(h, w), in_channels=c, chunking=self.chunking, patch_size=patch_size)

    @property
    def image_bytes(self) -> int:
        """Bytes of one batch of float32 images."""
        c, h, w = IMAGES[self.image][0]
        return 4 * self.batch * c * h * w

    def images(self, device: str) -> Tensor:
        """A batch ``(b, c, h, w)`` of normal numbers in this cell's memory layout."""
        return _images(self.image, self.batch, self.layout, device)


@lru_cache(maxsize=1)  # the levels of one condition follow each other
def _images(image: str, batch: int, layout: str, device: str) -> Tensor:
    generator = torch.Generator(device).manual_seed(0)
    images = torch.randn(batch, *IMAGES[image][0], generator=generator, device=device)
    return images.to(memory_format=LAYOUTS[layout])


def eager_cells() -> Iterator[Cell]:
    """Every chunking, image, batch, layout and level; one channel has one layout only."""
    cutting = [name for name, chunking in CHUNKINGS.items() if chunking.cuts_images()]
    for chunking, image, batch, layout, level in product(cutting, IMAGES, BATCHES, LAYOUTS, LEVELS):
        if layout == "contiguous" or IMAGES[image][0][0] > 1:
            yield Cell(chunking, image, batch, layout, level, "eager")


def compiled_cells() -> Iterator[Cell]:
    """A few: compiling takes seconds a backend, a train step up to half a minute."""
    for image, level in product(IMAGES, ("cut", "backward")):
        yield Cell("tiles", image, 128, "contiguous", level, "compile")
    yield Cell("tiles", "28x28x1", 128, "contiguous", "step", "compile")


def left_out(cell: Cell, device: str) -> str | None:
    """Why a cell is not measured on this device, or None."""
    size = f"{cell.image_bytes / MIB:,.0f} MiB of images"
    small_part = (cell.chunking, cell.level, cell.layout) == ("tiles", "cut", "contiguous")
    if device != "cpu":
        return None
    if cell.image_bytes > LARGE and not small_part:
        return f"{size}: seconds a call on a CPU; measured for contiguous tiles, cut alone"
    if cell.level == "step" and cell.layout != "contiguous" and cell.image_bytes > LARGE_STEP:
        return f"{size}: too slow a train step on a CPU; measured contiguous"
    return None


def build(cell: Cell, device: str, train_step: TrainStep) -> dict[str, TensorTask]:
    """The tasks of a cell by backend, not called yet; each returns what it computed, for the comparison."""
    wrap = partial(torch.compile, dynamic=False) if cell.mode == "compile" else _same
    images = cell.images(device)
    if cell.level == "cut":
        return {name: partial(wrap(cut), images) for name, cut in cutters(cell.config).items()}
    torch.manual_seed(0)
    if cell.level == "step":
        return _train_steps(cell, images, wrap, train_step)
    layer = nn.Linear(cell.config.patch_dim, cell.config.embed_dim).to(device)
    task = _backward if cell.level == "backward" else _forward
    return {name: partial(task, wrap(embed), images, layer) for name, embed in embedders(cell.config).items()}


def work(cell: Cell, flops_per_image: int) -> tuple[float, float]:
    """FLOPs and bytes that one call cannot avoid: a cut reads and writes the images once.

    Args:
        cell: the cell.
        flops_per_image: forward FLOPs of the whole model, used at level ``step``.
    """
    config = cell.config
    layer = 2 * config.num_patches * config.patch_dim * config.embed_dim
    flops = {"cut": 0, "embed": layer, "backward": 2 * layer, "step": 3 * flops_per_image}[cell.level]
    return float(flops * cell.batch), float(cell.image_bytes * (2 if cell.level == "cut" else 1))


def reference(device: str) -> Task:
    """A fixed piece of work, a matrix product and a copy of 4 MiB: the unit in which runs are compared."""
    a, b = torch.ones(256, 256, device=device), torch.ones(2**20, device=device)
    product_out, copy_out = torch.empty_like(a), torch.empty_like(b)

    def task() -> None:
        torch.mm(a, a, out=product_out)
        copy_out.copy_(b)

    return task


def _same(function: Any) -> Any:
    return function


def _forward(embed: Any, images: Tensor, layer: nn.Linear) -> Tensor:
    with torch.no_grad():
        out: Tensor = embed(images, layer)
    return out


def _backward(embed: Any, images: Tensor, layer: nn.Linear) -> Tensor:
    out = embed(images, layer)
    gradient, _ = torch.autograd.grad(out, (layer.weight, layer.bias), torch.ones_like(out))
    return gradient


def _train_steps(cell: Cell, images: Tensor, wrap: Any, train_step: TrainStep) -> dict[str, TensorTask]:
    model = ViT(cell.config).to(images.device)
    labels = torch.arange(cell.batch, device=images.device) % cell.config.num_classes
    tasks: dict[str, TensorTask] = {}
    for name, embed in embedders(cell.config).items():
        if cell.mode == "compile" and name not in BACKENDS:
            continue  # half a minute each
        own = copy.deepcopy(model)
        # at rate 0 every step computes the same: no drift into saturated losses or denormal numbers
        optimizer = torch.optim.AdamW(own.parameters(), lr=0.0, fused=True)
        tasks[name] = partial(train_step, wrap(Patched(own, embed)), optimizer, images, labels)
    return tasks
