"""The libraries that people use instead, each building the architecture of a ViTConfig in its own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from bench.notebook_loop import NotebookNet
from vit import ViT, ViTConfig

# 17 tokens from 28x28x1 in tiles of 7; 65 tokens from 32x32x3 in tiles of 4
SHAPES = {
    "16/2": ViTConfig(patch_size=7, embed_dim=16, depth=2, num_heads=2, mlp_ratio=2.0),
    "64/4": ViTConfig(patch_size=7, embed_dim=64, depth=4, num_heads=4, mlp_ratio=2.0),
    "192/6": ViTConfig(patch_size=7, embed_dim=192, depth=6, num_heads=3, mlp_ratio=4.0),
    "192/6 CIFAR": ViTConfig(
        image_size=32, in_channels=3, patch_size=4, embed_dim=192, depth=6, num_heads=3, mlp_ratio=4.0
    ),
}
TOLERATED = 0.05
"""Share of our parameters by which a peer's count may differ."""


@dataclass(frozen=True)
class Peer:
    """Another implementation: the package it needs, how to build it, what it has that ours has not."""

    package: str | None
    build: Callable[[ViTConfig], nn.Module]
    difference: str

    def missing(self) -> str | None:
        """Why it cannot be built here, or None."""
        if self.package is None or find_spec(self.package):
            return None
        return f"{self.package} is not installed: `nox -s peers` installs it"


def timm(config: ViTConfig) -> nn.Module:
    """``timm.models.vision_transformer.VisionTransformer``: the same parameters, one by one."""
    _operators_for_torchvision()
    model: nn.Module = import_module("timm.models.vision_transformer").VisionTransformer(
        img_size=config.image_shape,
        patch_size=config.patch_shape,
        in_chans=config.in_channels,
        num_classes=config.num_classes,
        embed_dim=config.embed_dim,
        depth=config.depth,
        num_heads=config.num_heads,
        mlp_ratio=config.mlp_ratio,
        norm_layer=partial(nn.LayerNorm, eps=1e-5),
    )
    return model


def vit_pytorch(config: ViTConfig) -> nn.Module:
    """``vit_pytorch.ViT``."""
    _operators_for_torchvision()
    model: nn.Module = import_module("vit_pytorch").ViT(
        image_size=config.image_shape,
        patch_size=config.patch_shape,
        channels=config.in_channels,
        num_classes=config.num_classes,
        dim=config.embed_dim,
        depth=config.depth,
        heads=config.num_heads,
        dim_head=config.head_dim,
        mlp_dim=int(config.embed_dim * config.mlp_ratio),
    )
    return model


def transformers(config: ViTConfig) -> nn.Module:
    """``transformers.ViTForImageClassification``: the same parameters, queries, keys, values in three layers."""
    _operators_for_torchvision()
    library = import_module("transformers")
    settings = library.ViTConfig(
        image_size=config.image_shape,
        patch_size=config.patch_shape,
        num_channels=config.in_channels,
        num_labels=config.num_classes,
        hidden_size=config.embed_dim,
        num_hidden_layers=config.depth,
        num_attention_heads=config.num_heads,
        intermediate_size=int(config.embed_dim * config.mlp_ratio),
    )
    return _Logits(library.ViTForImageClassification(settings))


PEERS = {
    "timm": Peer("timm", timm, "nothing: parameter for parameter the same"),
    "vit-pytorch": Peer("vit_pytorch", vit_pytorch, "two LayerNorms more around the embedding, no bias for q, k, v"),
    "transformers": Peer("transformers", transformers, "nothing: q, k and v in three layers instead of one"),
    "notebook": Peer(None, NotebookNet, "no output projection, no final norm, no bias for q, k, v; ReLU; dropout 0.1"),
}


def parameters_beyond_ours(peer: nn.Module, config: ViTConfig) -> int:
    """How many parameters a peer has more than our model of this configuration."""
    return sum(p.numel() for p in peer.parameters()) - ViT(config).num_params()


def copy_to_timm(ours: ViT, theirs: nn.Module) -> None:
    """Give timm's model our weights; strict, so no weight of either is left over."""
    names = {"patch_embedding": "patch_embed.proj", "prefix.tokens": "cls_token"}
    names |= {"positional.embedding.weight": "pos_embed", "attention": "attn", "mlp.0": "mlp.fc1", "mlp.2": "mlp.fc2"}
    shapes = {name: value.shape for name, value in theirs.state_dict().items()}
    weights = {}
    for key, value in ours.state_dict().items():
        for our_name, their_name in names.items():
            key = key.replace(our_name, their_name)
        weights[key] = value.reshape(shapes[key])  # a convolution's kernel, a leading 1
    theirs.load_state_dict(weights)


def peer_step(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> Tensor:
    """A train step as the guides of all of them write it; returns the loss."""
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss


class _Logits(nn.Module):
    """The logits of a model that returns them in a record."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images).logits
        return logits


def _operators_for_torchvision() -> None:
    """Import torchvision, whose wheel for CUDA finds no operators beside a torch for CPUs: declare those it misses.

    The peers take transforms from it and call none of its operators.
    """
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in ("nms", "qnms"):
            _DECLARED.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import_module("torchvision")


_DECLARED = torch.library.Library("torchvision", "FRAGMENT")  # a declaration lasts as long as this
