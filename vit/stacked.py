"""Many models of one configuration as one program: weights stacked on a leading axis m, batches joined.

A small net leaves a GPU idle between kernels; m of them need the same kernels, each m times as large. The
forward code stays ViT's own: activations run through it as ``(m*b, n, d)``, model by model, and only what
holds weights is replaced. The sum of the models' losses gives each its own gradients, nothing of the others'.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from vit.attention import Attention
from vit.model import Block, ViT
from vit.positional import Positional

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
    return StackedComponent(originals)


def _differs(modules: Sequence[nn.Module]) -> bool:
    """Whether there is anything to stack: a parameter, or a buffer that is not the same in all models."""
    if next(modules[0].parameters(), None) is not None:
        return True
    return any(_unequal(list(buffers)) for buffers in zip(*(module.buffers() for module in modules), strict=True))


def _unequal(tensors: Sequence[Tensor]) -> bool:
    return any(not torch.equal(tensor, tensors[0]) for tensor in tensors[1:])


def _joined(tensors: Sequence[Tensor]) -> nn.Parameter:
    return nn.Parameter(torch.stack([tensor.detach() for tensor in tensors]), tensors[0].requires_grad)


class StackedLinear(nn.Module):
    """m linear layers as one batched product: ``(m*b, ..., in) -> (m*b, ..., out)``."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__()
        self.in_features, self.out_features = layers[0].in_features, layers[0].out_features
        self.weight = _joined([layer.weight for layer in layers])
        self.bias = None if layers[0].bias is None else _joined([layer.bias for layer in layers])

    def forward(self, inputs: Tensor) -> Tensor:
        return self.some(inputs, slice(None))

    def some(self, inputs: Tensor, rows: slice) -> Tensor:
        """As ``RowLinear.some``, per model: only the outputs in ``rows``."""
        weight = self.weight[:, rows]
        flat = inputs.reshape(len(weight), -1, self.in_features)
        if self.bias is None:
            out = torch.bmm(flat, weight.mT)
        else:
            out = torch.baddbmm(self.bias[:, None, rows], flat, weight.mT)
        return out.view(*inputs.shape[:-1], -1)


class StackedLayerNorm(nn.Module):
    """m layer norms as one: normalise, then scale and shift by each model's own ``(m, d)``."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__()
        self.normalized_shape, self.eps = layers[0].normalized_shape, layers[0].eps
        self.weight = _joined([layer.weight for layer in layers])
        self.bias = _joined([layer.bias for layer in layers])

    def forward(self, inputs: Tensor) -> Tensor:
        normal = F.layer_norm(inputs, self.normalized_shape, eps=self.eps)
        flat = normal.view(len(self.weight), -1, normal.shape[-1])
        # under autocast the weights may be wider than what a layer norm gives
        return torch.addcmul(self.bias[:, None], flat, self.weight[:, None]).to(normal.dtype).view(inputs.shape)


class StackedComponent(nn.Module):
    """Any component with weights, its own code mapped over the models: a scheme's hooks, a pooling, a prefix.

    Parameters have the names that the component gives them. Should it draw random numbers, every model gets its
    own, but not those that it would draw alone.
    """

    def __init__(self, originals: Sequence[nn.Module]) -> None:
        super().__init__()
        self.batch_size = 0  # of one model, set before every forward: a bias does not see it
        self.reads = getattr(originals[0], "reads", None)
        self._template = (copy.deepcopy(originals[0]).to("meta"),)  # its code; in a tuple: its weights are not ours
        self.has_bias = isinstance(originals[0], Positional) and originals[0].bias() is not None
        for name, _ in originals[0].named_parameters():
            joined = _joined([original.get_parameter(name) for original in originals])
            _owner(self, name).register_parameter(name.rpartition(".")[2], joined)
        self.mapped_buffers: dict[str, int | None] = {}
        for name, _ in originals[0].named_buffers():
            values = [original.get_buffer(name) for original in originals]
            apart = _unequal(values)
            self.mapped_buffers[name] = 0 if apart else None
            value = torch.stack(values) if apart else values[0]
            _owner(self, name).register_buffer(name.rpartition(".")[2], value, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        return self._map("forward", inputs)

    def add(self, tokens: Tensor) -> Tensor:
        return self._map("add", tokens)

    def rotate(self, heads: Tensor) -> Tensor:
        return self._map("rotate", heads)

    def bias(self) -> Tensor | None:
        """As ``Positional.bias``, once for every example: ``(m*b, heads, n, n)``."""
        if not self.has_bias:
            return None
        biases = self._map("bias")
        return biases[:, None].expand(-1, self.batch_size, *biases.shape[1:]).flatten(0, 1)

    def _map(self, hook: str, *inputs: Tensor) -> Tensor:
        (template,) = self._template
        if getattr(type(template), hook) is getattr(Positional, hook, None):
            return inputs[0]  # left as the base class has it: nothing to do
        call = _Call(template.train(self.training), hook)
        weights: Mapping[str, Tensor] = dict(self.named_parameters())
        buffers: Mapping[str, Tensor] = dict(self.named_buffers())

        def one(weights: Mapping[str, Tensor], buffers: Mapping[str, Tensor], *inputs: Tensor) -> Tensor:
            values = {f"component.{name}": value for name, value in (*weights.items(), *buffers.items())}
            out: Tensor = functional_call(call, values, inputs)
            return out

        batches = [x.reshape(-1, self.batch_size, *x.shape[1:]) for x in inputs]
        axes = (0, self.mapped_buffers, *(0 for _ in inputs))
        out: Tensor = torch.vmap(one, in_dims=axes, randomness="different")(weights, buffers, *batches)
        return out.flatten(0, 1) if inputs else out


class _Call(nn.Module):
    """One hook of a component as a forward."""

    def __init__(self, component: nn.Module, hook: str) -> None:
        super().__init__()
        self.component, self.hook = component, hook

    def forward(self, *inputs: Tensor) -> Any:
        return getattr(self.component, self.hook)(*inputs)


def _owner(root: nn.Module, name: str) -> nn.Module:
    """The module below ``root`` that holds the parameter of this dotted name, made where it is missing."""
    for part in name.split(".")[:-1]:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root.get_submodule(part)
    return root
