"""A model without weights: what it has in which shapes, before anything is drawn."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from vit.config import ViTConfig
from vit.model import ViT


def outline(config: ViTConfig, device: str = "meta") -> ViT:
    """The model with parameters of no values, from whatever lay in memory; torch's random state stays as it is.

    On ``meta`` nothing is allocated, however large; some positional tables load torch's compiler there, 1.7 s. On
    ``cpu`` tables are computed and parameters reserved, not touched.
    """
    with torch.device(device), torch.random.fork_rng(devices=()), _Undrawn():
        return ViT(config)


class _Undrawn(TorchFunctionMode):
    """Leaves out what it can of ``torch.nn.init``."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))
