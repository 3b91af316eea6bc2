"""How a model learns where a patch was: added to tokens, rotated into queries and keys, or a logit bias.

A scheme is one class that overrides the hooks it needs; the hooks of the base class do nothing.
Position 0 is the first prefix token (class token, then registers), patches follow in reading order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn

from vit.registry import Registry

if TYPE_CHECKING:
    from vit.config import ViTConfig

POSITIONALS: Registry[type[Positional]] = Registry("positional scheme")


class Positional(nn.Module):
    """Base class: three hooks, and a reason why a configuration makes no sense."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        """Why this scheme cannot serve this configuration, or None."""
        return None

    def add(self, tokens: Tensor) -> Tensor:
        """Add positions to tokens ``(b, n, d)``, once, before the first block."""
        return tokens

    def rotate(self, heads: Tensor) -> Tensor:
        """Turn queries or keys ``(..., n, head_dim)`` of the first n tokens, often all of them, in every block."""
        return heads

    def rotates(self) -> bool:
        """Whether ``rotate`` does anything."""
        return type(self).rotate is not Positional.rotate

    def bias(self) -> Tensor | None:
        """Added to the attention logits of every block: ``(heads, n, n)``."""
        return None


@POSITIONALS.register("none")
class NoPosition(Positional):
    """No positions: the model sees a bag of patches."""


@POSITIONALS.register("learned")
class Learned(Positional):
    """One learned vector per position, added to every token (ViT paper, section 3.1)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.num_tokens, config.embed_dim)

    def add(self, tokens: Tensor) -> Tensor:
        return tokens + self.embedding.weight


@POSITIONALS.register("sinusoidal")
class Sinusoidal(Positional):
    """Fixed interleaved sine and cosine of the 1-D position (Vaswani et al., arXiv 1706.03762, section 3.5)."""

    table: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.register_buffer("table", interleaved(config.num_tokens, config.embed_dim), persistent=False)

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        return _needs_multiple(config, "embed_dim", config.embed_dim, 2)

    def add(self, tokens: Tensor) -> Tensor:
        return tokens + self.table.to(tokens.dtype)


@POSITIONALS.register("sincos2d")
class SinCos2d(Positional):
    """Fixed sine and cosine of row and column, half the width each (Chen et al., arXiv 2104.02057; MoCo v3).

    Prefix tokens get no position.
    """

    table: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        rows, columns = grid_positions(config)
        angles = [angle(axis, config.embed_dim // 4, base=10000.0) for axis in (rows, columns)]
        table = torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], dim=-1)
        prefix = torch.zeros(config.num_prefix_tokens, config.embed_dim)
        self.register_buffer("table", torch.cat([prefix, table]), persistent=False)

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        return _needs_multiple(config, "embed_dim", config.embed_dim, 4)

    def add(self, tokens: Tensor) -> Tensor:
        return tokens + self.table.to(tokens.dtype)


@POSITIONALS.register("rope2d")
class Rope2d(Positional):
    """Axial rotary embedding of queries and keys, base 100 (Heo et al., arXiv 2403.13298, section 3.2).

    Half of each head turns with the row, half with the column; prefix tokens do not turn.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        turns = [angle(axis, config.head_dim // 4, base=100.0) for axis in grid_positions(config)]
        prefix = torch.zeros(config.num_prefix_tokens, config.head_dim // 2)
        angles = torch.cat([prefix, torch.cat(turns, dim=-1)])
        self.register_buffer("cos", angles.cos().repeat(1, 2), persistent=False)
        signed = torch.cat([-angles.sin(), angles.sin()], dim=-1)
        self.register_buffer("sin", signed, persistent=False)

    @classmethod
    def unsupported(cls, config: ViTConfig) -> str | None:
        return _needs_multiple(config, "head_dim = embed_dim / num_heads", config.head_dim, 4)

    def rotate(self, heads: Tensor) -> Tensor:
        n, half = heads.shape[-2], heads.shape[-1] // 2
        cos, sin = self.cos[:n].to(heads.dtype), self.sin[:n].to(heads.dtype)
        return heads * cos + heads.roll(half, dims=-1) * sin


@POSITIONALS.register("relative")
class Relative(Positional):
    """A learned logit bias per head and 2-D offset, shared by the blocks (Liu et al., arXiv 2103.14030, eq. 4).

    Pairs with a prefix token have three biases of their own, as in BEiT (arXiv 2106.08254).
    """

    index: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        gh, gw = config.grid_size
        offsets = (2 * gh - 1) * (2 * gw - 1)
        self.table = nn.Parameter(torch.empty(config.num_heads, offsets + 3))
        self.register_buffer("index", self._offset_index(config, offsets), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Small normal values, as in Swin."""
        nn.init.trunc_normal_(self.table, std=0.02)

    @staticmethod
    def _offset_index(config: ViTConfig, offsets: int) -> Tensor:
        gh, gw = config.grid_size
        rows, columns = (axis.long() for axis in grid_positions(config))
        dy = rows[:, None] - rows[None, :] + gh - 1
        dx = columns[:, None] - columns[None, :] + gw - 1
        n, p = config.num_tokens, config.num_prefix_tokens
        index = torch.empty(n, n, dtype=torch.long)
        index[p:, p:] = dy * (2 * gw - 1) + dx
        index[:p, p:], index[p:, :p], index[:p, :p] = offsets, offsets + 1, offsets + 2
        return index

    def bias(self) -> Tensor:
        return self.table[:, self.index]


def grid_positions(config: ViTConfig) -> tuple[Tensor, Tensor]:
    """Row and column of every patch in reading order: two float tensors ``(num_patches,)``."""
    gh, gw = config.grid_size
    rows, columns = torch.meshgrid(torch.arange(gh), torch.arange(gw), indexing="ij")
    return rows.flatten().float(), columns.flatten().float()


def angle(positions: Tensor, num_frequencies: int, base: float) -> Tensor:
    """``positions / base^(i / num_frequencies)``: ``(n,) -> (n, num_frequencies)``."""
    frequencies = base ** (-torch.arange(num_frequencies) / num_frequencies)
    return positions[:, None] * frequencies[None, :]


def interleaved(num_tokens: int, dim: int) -> Tensor:
    """Columns sin, cos, sin, cos, ... of falling frequency, base 10000: ``(num_tokens, dim)``."""
    angles = angle(torch.arange(num_tokens).float(), dim // 2, base=10000.0)
    return rearrange([angles.sin(), angles.cos()], "f n i -> n (i f)")


def _needs_multiple(config: ViTConfig, what: str, value: int, of: int) -> str | None:
    if value % of == 0:
        return None
    return f"positional={config.positional!r} needs {what} to be a multiple of {of}, not {value}"
