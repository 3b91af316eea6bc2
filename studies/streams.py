"""Separate random streams from one seed, the same for every arm.

One seed must vary initialisation, order, augmentation and dropout together, yet a change in one arm (one
more dropout layer, say) must not shift what the others draw (Bouthillier et al., arXiv 2103.03098).
"""

from __future__ import annotations

import hashlib

import torch

from vit import ViT, ViTConfig


def derive(seed: int, *names: str) -> int:
    """A 63-bit seed that depends on every argument and nothing else."""
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, name: str, device: str = "cpu") -> torch.Generator:
    """The generator of one purpose, for example ``stream(3, "order")``."""
    return torch.Generator(device).manual_seed(derive(seed, name))


def initialised(config: ViTConfig, seed: int) -> ViT:
    """A model whose every module draws from a stream of its own name.

    So arms share their initial weights wherever they share a module of one shape: paired seeds differ by
    the design choice alone. torch's global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        model = ViT(config)
        for name, module in model.drawing_modules():
            torch.manual_seed(derive(seed, "initialisation", name))
            module.reset_parameters()  # type: ignore[operator]
    return model
