"""The step that trains a model, or a pack of them: eager, compiled or from a CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from studies.training.compute import Compute
from studies.training.recipe import Recipe
from studies.training.steps.compiled import CompiledStep
from studies.training.steps.eager import train_step
from studies.training.steps.graphed import Step, graphed
from studies.training.steps.lowered import lowered
from studies.training.steps.packed import PackedOptimizer, packed_step
from studies.training.steps.vectors import optimizer_of
from vit import ViT
from vit.stacked import StackedViT


def step_of(
    model: ViT, recipe: Recipe, compute: Compute, device: str, as_graph: bool = True
) -> tuple[Step, torch.optim.Optimizer]:
    """Images and labels to loss, and the optimizer inside: compiled, from a CUDA graph, or ``train_step`` as it is.

    Without ``as_graph`` every parameter is updated by itself: the step whose memory is predicted for a GPU.
    """
    if compute.compile:
        compiled = CompiledStep(model, recipe, compute)
        return compiled, compiled.optimizer
    in_vectors = as_graph and device == "cpu"  # a graph replays the walk from parameter to parameter without Python
    optimizer = optimizer_of(recipe, recipe.parameter_groups(model.parameters()), in_vectors)
    computing = lowered(model, compute.torch_dtype)

    def step(images: Tensor, labels: Tensor) -> Tensor:
        return train_step(computing, optimizer, images, labels, recipe.label_smoothing)

    return graphed(step, model, optimizer, device) if as_graph else step, optimizer


def packed_step_of(
    model: StackedViT, recipes: Sequence[Recipe], compute: Compute, device: str, as_graph: bool = True
) -> tuple[Step, PackedOptimizer]:
    """As ``step_of`` for the models of a pack, one recipe each; never compiled."""
    optimizer = PackedOptimizer(model, recipes, in_vectors=as_graph and device == "cpu")
    smoothing = recipes[0].label_smoothing
    computing = lowered(model, compute.torch_dtype)

    def step(images: Tensor, labels: Tensor) -> Tensor:
        return packed_step(computing, optimizer, images, labels, smoothing)

    return graphed(step, model, optimizer.inner, device) if as_graph else step, optimizer
