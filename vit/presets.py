"""Named configurations."""

from __future__ import annotations

from vit.config import ViTConfig
from vit.registry import Registry

PRESETS: Registry[ViTConfig] = Registry("preset")

# peluche/ViT, 2023: 5,066 parameters, 96.97 % on MNIST after some 500 epochs
PRESETS["notebook"] = ViTConfig(
    patch_size=7,
    embed_dim=16,
    depth=2,
    num_heads=1,
    mlp_ratio=2.0,
    activation="relu",
    qkv_bias=False,
    out_proj=False,
    final_norm=False,
    dropout=0.1,
    attention_dropout=0.1,
)

# chosen by search for the accuracy that some ten seconds of one core can buy
PRESETS["tiny"] = ViTConfig(patch_size=7, embed_dim=32, depth=3, num_heads=2, mlp_ratio=2.0, activation="relu")

# the accuracy of `tiny` for two thirds of its time: two blocks, four heads
PRESETS["compact"] = ViTConfig(patch_size=7, embed_dim=32, depth=2, num_heads=4, mlp_ratio=2.0)

PRESETS["small"] = ViTConfig(patch_size=7, embed_dim=64, depth=4, num_heads=4, mlp_ratio=2.0)

# wide and shallow: the shortest way to 99 % on MNIST that the study `speedrun` knows
PRESETS["shallow"] = ViTConfig(patch_size=7, embed_dim=64, depth=2, num_heads=4, mlp_ratio=2.0, activation="relu")
