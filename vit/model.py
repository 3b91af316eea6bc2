"""The Vision Transformer: cut, embed, blocks, pool, head."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vit.attention import ATTENTION_KERNELS, ATTENTION_TYPES, Attention
from vit.branch import DropPath, LayerScale, drop_path_at
from vit.chunking import CHUNKINGS
from vit.config import ViTConfig
from vit.inputs import check_dtype, check_shape
from vit.mlp import Mlp
from vit.norms import NORMS
from vit.pooling import POOLINGS
from vit.positional import POSITIONALS, Positional
from vit.pretrained import from_pretrained


def norm_of(config: ViTConfig) -> nn.Module:
    """A norm of tokens, as wide as they are."""
    return NORMS[config.norm].build(config.embed_dim, config.norm_eps)


class Block(nn.Module):
    """Pre-norm block: ``x + attention(norm(x))``, then ``x + mlp(norm(x))`` (ViT paper, eq. 2 and 3).

    ``index`` counts from the first block, 0; paths are dropped more often in later ones.
    """

    def __init__(self, config: ViTConfig, index: int) -> None:
        super().__init__()
        self.norm1 = norm_of(config)
        self.attention = ATTENTION_TYPES[config.attention_type](config)
        self.scale1 = LayerScale(config.embed_dim, config.layer_scale) if config.layer_scale else nn.Identity()
        self.norm2 = norm_of(config)
        self.mlp = Mlp(config)
        self.scale2 = LayerScale(config.embed_dim, config.layer_scale) if config.layer_scale else nn.Identity()
        dropped = drop_path_at(index, config.depth, config.drop_path)
        self.drop_path1 = DropPath(dropped) if dropped else nn.Identity()
        self.drop_path2 = DropPath(dropped) if dropped else nn.Identity()

    def forward(self, tokens: Tensor, positional: Positional, reads: int | None = None) -> Tensor:
        """``(b, n, d) -> (b, n, d)``; with ``reads`` only the first ``reads`` tokens are computed."""
        attended = self.scale1(self.attention(self.norm1(tokens), positional, reads))
        tokens = tokens[:, :reads] + self.drop_path1(attended)
        out: Tensor = tokens + self.drop_path2(self.scale2(self.mlp(self.norm2(tokens))))
        return out


class PrefixTokens(nn.Module):
    """Learned tokens in front of the patches: class tokens first, then registers, drawn from N(0, 1)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.empty(1, config.num_prefix_tokens, config.embed_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As the notebook draws its class token."""
        nn.init.normal_(self.tokens)

    def forward(self, patches: Tensor) -> Tensor:
        """``(b, n, d) -> (b, prefix + n, d)``."""
        return torch.cat([self.tokens.expand(patches.shape[0], -1, -1).to(patches.dtype), patches], dim=1)


class ViT(nn.Module):
    """Vision Transformer (Dosovitskiy et al., arXiv 2010.11929) of one configuration.

    Args:
        config: its description.
        fields: fields of ``ViTConfig`` by name, instead of it or changing it: ``ViT(image_size=32, depth=6)``.

    Raises:
        ConfigError: no such field, or the combination is impossible.
    """

    def __init__(self, config: ViTConfig | None = None, **fields: Any) -> None:
        super().__init__()
        self.config = config = ViTConfig.of(config, **fields)
        chunking = CHUNKINGS[config.chunking]
        self.stem, self.patch_norm = chunking.stem(config), chunking.patch_norm(config)
        self.patch_embedding = nn.Linear(config.patch_dim, config.embed_dim)
        self.prefix = PrefixTokens(config) if config.num_prefix_tokens else nn.Identity()
        self.positional = POSITIONALS[config.positional](config)
        self.blocks = nn.ModuleList(Block(config, index) for index in range(config.depth))
        self.norm = norm_of(config) if config.final_norm else nn.Identity()
        self.pooling = POOLINGS[config.pooling](config)
        self.head = nn.Linear(config.embed_dim, config.num_classes)

    def patches(self, images: Tensor) -> Tensor:
        """``(b, c, h, w) -> (b, n, patch_dim)``, of any type; of the weights' where a stem stands before the cut.

        Raises:
            InputError: images of another shape, or none; or of a type that does not go with the stem's weights.
        """
        check_shape(images, self.config)
        if next(self.stem.parameters(), None) is not None:
            check_dtype(images, self.patch_embedding)
        maps, (rows, columns) = self.stem(images), self.config.grid_size
        cut: Tensor = CHUNKINGS[self.config.chunking].einops(maps, maps.shape[2] // rows, maps.shape[3] // columns)
        return cut

    def embed(self, patches: Tensor) -> Tensor:
        """``(b, n, patch_dim) -> (b, num_tokens, d)``, with prefix tokens and positions.

        Raises:
            InputError: of a type that does not go with the weights.
        """
        check_dtype(patches, self.patch_embedding)
        if next(self.patch_norm.parameters(), None) is not None:  # a norm, unlike a product, is nothing to autocast
            patches = patches.to(self.patch_embedding.weight.dtype)
        out: Tensor = self.positional.add(self.prefix(self.patch_embedding(self.patch_norm(patches))))
        return out

    def encode(self, tokens: Tensor, reads: int | None = None) -> Tensor:
        """The blocks and the final norm: ``(b, num_tokens, d) -> (b, num_tokens, d)``.

        With ``reads`` only the first ``reads`` tokens come out: the last block computes no others.
        """
        *blocks, last = self.blocks
        for block in blocks:
            tokens = block(tokens, self.positional)
        out: Tensor = self.norm(last(tokens, self.positional, reads))
        return out

    def read(self, tokens: Tensor) -> Tensor:
        """From embedded tokens on: ``(b, num_tokens, d) -> (b, num_classes)``."""
        logits: Tensor = self.head(self.pooling(self.encode(tokens, self.pooling.reads)))
        return logits

    def classify(self, patches: Tensor) -> Tensor:
        """From flat patches on: ``(b, n, patch_dim) -> (b, num_classes)``."""
        return self.read(self.embed(patches))

    def forward(self, images: Tensor) -> Tensor:
        """``(b, c, h, w) -> (b, num_classes)``.

        Raises:
            InputError: images of another shape or type than the model's, or none.
        """
        return self.classify(self.patches(images))

    @classmethod
    def from_pretrained(cls, place: str | Path) -> ViT:
        """The model of a weights file or of a folder that holds one, in evaluation mode: see `pretrained`.

        Raises:
            PretrainedError: no model of ours is there.
        """
        return from_pretrained(cls, place)

    def forward_features(self, images: Tensor) -> Tensor:
        """All tokens after the final norm, prefix tokens first: ``(b, c, h, w) -> (b, num_tokens, d)``.

        Raises:
            InputError: as in ``forward``.
        """
        return self.encode(self.embed(self.patches(images)))

    def reset_classifier(self, num_classes: int) -> ViT:
        """A new head of so many classes, drawn from torch's global random state; returns self.

        Raises:
            ConfigError: not at least one class.
        """
        self.config = self.config.replace(num_classes=num_classes)
        self.head = nn.Linear(self.config.embed_dim, num_classes).to(self.patch_embedding.weight)
        return self

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that weight decay usually spares beside biases and norms: positions, prefix tokens."""
        parts = {"positional": self.positional, "prefix": self.prefix}
        return {f"{part}.{name}" for part, module in parts.items() for name, _ in module.named_parameters()}

    def use_attention(self, kernel: str) -> ViT:
        """Compute attention in every block with this entry of ``ATTENTION_KERNELS``; returns self.

        Raises:
            UnknownNameError: no such kernel.
        """
        ATTENTION_KERNELS[kernel]
        for module in self.modules():
            if isinstance(module, Attention):
                module.kernel = kernel
        return self

    def num_params(self) -> int:
        """How many values are trained."""
        return sum(p.numel() for p in self.parameters())

    def drawing_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """Modules that draw their initial weights, by name: those with ``reset_parameters``."""
        for name, module in self.named_modules():
            if hasattr(module, "reset_parameters"):
                yield name, module
