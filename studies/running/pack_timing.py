"""A training step of a pack, for who times it: `bench/test_stacked.py`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from studies.data import load
from studies.design.plan import Cell
from studies.training.batches import Preparation
from studies.training.dropouts import own_dropout
from studies.training.steps.choice import packed_step_of
from studies.training.steps.packed import stacked_models


def pack_task(cell: Cell, size: int, device: str, as_graph: bool = True) -> Callable[[], Tensor]:
    """A training step of so many models, with its batch, as ``fit_packed`` takes it: on a GPU from a CUDA graph."""
    data, recipe = load(cell.dataset).to(device), cell.recipe
    compute = cell.to_train.compute_on(device, len(data.train), packed=True)
    prepare = Preparation(recipe, data)
    step, _ = packed_step_of(
        stacked_models(cell.config, range(size), compute, device), [recipe] * size, compute, device, as_graph
    )
    index = torch.arange(size * recipe.batch_size, device=device) % len(prepare.train)
    moves = prepare.draw(torch.Generator(), len(index))
    moves = None if moves is None else moves.to(device)
    draws = own_dropout(range(size), device)

    def task() -> Tensor:
        images, labels = prepare.gather(index, moves)
        with draws:
            return step(images.view(size, -1, *images.shape[1:]), labels.view(size, -1))

    return task
