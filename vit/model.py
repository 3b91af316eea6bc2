"""The Vision Transformer: cut, embed, blocks, pool, head."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vit.attention import ATTENTION_KERNELS, Attention
from vit.chunking import CHUNKINGS
from vit.config import ViTConfig
from vit.mlp import Mlp
from vit.pooling import POOLINGS
from vit.positional import POSITIONALS, Positional


class Block(nn.Module):
    """Pre-norm block: ``x + attention(norm(x))``, then ``x + mlp(norm(x))`` (ViT paper, eq. 2 and 3)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim)
        self.attention = Attention(config)
        self.norm2 = nn.LayerNorm(config.embed_dim)
        self.mlp = Mlp(config)

    def forward(self, tokens: Tensor, positional: Positional, reads: int | None = None) -> Tensor:
        """``(b, n, d) -> (b, n, d)``; with ``reads`` only the first ``reads`` tokens are computed."""
        tokens = tokens[:, :reads] + self.attention(self.norm1(tokens), positional, reads)
        out: Tensor = tokens + self.mlp(self.norm2(tokens))
        return out


class PrefixTokens(nn.Module):
    """Learned tokens in front of the patches: class token first, then registers, drawn from N(0, 1)."""

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
    """Vision Transformer (Dosovitskiy et al., arXiv 2010.11929) of one configuration."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embedding = nn.Linear(config.patch_dim, config.embed_dim)
        self.prefix = PrefixTokens(config) if config.num_prefix_tokens else nn.Identity()
        self.positional = POSITIONALS[config.positional](config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.embed_dim) if config.final_norm else nn.Identity()
        self.pooling = POOLINGS[config.pooling](config)
        self.head = nn.Linear(config.embed_dim, config.num_classes)

    def patches(self, images: Tensor) -> Tensor:
        """``(b, c, h, w) -> (b, n, c*ph*pw)``."""
        expected = (self.config.in_channels, *self.config.image_shape)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise ValueError(f"images of shape {tuple(images.shape)}: this model takes (b, {expected})")
        return CHUNKINGS[self.config.chunking].einops(images, *self.config.patch_shape)

    def embed(self, patches: Tensor) -> Tensor:
        """``(b, n, c*ph*pw) -> (b, num_tokens, d)``, with prefix tokens and positions."""
        out: Tensor = self.positional.add(self.prefix(self.patch_embedding(patches)))
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
        """From flat patches on: ``(b, n, c*ph*pw) -> (b, num_classes)``."""
        return self.read(self.embed(patches))

    def forward(self, images: Tensor) -> Tensor:
        """``(b, c, h, w) -> (b, num_classes)``."""
        return self.classify(self.patches(images))

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
