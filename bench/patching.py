"""Four ways from images to patch embeddings; all read the weights of one Linear layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from vit import CHUNKINGS, ViT, ViTConfig
from vit.chunking import BACKENDS

Cut = Callable[[Tensor], Tensor]
"""Images ``(b, c, h, w)`` to flat patches ``(b, n, c*ph*pw)``."""
Embed = Callable[[Tensor, Any], Tensor]
"""Images ``(b, c, h, w)`` and a layer to embeddings ``(b, n, d)``."""

GRID = ("horizontal", "vertical", "tiles")
"""Chunkings into a plain grid in reading order: those that unfold and a strided convolution can express."""


def cutters(config: ViTConfig) -> dict[str, Cut]:
    """Every way to cut images for a configuration, by backend; equal bit for bit."""
    chunking, (ph, pw) = CHUNKINGS[config.chunking], config.patch_shape

    def unfold(images: Tensor) -> Tensor:
        return F.unfold(images, (ph, pw), stride=(ph, pw)).mT

    def backend(name: str) -> Cut:
        function = getattr(chunking, name)
        return lambda images: function(images, ph, pw)

    found = {name: backend(name) for name in BACKENDS}
    return found | {"unfold": unfold} if config.chunking in GRID else found


def embedders(config: ViTConfig) -> dict[str, Embed]:
    """Every way to embed the patches of images, by backend; equal up to rounding."""
    ph, pw = config.patch_shape

    def conv(images: Tensor, layer: nn.Linear) -> Tensor:
        kernel = layer.weight.view(-1, config.in_channels, ph, pw)
        return F.conv2d(images, kernel, layer.bias, stride=(ph, pw)).flatten(2).mT

    def linear(cut: Cut) -> Embed:
        return lambda images, layer: layer(cut(images))

    found = {name: linear(cut) for name, cut in cutters(config).items()}
    return found | {"conv": conv} if config.chunking in GRID else found


class Patched(nn.Module):
    """A ViT whose patches are cut and embedded by one of ``embedders``: ``(b, c, h, w) -> (b, num_classes)``."""

    def __init__(self, model: ViT, embed: Embed) -> None:
        super().__init__()
        self.model = model
        self.embed = embed

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        model = self.model
        layer = model.patch_embedding
        if not isinstance(model.patch_norm, nn.Identity):
            layer = nn.Sequential(model.patch_norm, layer)
        tokens = model.positional.add(model.prefix(self.embed(images, layer)))
        logits: Tensor = model.read(tokens)
        return logits
