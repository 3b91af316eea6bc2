"""The net of the notebook that this project began with (peluche/ViT, 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vit.config import ViTConfig
from vit.interop.source import SOURCES, Source, depth_of, needed, renamed, simple, square
from vit.presets import PRESETS

NAMES = (
    (r"^tile_embedding\.", "patch_embedding."),
    (r"^cls_token$", "prefix.tokens"),
    (r"^positional_embedding\.", "positional.embedding."),
    (r"^(blocks\.\d+)\.attention\.ln\.", r"\1.norm1."),
    (r"^(blocks\.\d+)\.ff\.0\.", r"\1.norm2."),
    (r"^(blocks\.\d+)\.ff\.1\.", r"\1.mlp.0."),
    (r"^(blocks\.\d+)\.ff\.3\.", r"\1.mlp.2."),
)


@SOURCES.register("notebook")
class Notebook(Source):
    """No output projection, no final norm, no bias for queries, keys and values; grey square images, one head."""

    @classmethod
    def config(cls, state: Mapping[str, Tensor], **fields: Any) -> ViTConfig:
        embed_dim, patch_dim = needed(state, "tile_embedding.weight").shape
        side = int(patch_dim**0.5)
        positions = state.get("positional_embedding.weight")
        read: dict[str, Any] = {
            "embed_dim": embed_dim,
            "patch_size": side,
            "depth": depth_of(state, r"blocks\.(\d+)\.attention\.qkv"),
            "mlp_ratio": needed(state, "blocks.0.ff.1.weight").shape[0] / embed_dim,
            "num_classes": needed(state, "head.weight").shape[0],
            "positional": "none" if positions is None else "learned",
        }
        if positions is not None:
            read["image_size"] = simple(square(positions.shape[0] - 1, (side, side)))
        return PRESETS["notebook"].replace(**{**read, **fields})

    @classmethod
    def to_ours(cls, state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
        return renamed(state, NAMES)

    @classmethod
    def refuses(cls, config: ViTConfig) -> str | None:
        return "the notebook is a source only; it takes our weights by their names"
