"""Dropout of models that train together, each from its own stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from studies.streams import derive, stream
from studies.train import dropout_stream
from vit.attention import attention_weights


@contextmanager
def dropout_streams(seeds: Sequence[int], device: str) -> Iterator[None]:
    """On a CPU every model's own stream of dropout; elsewhere one of them all."""
    joint = derive(seeds[0], "pack", *map(str, seeds[1:]))
    with dropout_stream(joint, device), own_dropout(seeds, device):
        yield


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
