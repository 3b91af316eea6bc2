"""Any component with weights of its own, mapped over the models as it is by ``torch.func.vmap``."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from vit.positional import Positional
from vit.stacked.layers import joined


def unequal(tensors: Sequence[Tensor]) -> bool:
    """Whether not all are equal to the first."""
    return any(not torch.equal(tensor, tensors[0]) for tensor in tensors[1:])


class StackedComponent(nn.Module):
    """Any component with weights, its own code mapped over the models: a pooling, a prefix, a convolution.

    Parameters have the names that the component gives them. Should it draw random numbers, every model gets its
    own, but not those that it would draw alone.
    """

    def __init__(self, originals: Sequence[nn.Module]) -> None:
        super().__init__()
        self.batch_size = 0  # of one model, set before every forward: a bias does not see it
        self.reads = getattr(originals[0], "reads", None)
        self._template = (copy.deepcopy(originals[0]).to("meta"),)  # its code; in a tuple: its weights are not ours
        for name, _ in originals[0].named_parameters():
            parameter = joined([original.get_parameter(name) for original in originals])
            _owner(self, name).register_parameter(name.rpartition(".")[2], parameter)
        self.mapped_buffers: dict[str, int | None] = {}
        for name, _ in originals[0].named_buffers():
            values = [original.get_buffer(name) for original in originals]
            apart = unequal(values)
            self.mapped_buffers[name] = 0 if apart else None
            value = torch.stack(values) if apart else values[0]
            _owner(self, name).register_buffer(name.rpartition(".")[2], value, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        return self._map("forward", inputs)

    def _map(self, hook: str, *inputs: Tensor) -> Tensor:
        (template,) = self._template
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


class StackedScheme(StackedComponent):
    """A positional scheme with weights: its hooks."""

    def __init__(self, originals: Sequence[Any]) -> None:
        super().__init__(originals)
        self.has_bias = originals[0].bias() is not None

    def add(self, tokens: Tensor) -> Tensor:
        return self._hook("add", tokens)

    def rotate(self, heads: Tensor) -> Tensor:
        return self._hook("rotate", heads)

    def rotates(self) -> bool:
        """As ``Positional.rotates``."""
        scheme: Any = self._template[0]
        return bool(scheme.rotates())

    def bias(self) -> Tensor | None:
        """As ``Positional.bias``, once for every example: ``(m*b, heads, n, n)``."""
        if not self.has_bias:
            return None
        biases = self._map("bias")
        return biases[:, None].expand(-1, self.batch_size, *biases.shape[1:]).flatten(0, 1)

    def _hook(self, hook: str, inputs: Tensor) -> Tensor:
        if getattr(type(self._template[0]), hook) is getattr(Positional, hook):
            return inputs  # left as the base class has it: nothing to do
        return self._map(hook, inputs)


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
