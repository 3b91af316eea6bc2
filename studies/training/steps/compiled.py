"""The train step as one program: ``torch.compile`` sees forward, loss and backward at once.

Beside a narrow model's arithmetic, Python, autograd and an optimizer that walks from parameter to parameter take
as much time again. So the parameters of a group lie in one long vector, whose gradient the program returns in one
piece, and for which the optimizer needs one call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn

from studies.training.compute import Compute
from studies.training.recipe import ELEMENTWISE, Recipe
from studies.training.steps.lowered import forward
from studies.training.steps.vectors import in_one_vector, split
from vit import ViT, ViTConfig
from vit.branch import DropPath

COMPILED_PROGRAMS = 1024
"""That one process may compile; torch's own limits are 8 and 256, beyond which it silently compiles no more."""
KEPT = 64
"""Programs kept for the next seed of an arm."""
CPU_OPTIONS: dict[str, Any] = {"cpp_wrapper": True}
"""The compiler's: no Python between the operators of a program (on this CPU 4 to 15 % of a narrow model's step)."""

Layout = tuple[tuple[tuple[str, Size], ...], ...]
"""Per vector: names and shapes of the parameters that lie in it, in order."""
Program = Callable[[list[Tensor], Tensor, Tensor, dict[str, Tensor]], tuple[list[Tensor], Tensor]]
"""Vectors, images ``(b, c, h, w)``, labels ``(b,)``, dropped paths -> every vector's gradient, and the loss."""


class CompiledStep:
    """Forward, backward and update as ``train_step``'s, compiled for one shape of batch.

    The model's parameters become views of the vectors, so that it is trained in place.

    Args:
        model: on its device.
        recipe: optimizer and label smoothing.
        compute: attention kernel and number format.
    """

    def __init__(self, model: ViT, recipe: Recipe, compute: Compute) -> None:
        names = {parameter: name for name, parameter in model.named_parameters()}
        groups = [group for group in recipe.parameter_groups(names) if group["params"]]
        layout = tuple(tuple((names[p], p.shape) for p in group["params"]) for group in groups)
        self.paths = [(name, module) for name, module in model.named_modules() if isinstance(module, DropPath)]
        self.vectors = [in_one_vector(group["params"]) for group in groups]
        self.program = compiled_program(
            model.config, compute, recipe.label_smoothing, layout, str(self.vectors[0].device)
        )
        if recipe.optimizer in ELEMENTWISE:  # each value for itself: the vector is all that it need see
            for group, vector in zip(groups, self.vectors, strict=True):
                group["params"] = [nn.Parameter(vector)]
        self.optimizer = recipe.optimizer_of(groups)

    def prepare(self, images: Tensor, labels: Tensor) -> float:
        """Compile for batches of this shape, updating nothing and drawing nothing; returns the seconds it took."""
        started = time.perf_counter()
        with torch.random.fork_rng():
            self._gradients(images, labels)
        return time.perf_counter() - started

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """One update; returns the loss, detached. The first call compiles."""
        gradients, loss = self._gradients(images, labels)
        for group, gradient in zip(self.optimizer.param_groups, gradients, strict=True):
            for parameter, part in zip(group["params"], split(gradient, group["params"]), strict=True):
                parameter.grad = part
        self.optimizer.step()
        return loss

    def _gradients(self, images: Tensor, labels: Tensor) -> tuple[list[Tensor], Tensor]:
        kept = {f"{name}.kept": path.kept for name, path in self.paths if path.kept is not None}
        with torch.no_grad():
            return self.program(self.vectors, images, labels, kept)


@lru_cache(maxsize=KEPT)
def compiled_program(
    config: ViTConfig, compute: Compute, label_smoothing: float, layout: Layout, device: str
) -> Program:
    """The program of a configuration; models that differ in their weights share it."""
    torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = COMPILED_PROGRAMS
    with torch.random.fork_rng(devices=[]):  # its weights are never used
        model = ViT(config).to(device).use_attention(compute.attention)

    def loss_of(vectors: list[Tensor], images: Tensor, labels: Tensor, kept: dict[str, Tensor]) -> Tensor:
        weights: dict[str, Any] = dict(kept)
        for vector, inside in zip(vectors, layout, strict=True):
            vector = vector.to(compute.torch_dtype)
            weights |= zip((name for name, _ in inside), split(vector, [shape for _, shape in inside]), strict=True)
        logits = forward(lambda x: torch.func.functional_call(model, weights, (x,)), images, compute.torch_dtype)
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)

    options = CPU_OPTIONS if device == "cpu" else None
    program: Program = torch.compile(torch.func.grad_and_value(loss_of), dynamic=False, fullgraph=True, options=options)
    return program
