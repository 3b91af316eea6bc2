"""Batches by indexing into resident images: shuffled, shifted, mirrored, scaled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from studies.data import DataSet
from studies.training.recipe import Recipe


class Preparation:
    """From resident uint8 images to model input: translation and mirroring by indexing, then scaling.

    Args:
        recipe: says how many training images are used, and how they are moved.
        data: resident; ``train`` is the split of those that are used.
    """

    def __init__(self, recipe: Recipe, data: DataSet) -> None:
        data = data.with_train_images(recipe.train_images)
        self.train = data.train
        self.reach, self.flip = recipe.max_translation, recipe.flip
        mean, std = data.pixel_statistics if recipe.normalize else (torch.zeros(1), torch.ones(1))
        device = data.train.images.device
        self.scale = (1 / (255 * std)).to(device)
        self.offset = (-mean / std).to(device)

    def floats(self, images: Tensor) -> Tensor:
        """uint8 ``(b, c, h, w)`` to normalised float."""
        return torch.addcmul(self.offset, images.float(), self.scale)

    def batch(self, index: Tensor, shifts: torch.Generator) -> tuple[Tensor, Tensor]:
        """Training images ``(b, c, h, w)`` float, moved at random, and labels ``(b,)``."""
        return self.gather(index, self.draw(shifts, len(index)))

    def draw(self, shifts: torch.Generator, *shape: int) -> Tensor | None:
        """Moves of images ``(..., b)`` as ``(..., 2, b)``: down and right; with a third row where the recipe mirrors.

        None where the recipe wants no moves, and then nothing is drawn.
        """
        if not (self.reach or self.flip):
            return None
        rows, levels = (3, 2) if self.flip else (2, 1)
        drawn = (*shape[:-1], rows, shape[-1])
        # one draw for all rows, of a multiple of what either needs, so that many steps may be drawn at once
        return torch.randint(0, levels * (2 * self.reach + 1), drawn, generator=shifts)

    def gather(self, index: Tensor, moves: Tensor | None) -> tuple[Tensor, Tensor]:
        """Training images ``(b, c, h, w)`` float, moved as ``draw`` says, and labels ``(b,)``."""
        index = index.to(self.train.labels.device)
        images = self.train.images.index_select(0, index)
        if moves is not None:
            images = self.moved(images, moves.to(index.device))
        return self.floats(images), self.train.labels[index]

    def moved(self, images: Tensor, moves: Tensor) -> Tensor:
        """Images ``(b, c, h, w)``, each shifted, black moving in, and mirrored by its own column of ``moves``."""
        b, _, h, w = images.shape
        if self.reach:
            dy, dx = moves[:2] % (2 * self.reach + 1)
            # every shift of every image as a view that takes no memory: (b, c, 2r+1, 2r+1, h, w)
            windows = F.pad(images, (self.reach,) * 4).unfold(2, h, 1).unfold(3, w, 1)
            images = windows[torch.arange(b, device=images.device), :, dy, dx]
        if self.flip:
            images = torch.where((moves[2] % 2).bool()[:, None, None, None], images.flip(3), images)
        return images


def shuffled_batches(num_images: int, recipe: Recipe, order: torch.Generator) -> Iterator[Tensor]:
    """One epoch: indices ``(b,)`` of whole batches in a new order; what is left over is left out."""
    shuffled = torch.randperm(num_images, generator=order)
    for i in range(recipe.steps_per_epoch(num_images)):
        yield shuffled[i * recipe.batch_size : (i + 1) * recipe.batch_size]


def single_batches(
    prepare: Preparation, recipe: Recipe, order: torch.Generator, shifts: torch.Generator, start: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch from step ``start`` on: images ``(b, c, h, w)`` and labels ``(b,)``; draws are those of a whole one."""
    for i, index in enumerate(shuffled_batches(len(prepare.train), recipe, order)):
        moves = prepare.draw(shifts, len(index))
        if i >= start:
            yield prepare.gather(index, moves)


def packed_batches(
    prepare: Preparation,
    recipe: Recipe,
    streams: Sequence[tuple[torch.Generator, torch.Generator]],
    start: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """As ``single_batches`` for m models: ``(m, b, c, h, w)`` and ``(m, b)``, each by its streams of order and shifts.

    All draws are made first: the same numbers as draws between steps, and one copy to the device.
    """
    num_images, b, m = len(prepare.train), recipe.batch_size, len(streams)
    steps, device = recipe.steps_per_epoch(num_images), prepare.train.labels.device
    orders = [torch.randperm(num_images, generator=order)[: steps * b].view(steps, b) for order, _ in streams]
    index = torch.stack(orders, dim=1).to(device)  # (steps, m, b)
    drawn = [draw for _, shifts in streams if (draw := prepare.draw(shifts, steps, b)) is not None]
    moves = torch.stack(drawn, dim=2).to(device) if drawn else [None] * steps  # (steps, 2 or 3, m, b)
    for of_step, moved in zip(index[start:], moves[start:], strict=True):
        images, labels = prepare.gather(of_step.flatten(), None if moved is None else moved.flatten(1))
        yield images.view(m, b, *images.shape[1:]), labels.view(m, b)
