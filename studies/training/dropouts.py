"""Dropout of models that train together, each from its own stream."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from studies.training.streams import DropoutStream, derive, stream
from vit.attention import attention_weights


class PackDropout:
    """On a CPU every model's own stream of dropout; elsewhere one of them all."""

    def __init__(self, seeds: Sequence[int], device: str) -> None:
        self.joint = DropoutStream(derive(seeds[0], "pack", *map(str, seeds[1:])), device)
        self.each = own_dropout(seeds, device)
        self.entered = ExitStack()

    def __enter__(self) -> None:
        self.entered.enter_context(self.joint)
        self.entered.enter_context(self.each)

    def __exit__(self, *_: object) -> None:
        self.entered.close()

    @property
    def generators(self) -> list[torch.Generator]:
        """Those that only one model draws from."""
        return self.each.generators if isinstance(self.each, OwnDropout) else []

    def states(self) -> list[Tensor]:
        """As they are now: the joint one's, then each model's."""
        return [*self.joint.states(), *(generator.get_state() for generator in self.generators)]

    def load(self, states: list[Tensor]) -> None:
        """For the next time that it is entered."""
        of_joint = len(states) - len(self.generators)
        self.joint.load(states[:of_joint])
        for generator, state in zip(self.generators, states[of_joint:], strict=True):
            generator.set_state(state)


def own_dropout(seeds: Sequence[int], device: str) -> AbstractContextManager[object]:
    """On a CPU dropout from streams of these seeds, which go on where the context is entered again."""
    return OwnDropout(seeds) if device == "cpu" else nullcontext()


class OwnDropout(TorchFunctionMode):
    """Dropout over ``(m*b, ...)`` with the draws that each model would make alone."""

    def __init__(self, seeds: Sequence[int]) -> None:
        super().__init__()
        self.generators = [stream(seed, "dropout") for seed in seeds]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.dropout and not torch._C._functorch.is_batchedtensor(args[0]):
            return self._dropout(*args, **kwargs)
        if func is F.scaled_dot_product_attention and kwargs.get("dropout_p"):
            return self._attention(*args, **kwargs)
        return func(*args, **kwargs)

    def _dropout(self, x: Tensor, p: float = 0.5, training: bool = True, **_: Any) -> Tensor:
        """torch's own on a CPU: Bernoulli numbers of the input's layout, divided by the share that is kept."""
        if not training or p == 0.0:
            return x
        parts = zip(x.chunk(len(self.generators)), self.generators, strict=True)
        kept = [torch.empty_like(part).bernoulli_(1 - p, generator=own) for part, own in parts]
        return x * torch.cat(kept).div_(1 - p)

    def _attention(self, q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None, dropout_p: float) -> Tensor:
        """With dropout, torch's attention on a CPU is the formula written out."""
        weights = attention_weights(q, k, attn_mask).contiguous()  # draws follow the layout in memory
        return self._dropout(weights, dropout_p) @ v
