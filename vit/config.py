"""The one description of a model; every impossible combination is refused here, before anything runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from vit.chunking import CHUNKINGS, divisors, pair, patch_shape
from vit.mlp import ACTIVATIONS
from vit.pooling import POOLINGS
from vit.positional import POSITIONALS


class ConfigError(ValueError):
    """An impossible ViTConfig; the message names the value, the bound or the choices, and the fix."""


@dataclass(frozen=True, kw_only=True)
class ViTConfig:
    """A Vision Transformer (Dosovitskiy et al., arXiv 2010.11929) and its variants.

    Args:
        image_size: pixels, one side or (height, width).
        in_channels: 1 for grey images, 3 for colour.
        num_classes: length of the logits.
        chunking: a name in ``CHUNKINGS``.
        patch_size: a tile's side or (height, width) in pixels; a strip's thickness.
        num_strips: instead of ``patch_size``, how many strips.
        positional: a name in ``POSITIONALS``.
        pooling: a name in ``POOLINGS``.
        num_registers: extra learned tokens that the head never reads (Darcet et al., arXiv 2309.16588).
        embed_dim: width d of a token.
        depth: number of blocks.
        num_heads: heads of each attention; divides ``embed_dim``.
        mlp_ratio: hidden width of the MLP, in units of ``embed_dim``.
        activation: a name in ``ACTIVATIONS``.
        qkv_bias: bias in the projection to queries, keys and values.
        out_proj: the linear layer behind the heads.
        final_norm: LayerNorm after the last block.
        dropout: probability, on the output of attention and MLP.
        attention_dropout: probability, on the attention weights.

    Raises:
        ConfigError: the combination is impossible.
    """

    image_size: int | tuple[int, int] = 28
    in_channels: int = 1
    num_classes: int = 10
    chunking: str = "tiles"
    patch_size: int | tuple[int, int] | None = None
    num_strips: int | None = None
    positional: str = "learned"
    pooling: str = "cls"
    num_registers: int = 0
    embed_dim: int = 64
    depth: int = 4
    num_heads: int = 4
    mlp_ratio: float = 2.0
    activation: str = "gelu"
    qkv_bias: bool = True
    out_proj: bool = True
    final_norm: bool = True
    dropout: float = 0.0
    attention_dropout: float = 0.0

    def __post_init__(self) -> None:
        try:
            self._check()
        except (KeyError, ValueError) as error:
            raise ConfigError(str(error)) from None

    def _check(self) -> None:
        for name in ("image_size", "patch_size"):
            if isinstance(getattr(self, name), list):  # from JSON
                object.__setattr__(self, name, tuple(getattr(self, name)))
        _check_types(self)
        _at_least(1, self, "in_channels", "num_classes", "embed_dim", "depth", "num_heads")
        _at_least(0, self, "num_registers")
        for name in ("dropout", "attention_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name}={getattr(self, name)} is not a probability in [0, 1)")
        if min(self.image_shape) < 1:
            raise ValueError(f"image_size={self.image_size} must be at least 1 pixel")
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} does not divide embed_dim={self.embed_dim}; "
                f"use one of {divisors(self.embed_dim)}"
            )
        if not 1 <= self.embed_dim * self.mlp_ratio < float("inf"):
            raise ValueError(
                f"mlp_ratio={self.mlp_ratio} must leave the MLP a hidden unit: at least 1/{self.embed_dim}, finite"
            )
        ACTIVATIONS[self.activation]
        CHUNKINGS[self.chunking]
        _ = self.patch_shape
        for component in (POSITIONALS[self.positional], POOLINGS[self.pooling]):
            if reason := component.unsupported(self):
                raise ValueError(reason)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return pair(self.image_size)

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Height and width of a patch in pixels."""
        return patch_shape(self.image_shape, self.chunking, self.patch_size, self.num_strips)

    @property
    def grid_size(self) -> tuple[int, int]:
        """Rows and columns of patches; strips are (k, 1) or (1, k)."""
        (h, w), (ph, pw) = self.image_shape, self.patch_shape
        return h // ph, w // pw

    @property
    def patch_dim(self) -> int:
        """Values in one flat patch."""
        ph, pw = self.patch_shape
        return self.in_channels * ph * pw

    @property
    def num_patches(self) -> int:
        """Patches in one image."""
        return self.grid_size[0] * self.grid_size[1]

    @property
    def class_token(self) -> bool:
        """Whether a class token stands in front, as the pooling asks."""
        return POOLINGS[self.pooling].class_token

    @property
    def num_prefix_tokens(self) -> int:
        """Tokens in front of the patches: the class token, then the registers."""
        return int(self.class_token) + self.num_registers

    @property
    def num_tokens(self) -> int:
        """Length of the sequence: prefix tokens and patches."""
        return self.num_prefix_tokens + self.num_patches

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.embed_dim // self.num_heads

    def replace(self, **changes: Any) -> ViTConfig:
        """A copy with some fields changed.

        Raises:
            ConfigError: no such field, or the result is impossible.
        """
        names = [f.name for f in dataclasses.fields(self)]
        for name in changes:
            if name not in names:
                raise ConfigError(f"ViTConfig has no field {name!r}; choices: {', '.join(names)}")
        return dataclasses.replace(self, **changes)


def _at_least(bound: int, config: ViTConfig, *names: str) -> None:
    for name in names:
        if getattr(config, name) < bound:
            raise ValueError(f"{name}={getattr(config, name)} must be at least {bound}")


def _check_types(config: ViTConfig) -> None:
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if not _fits(value, str(field.type)):
            raise ValueError(f"{field.name}={value!r} must be {field.type}")


def _fits(value: object, annotation: str) -> bool:
    if isinstance(value, bool):
        return annotation == "bool"
    if isinstance(value, tuple):
        return "tuple" in annotation and len(value) == 2 and all(type(v) is int for v in value)
    if isinstance(value, int):
        return "int" in annotation or annotation == "float"
    return (value is None and "None" in annotation) or type(value).__name__ == annotation
