"""The libraries that people use instead: which shapes each has, and what it has that ours has not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from bench import libraries
from bench.notebook_loop import NotebookNet
from vit import ViT, ViTConfig
from vit.interop import export_weights

# 17 tokens from 28x28x1 in tiles of 7; 65 tokens from 32x32x3 in tiles of 4
_CIFAR = ViTConfig(image_size=32, in_channels=3, patch_size=4, embed_dim=192, depth=6, num_heads=3, mlp_ratio=4.0)
PLAIN = {
    "16/2": ViTConfig(patch_size=7, embed_dim=16, depth=2, num_heads=2, mlp_ratio=2.0),
    "64/4": ViTConfig(patch_size=7, embed_dim=64, depth=4, num_heads=4, mlp_ratio=2.0),
    "192/6": ViTConfig(patch_size=7, embed_dim=192, depth=6, num_heads=3, mlp_ratio=4.0),
    "192/6 CIFAR": _CIFAR,
}
"""What every peer has."""
VARIANTS = {
    "192/6 registers": _CIFAR.replace(num_registers=4),
    "192/6 RoPE": _CIFAR.replace(positional="rope2d"),
    "192/6 CCT": _CIFAR.replace(chunking="conv", pooling="seqpool", qkv_bias=False),
}
"""What some have: at the shape of ``192/6 CIFAR``, one thing changed; CCT's two (arXiv 2104.05704) go together."""
SHAPES = PLAIN | VARIANTS


@dataclass(frozen=True)
class Peer:
    """Another implementation: the package it needs, how to build it, what it has that ours has not.

    ``shapes`` are the names of those that it has; ``tolerated`` is the share of our parameters by which its count may
    differ.
    """

    package: str | None
    build: Callable[[ViTConfig], nn.Module]
    difference: str
    shapes: tuple[str, ...] = tuple(PLAIN)
    tolerated: float = 0.0

    def has(self, config: ViTConfig) -> bool:
        """Whether its code has this architecture."""
        return config in [SHAPES[shape] for shape in self.shapes]

    def missing(self) -> str | None:
        """Why it cannot be built here, or None."""
        if self.package is None or find_spec(self.package):
            return None
        return f"{self.package} is not installed: `nox -s peers` installs it"


PEERS = {
    "timm": Peer("timm", libraries.timm, "nothing: parameter for parameter the same", (*PLAIN, "192/6 registers")),
    "timm Eva": Peer("timm", libraries.timm_eva, "nothing: parameter for parameter the same", ("192/6 RoPE",)),
    "vit-pytorch": Peer(
        "vit_pytorch",
        libraries.vit_pytorch,
        "two LayerNorms more around the embedding, no bias for q, k, v",
        tolerated=0.05,
    ),
    "vit-pytorch CCT": Peer(
        "vit_pytorch",
        libraries.vit_pytorch_cct,
        "a block's second norm stands before its branch leaves; no bias in the convolutions, no linear layer behind "
        "them; a bias in the pooling's score",
        ("192/6 CCT",),
        tolerated=0.05,
    ),
    "transformers": Peer("transformers", libraries.transformers, "nothing: q, k and v in three layers instead of one"),
    "notebook": Peer(
        None,
        NotebookNet,
        "no output projection, no final norm, no bias for q, k, v; ReLU; dropout 0.1",
        tolerated=0.15,
    ),
}


def parameters_beyond_ours(peer: nn.Module, config: ViTConfig) -> int:
    """How many parameters a peer has more than our model of this configuration."""
    return sum(p.numel() for p in peer.parameters()) - ViT(config).num_params()


def parameter_text(name: str) -> str:
    """The difference at every shape, for example ``16/2: +34 (0.6 %)``."""
    texts = []
    for shape in PEERS[name].shapes:
        config = SHAPES[shape]
        extra = parameters_beyond_ours(PEERS[name].build(config), config)
        texts.append(f"{shape}: {extra:+,} ({extra / ViT(config).num_params():+.1%})")
    return ", ".join(texts)


def copy_to_timm(ours: ViT, theirs: nn.Module) -> None:
    """Give timm's model our weights; strict, so no weight of either is left over."""
    if ours.config.positional == "rope2d":  # which has no weights, and is not in timm's VisionTransformer
        unturned = ViT(ours.config.replace(positional="none"))
        unturned.load_state_dict(ours.state_dict())
        ours = unturned
    theirs.load_state_dict(export_weights(ours, "timm")[1])


def peer_step(
    model: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """A train step as the guides of all of them write it, and torch's guide to autocast; returns the loss."""
    optimizer.zero_grad()
    with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
        loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss
