"""The notebook's way (peluche/ViT, 2023), re-written from its facts: its net, its Adam, its DataLoader."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from vit import ViTConfig


class NotebookAttention(nn.Module):
    """Its own norm, one projection to q, k, v without bias, no projection of the output."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.ln = nn.LayerNorm(config.embed_dim)
        self.qkv = nn.Linear(config.embed_dim, 3 * config.embed_dim, bias=False)
        self.dropout_weights, self.dropout_out = nn.Dropout(0.1), nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """``(b, n, d) -> (b, n, d)``."""
        b, n, d = x.shape
        q, k, v = (
            part.view(b, n, self.num_heads, -1).transpose(1, 2) for part in self.qkv(self.ln(x)).split(d, dim=-1)
        )
        weights = torch.softmax(q @ k.transpose(-2, -1) / (d // self.num_heads) ** 0.5, dim=-1)
        mixed = self.dropout_weights(weights) @ v
        out: Tensor = self.dropout_out(mixed.transpose(1, 2).reshape(b, n, d))
        return out


class NotebookBlock(nn.Module):
    """x + attention(x), then x + ff(x)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        d, hidden = config.embed_dim, int(config.embed_dim * config.mlp_ratio)
        self.attention = NotebookAttention(config)
        self.ff = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, d), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """``(b, n, d) -> (b, n, d)``."""
        x = x + self.attention(x)
        out: Tensor = x + self.ff(x)
        return out


class NotebookNet(nn.Module):
    """Its net at any size: tiles, class token, learned positions, blocks, head; no final norm."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.patch_shape = config.patch_shape
        self.tile_embedding = nn.Linear(config.patch_dim, config.embed_dim)
        self.cls_token = nn.Parameter(torch.randn(1, 1, config.embed_dim))
        self.positional_embedding = nn.Embedding(config.num_tokens, config.embed_dim)
        self.blocks = nn.Sequential(*(NotebookBlock(config) for _ in range(config.depth)))
        self.head = nn.Linear(config.embed_dim, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """``(b, c, h, w) -> (b, num_classes)``."""
        (b, c, h, w), (ph, pw) = images.shape, self.patch_shape
        tiles = images.view(b, c, h // ph, ph, w // pw, pw).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        x = torch.cat([self.cls_token.expand(b, -1, -1), self.tile_embedding(tiles)], dim=1)
        x = x + self.positional_embedding(torch.arange(x.shape[1], device=x.device))
        logits: Tensor = self.head(self.blocks(x)[:, 0])
        return logits


class SingleImages(Dataset[tuple[Tensor, int]]):
    """Images ``(n, c, h, w)`` uint8, handed out one at a time as floats in [0, 1]."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index].float() / 255, int(self.labels[index])


def endless_batches(images: Tensor, labels: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of a shuffling DataLoader, epoch after epoch."""
    loader = DataLoader(SingleImages(images, labels), batch_size=batch_size, shuffle=True, drop_last=True)
    while True:
        yield from loader
