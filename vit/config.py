"""The one description of a model; every impossible combination is refused here, before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vit.attention import ATTENTION_TYPES
from vit.bounds import check_fields, check_length, check_sizes
from vit.chunking import CHUNKINGS, default_patch_size, divisors, pair, patch_shape
from vit.mlp import ACTIVATIONS
from vit.norms import NORMS
from vit.pooling import POOLINGS
from vit.positional import POSITIONALS
from vit.registry import Registry

COMPONENTS: dict[str, Registry[Any]] = {
    "chunking": CHUNKINGS,
    "positional": POSITIONALS,
    "pooling": POOLINGS,
    "norm": NORMS,
    "activation": ACTIVATIONS,
    "attention_type": ATTENTION_TYPES,
}
"""Fields of ``ViTConfig`` that name a component -> where it is registered."""


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
        patch_size: a tile's side or (height, width) in pixels; a strip's thickness. Where neither this nor
            ``num_strips`` is given, ``default_patch_size`` is taken: 7 of 28 pixels, 16 of 224.
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
        final_norm: another norm after the last block.
        norm: a name in ``NORMS``.
        attention_type: a name in ``ATTENTION_TYPES``.
        qk_norm: a norm of queries and keys, per head (Dehghani et al., arXiv 2302.05442, section 2).
        num_class_tokens: how many, where the pooling reads class tokens: their mean.
        layer_scale: where every learned scale of a block's branches begins (arXiv 2103.17239, section 2); 0 for none.
        drop_path: probability that the last block's branches are left out in training, rising linearly from the first
            block's (arXiv 1603.09382, section 3).
        norm_eps: added to the variance in every norm; timm has 1e-6, transformers 1e-12.
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
    norm_eps: float = 1e-5
    norm: str = "layernorm"
    attention_type: str = "softmax"
    qk_norm: bool = False
    num_class_tokens: int = 1
    layer_scale: float = 0.0
    drop_path: float = 0.0
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
        _at_least(1, self, "in_channels", "num_classes", "embed_dim", "depth", "num_heads", "num_class_tokens")
        _at_least(0, self, "num_registers", "layer_scale")
        for name in ("dropout", "attention_dropout", "drop_path"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name}={getattr(self, name)} is not a probability in [0, 1)")
        if not self.layer_scale < float("inf"):
            raise ValueError(f"layer_scale={self.layer_scale} must be finite")
        if not 0 <= self.norm_eps < 1:
            raise ValueError(f"norm_eps={self.norm_eps} must be at least 0 and below 1")
        if min(self.image_shape) < 1:
            raise ValueError(f"image_size={self.image_size} must be at least 1 pixel")
        check_fields(self)
        self._fill_in_patch_size()
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} does not divide embed_dim={self.embed_dim}; "
                f"use one of {divisors(self.embed_dim)}"
            )
        if not 1 <= self.embed_dim * self.mlp_ratio < float("inf"):
            raise ValueError(
                f"mlp_ratio={self.mlp_ratio} must leave the MLP a hidden unit: at least 1/{self.embed_dim}, finite"
            )
        components = [registry[getattr(self, field)] for field, registry in COMPONENTS.items()]
        check_sizes(self)
        if self.num_class_tokens > 1 and not self.class_token:
            raise ValueError(f"num_class_tokens={self.num_class_tokens}: pooling={self.pooling!r} reads no class token")
        for component in components:
            if reason := component.unsupported(self):
                raise ValueError(reason)

    def _fill_in_patch_size(self) -> None:
        """So that a configuration is equal to the one that names its patches, and hashes as it does."""
        if self.patch_size is None and self.num_strips is None:
            object.__setattr__(self, "patch_size", default_patch_size(self.image_shape))
            if self.patch_size is None:
                raise ValueError(
                    f"patch_size=None: no square suits image_size={self.image_size}; give patch_size or num_strips"
                )

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
        return CHUNKINGS[self.chunking].patch_dim(self)

    @property
    def num_patches(self) -> int:
        """Patches in one image."""
        return self.grid_size[0] * self.grid_size[1]

    @property
    def class_token(self) -> bool:
        """Whether class tokens stand in front, as the pooling asks."""
        return POOLINGS[self.pooling].class_token

    @property
    def num_prefix_tokens(self) -> int:
        """Tokens in front of the patches: class tokens, then registers."""
        return self.class_token * self.num_class_tokens + self.num_registers

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
        _check_names(changes)
        return dataclasses.replace(self, **changes)

    @staticmethod
    def of(config: ViTConfig | None = None, **fields: Any) -> ViTConfig:
        """The configuration, with these fields changed; without one, that of these fields.

        Raises:
            ConfigError: not a ViTConfig, no such field, or the result is impossible.
        """
        if config is None:
            _check_names(fields)
            return ViTConfig(**fields)
        if not isinstance(config, ViTConfig):
            raise ConfigError(f"{config!r} is no ViTConfig: give one, or its fields by name, image_size=28 for example")
        return config.replace(**fields)


def _check_names(fields: Iterable[str]) -> None:
    names = [f.name for f in dataclasses.fields(ViTConfig)]
    for name in fields:
        if name not in names:
            raise ConfigError(f"ViTConfig has no field {name!r}; choices: {', '.join(names)}")


def _at_least(bound: int, config: ViTConfig, *names: str) -> None:
    for name in names:
        if getattr(config, name) < bound:
            raise ValueError(f"{name}={getattr(config, name)} must be at least {bound}")


def _check_types(config: ViTConfig) -> None:
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        check_length(field.name, value)
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
