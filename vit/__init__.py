"""A Vision Transformer with swappable parts: torch and einops, nothing else.

Shapes: b batch, c channels, h w pixels, ph pw pixels of a patch, n tokens, d embed_dim, e head_dim.
"""

from vit.attention import ATTENTION_KERNELS
from vit.chunking import CHUNKINGS, chunk
from vit.config import ConfigError, ViTConfig
from vit.model import ViT
from vit.pooling import POOLINGS
from vit.positional import POSITIONALS
from vit.presets import PRESETS
from vit.registry import Registry, UnknownNameError

__all__ = [
    "ATTENTION_KERNELS",
    "CHUNKINGS",
    "POOLINGS",
    "POSITIONALS",
    "PRESETS",
    "ConfigError",
    "Registry",
    "UnknownNameError",
    "ViT",
    "ViTConfig",
    "chunk",
]
