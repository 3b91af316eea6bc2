"""``ViTForImageClassification`` of Hugging Face's transformers (read at 5.23; the names of 4.x are read and written).

Names of 4.x are those of the checkpoints that people have, and 5.x reads them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from vit.config import ViTConfig
from vit.interop.source import SOURCES, Source, added_positions, depth_of, needed, renamed, simple, square
from vit.model import ViT

BLOCK = r"^vit\.(?:encoder\.layer|layers)\.(\d+)\."
NAMES = (
    (r"^vit\.embeddings\.patch_embeddings\.projection\.", "patch_embedding."),
    (r"^vit\.embeddings\.cls_token$", "prefix.tokens"),
    (r"^vit\.embeddings\.position_embeddings$", "positional.embedding.weight"),
    (r"^vit\.layernorm\.", "norm."),
    (r"^classifier\.", "head."),
    (BLOCK + r"layernorm_before\.", r"blocks.\1.norm1."),
    (BLOCK + r"layernorm_after\.", r"blocks.\1.norm2."),
    (BLOCK + r"attention\.(?:attention\.query|q_proj)\.", r"blocks.\1.q."),
    (BLOCK + r"attention\.(?:attention\.key|k_proj)\.", r"blocks.\1.k."),
    (BLOCK + r"attention\.(?:attention\.value|v_proj)\.", r"blocks.\1.v."),
    (BLOCK + r"attention\.(?:output\.dense|o_proj)\.", r"blocks.\1.attention.proj."),
    (BLOCK + r"(?:intermediate\.dense|mlp\.fc1)\.", r"blocks.\1.mlp.0."),
    (BLOCK + r"(?:output\.dense|mlp\.fc2)\.", r"blocks.\1.mlp.2."),
)
BACK = (
    (r"^patch_embedding\.", "vit.embeddings.patch_embeddings.projection."),
    (r"^prefix\.tokens$", "vit.embeddings.cls_token"),
    (r"^norm\.", "vit.layernorm."),
    (r"^head\.", "classifier."),
    (r"^blocks\.(\d+)\.norm1\.", r"vit.encoder.layer.\1.layernorm_before."),
    (r"^blocks\.(\d+)\.norm2\.", r"vit.encoder.layer.\1.layernorm_after."),
    (r"^blocks\.(\d+)\.([qkv])\.", r"vit.encoder.layer.\1.attention.attention.\2."),
    (r"^blocks\.(\d+)\.attention\.proj\.", r"vit.encoder.layer.\1.attention.output.dense."),
    (r"^blocks\.(\d+)\.mlp\.0\.", r"vit.encoder.layer.\1.intermediate.dense."),
    (r"^blocks\.(\d+)\.mlp\.2\.", r"vit.encoder.layer.\1.output.dense."),
)
LONG = {"q": "query", "k": "key", "v": "value"}
HEAD_DIM = 64  # of tiny, small and base


@SOURCES.register("transformers")
class Transformers(Source):
    """Class token and added positions only; queries, keys and values in three layers."""

    any_value = (
        *("image_size", "in_channels", "num_classes", "patch_size", "num_strips", "positional", "embed_dim", "depth"),
        *("num_heads", "mlp_ratio", "norm_eps", "qkv_bias", "out_proj", "dropout", "attention_dropout"),
    )
    choices: ClassVar = {
        "chunking": ("tiles", "horizontal", "vertical"),
        "pooling": ("cls",),
        "activation": ("gelu", "relu"),
        "final_norm": (True,),
    }

    @classmethod
    def config(cls, state: Mapping[str, Tensor], **fields: Any) -> ViTConfig:
        ours = renamed(state, NAMES)
        embed_dim, in_channels, *patch = needed(ours, "patch_embedding.weight").shape
        positions = needed(ours, "positional.embedding.weight")
        read = {
            "in_channels": in_channels,
            "num_classes": needed(ours, "head.weight").shape[0],
            "patch_size": simple((patch[0], patch[1])),
            "embed_dim": embed_dim,
            "depth": depth_of(ours, r"blocks\.(\d+)\.q\.weight"),
            "num_heads": max(1, embed_dim // HEAD_DIM),
            "mlp_ratio": needed(ours, "blocks.0.mlp.0.weight").shape[0] / embed_dim,
            "qkv_bias": "blocks.0.q.bias" in ours,
            "norm_eps": 1e-12,
        }
        if "image_size" not in fields:
            read["image_size"] = simple(square(positions.shape[1] - 1, (patch[0], patch[1])))
        return ViTConfig(**{**read, **fields})

    @classmethod
    def to_ours(cls, state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
        ours = renamed({name: v for name, v in state.items() if not name.startswith("vit.pooler.")}, NAMES)
        for i in range(config.depth):
            for kind in ("weight", "bias") if config.qkv_bias else ("weight",):
                parts = [needed(ours, f"blocks.{i}.{part}.{kind}") for part in "qkv"]
                ours[f"blocks.{i}.attention.qkv.{kind}"] = torch.cat(parts)
        kept = {name: v for name, v in ours.items() if not name.startswith("blocks.") or name.split(".")[2] not in LONG}
        kept["patch_embedding.weight"] = needed(kept, "patch_embedding.weight").flatten(1)
        kept["positional.embedding.weight"] = needed(kept, "positional.embedding.weight")[0]
        return kept

    @classmethod
    def from_ours(cls, model: ViT) -> dict[str, Tensor]:
        config = model.config
        state = {n: v.detach().clone() for n, v in model.state_dict().items() if not n.startswith("positional.")}
        for i in range(config.depth):
            for kind in ("weight", "bias") if config.qkv_bias else ("weight",):
                parts = state.pop(f"blocks.{i}.attention.qkv.{kind}").chunk(3)
                state |= {f"blocks.{i}.{part}.{kind}": value for part, value in zip("qkv", parts, strict=True)}
            if not config.out_proj:
                eye = torch.eye(config.embed_dim, dtype=state["head.weight"].dtype)
                state |= {f"blocks.{i}.attention.proj.weight": eye, f"blocks.{i}.attention.proj.bias": 0 * eye[0]}
        state["patch_embedding.weight"] = state["patch_embedding.weight"].unflatten(
            1, (config.in_channels, *config.patch_shape)
        )
        theirs = renamed(state, BACK)
        for short, long in LONG.items():
            theirs = renamed(theirs, ((rf"attention\.attention\.{short}\.", f"attention.attention.{long}."),))
        return {**theirs, "vit.embeddings.position_embeddings": added_positions(model)[None]}

    @classmethod
    def arguments(cls, config: ViTConfig) -> dict[str, Any]:
        return {
            "image_size": list(config.image_shape),
            "patch_size": list(config.patch_shape),
            "num_channels": config.in_channels,
            "num_labels": config.num_classes,
            "hidden_size": config.embed_dim,
            "num_hidden_layers": config.depth,
            "num_attention_heads": config.num_heads,
            "intermediate_size": int(config.embed_dim * config.mlp_ratio),
            "hidden_act": config.activation,
            "qkv_bias": config.qkv_bias,
            "layer_norm_eps": config.norm_eps,
            "hidden_dropout_prob": config.dropout,
            "attention_probs_dropout_prob": config.attention_dropout,
        }
