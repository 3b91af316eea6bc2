"""timm's ``VisionTransformer`` (Wightman, github.com/huggingface/pytorch-image-models; read at 1.0.31)."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from vit.config import ViTConfig
from vit.interop.source import SOURCES, InteropError, Source, added_positions, depth_of, needed, renamed, simple, square
from vit.model import ViT

NAMES = (
    (r"^patch_embed\.proj\.", "patch_embedding."),
    (r"^(blocks\.\d+)\.attn\.", r"\1.attention."),
    (r"^(blocks\.\d+)\.mlp\.fc1\.", r"\1.mlp.0."),
    (r"^(blocks\.\d+)\.mlp\.fc2\.", r"\1.mlp.2."),
)
BACK = (
    (r"^patch_embedding\.", "patch_embed.proj."),
    (r"^(blocks\.\d+)\.attention\.", r"\1.attn."),
    (r"^(blocks\.\d+)\.mlp\.0\.", r"\1.mlp.fc1."),
    (r"^(blocks\.\d+)\.mlp\.2\.", r"\1.mlp.fc2."),
)
POOLS = {"cls": "token", "mean": "avg"}
HEAD_DIM = 64  # of vit_tiny, vit_small, vit_base


@SOURCES.register("timm")
class Timm(Source):
    """Class token or mean of the patches behind the final norm (``fc_norm=False``); positions added to all tokens."""

    any_value = (
        *("image_size", "in_channels", "num_classes", "patch_size", "num_strips", "positional", "num_registers"),
        *("embed_dim", "depth", "num_heads", "mlp_ratio", "norm_eps", "qkv_bias", "out_proj", "final_norm"),
        *("dropout", "attention_dropout"),
    )
    choices: ClassVar = {
        "chunking": ("tiles", "horizontal", "vertical"),
        "pooling": tuple(POOLS),
        "activation": ("gelu", "relu"),
    }

    @classmethod
    def config(cls, state: Mapping[str, Tensor], **fields: Any) -> ViTConfig:
        if "fc_norm.weight" in state:
            raise InteropError("a norm behind the mean (fc_norm) has no counterpart: ours stands before it")
        embed_dim, in_channels, *patch = needed(state, "patch_embed.proj.weight").shape
        class_token, registers = "cls_token" in state, state["reg_token"].shape[1] if "reg_token" in state else 0
        positions = state.get("pos_embed")
        read: dict[str, Any] = {
            "in_channels": in_channels,
            "num_classes": needed(state, "head.weight").shape[0],
            "patch_size": simple((patch[0], patch[1])),
            "positional": "none" if positions is None else "learned",
            "pooling": "cls" if class_token else "mean",
            "num_registers": registers,
            "embed_dim": embed_dim,
            "depth": depth_of(state, r"blocks\.(\d+)\.attn\.qkv\.weight"),
            "num_heads": max(1, embed_dim // HEAD_DIM),
            "mlp_ratio": needed(state, "blocks.0.mlp.fc1.weight").shape[0] / embed_dim,
            "qkv_bias": "blocks.0.attn.qkv.bias" in state,
            "final_norm": "norm.weight" in state,
            "norm_eps": 1e-6,
        }
        if positions is not None and "image_size" not in fields:
            bare = positions.shape[1] - int(class_token) - registers
            patches = bare if isqrt(bare) ** 2 == bare else positions.shape[1]  # no_embed_class
            read["image_size"] = simple(square(patches, (patch[0], patch[1])))
        return ViTConfig(**{**read, **fields})

    @classmethod
    def to_ours(cls, state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
        ours = renamed(state, NAMES)
        tokens = [ours.pop(name) for name in ("cls_token", "reg_token") if name in ours]
        if tokens:
            ours["prefix.tokens"] = torch.cat(tokens, dim=1)
        if "pos_embed" in ours:
            positions = ours.pop("pos_embed")[0]
            bare = config.num_patches == positions.shape[0] != config.num_tokens  # no_embed_class
            prefix = positions.new_zeros(config.num_prefix_tokens if bare else 0, config.embed_dim)
            ours["positional.embedding.weight"] = torch.cat([prefix, positions])
        ours["patch_embedding.weight"] = needed(ours, "patch_embedding.weight").flatten(1)
        return ours

    @classmethod
    def from_ours(cls, model: ViT) -> dict[str, Tensor]:
        config = model.config
        state = {name: value.detach().clone() for name, value in model.state_dict().items()}
        theirs = renamed(
            {name: v for name, v in state.items() if not name.startswith(("positional.", "prefix."))}, BACK
        )
        theirs["patch_embed.proj.weight"] = state["patch_embedding.weight"].unflatten(
            1, (config.in_channels, *config.patch_shape)
        )
        if config.num_prefix_tokens:
            tokens = state["prefix.tokens"]
            at = int(config.class_token)
            theirs |= {"cls_token": tokens[:, :at]} if at else {}
            theirs |= {"reg_token": tokens[:, at:]} if config.num_registers else {}
        if config.positional != "none":
            theirs["pos_embed"] = added_positions(model)[None]
        if not config.out_proj:
            eye = torch.eye(config.embed_dim, dtype=state["head.weight"].dtype)
            for i in range(config.depth):
                theirs |= {f"blocks.{i}.attn.proj.weight": eye.clone(), f"blocks.{i}.attn.proj.bias": 0 * eye[0]}
        return theirs

    @classmethod
    def arguments(cls, config: ViTConfig) -> dict[str, Any]:
        return {
            "img_size": list(config.image_shape),
            "patch_size": list(config.patch_shape),
            "in_chans": config.in_channels,
            "num_classes": config.num_classes,
            "global_pool": POOLS[config.pooling],
            "fc_norm": False,
            "embed_dim": config.embed_dim,
            "depth": config.depth,
            "num_heads": config.num_heads,
            "mlp_ratio": config.mlp_ratio,
            "qkv_bias": config.qkv_bias,
            "class_token": config.class_token,
            "reg_tokens": config.num_registers,
            "pos_embed": "none" if config.positional == "none" else "learn",
            "final_norm": config.final_norm,
            "proj_drop_rate": config.dropout,
            "attn_drop_rate": config.attention_dropout,
            "act_layer": config.activation,
        }
