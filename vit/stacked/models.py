"""A stack of models, and the search for what holds weights in them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vit.attention import Attention
from vit.model import Block, ViT
from vit.positional import Positional
from vit.stacked.component import StackedComponent, StackedScheme, unequal
from vit.stacked.layers import StackedLayerNorm, StackedLinear

PASSING: tuple[type[nn.Module], ...] = (ViT, Block, Attention, nn.Sequential, nn.ModuleList)
"""Modules that only hand tokens to their children, example by example: kept, with their children replaced."""


class StackedViT(nn.Module):
    """Models of one configuration that compute together; made by ``stack``.

    Parameters are named as those of one model behind ``body.``, and have the models in front: ``(m, *shape)``.
    """

    def __init__(self, body: ViT, example: ViT, num_models: int) -> None:
        super().__init__()
        self.body = body
        self.num_models = num_models
        self._example = (example,)  # in a tuple: its parameters are not ours

    def forward(self, images: Tensor) -> Tensor:
        """One batch for every model: ``(m, b, c, h, w) -> (m, b, num_classes)``.

        Raises:
            ValueError: the first axis does not hold one batch for every model.
        """
        if images.ndim != 5 or len(images) != self.num_models:
            raise ValueError(f"images of shape {tuple(images.shape)}: expected ({self.num_models}, b, c, h, w)")
        for module in self.modules():
            if isinstance(module, StackedComponent):
                module.batch_size = images.shape[1]
        logits: Tensor = self.body(images.flatten(0, 1))
        return logits.view(*images.shape[:2], -1)

    def unstack(self) -> list[ViT]:
        """The models by themselves again, with copies of their weights."""
        return [self._single(i) for i in range(self.num_models)]

    def _single(self, index: int) -> ViT:
        model = copy.deepcopy(self._example[0]).to(next(self.parameters()).device)
        joined = dict(self.body.named_parameters()) | dict(self.body.named_buffers())
        with torch.no_grad():
            for name, own in (*model.named_parameters(), *model.named_buffers()):
                value = joined.get(name, own)
                own.copy_(value[index] if value.ndim > own.ndim else value)
        return model.train(self.training)


def stack(models: Sequence[ViT]) -> StackedViT:
    """One program that computes what these models compute, from copies of their weights.

    Whatever has parameters and is no layer known here (a user's positional scheme, say) is mapped over the
    models as it is, by ``torch.func.vmap``; it must treat examples one by one, and leave its buffers alone.

    Raises:
        ValueError: no model, or models of different configurations.
        TypeError: a block or an attention has parameters of its own beside its layers.
    """
    if not models or any(model.config != models[0].config for model in models):
        raise ValueError(f"{len(models)} models to stack: give at least one, and all of one configuration")
    body = copy.deepcopy(models[0])
    _replace_children(body, models)
    return StackedViT(body, copy.deepcopy(models[0]), len(models))


def _replace_children(parent: nn.Module, originals: Sequence[nn.Module]) -> None:
    for name, child in list(parent.named_children()):
        setattr(parent, name, _stacked(child, [original.get_submodule(name) for original in originals]))


def _stacked(own: nn.Module, originals: Sequence[nn.Module]) -> nn.Module:
    """The twin of modules at one place of all models; ``own`` is a copy of the first, free to be changed."""
    if not _differs(originals):
        return own
    if isinstance(own, PASSING):
        if own._parameters:
            kind, names = type(own).__name__, ", ".join(own._parameters)
            raise TypeError(f"{kind} has parameters of its own ({names}): put them into a module that it calls")
        _replace_children(own, originals)
        return own
    if isinstance(own, nn.Linear) and type(own).forward is nn.Linear.forward:
        return StackedLinear(originals)
    if type(own) is nn.LayerNorm and own.bias is not None and len(own.normalized_shape) == 1:
        return StackedLayerNorm(originals)
    return StackedScheme(originals) if isinstance(own, Positional) else StackedComponent(originals)


def _differs(modules: Sequence[nn.Module]) -> bool:
    """Whether there is anything to stack: a parameter, or a buffer that is not the same in all models."""
    if next(modules[0].parameters(), None) is not None:
        return True
    return any(unequal(list(buffers)) for buffers in zip(*(module.buffers() for module in modules), strict=True))
