"""A Vision Transformer with swappable parts: torch and einops, nothing else.

Shapes: b batch, c channels, h w pixels, ph pw pixels of a patch, n tokens, d embed_dim, e head_dim.
"""

from importlib.metadata import PackageNotFoundError, version

from vit.attention import ATTENTION_KERNELS, ATTENTION_TYPES
from vit.chunking import CHUNKINGS, chunk
from vit.config import COMPONENTS, ConfigError, ViTConfig
from vit.inputs import InputError
from vit.mlp import ACTIVATIONS
from vit.model import ViT
from vit.norms import NORMS
from vit.pooling import POOLINGS
from vit.positional import POSITIONALS
from vit.presets import PRESETS
from vit.pretrained import PretrainedError
from vit.registry import Registry, UnknownNameError

__all__ = [
    "ACTIVATIONS",
    "ATTENTION_KERNELS",
    "ATTENTION_TYPES",
    "CHUNKINGS",
    "COMPONENTS",
    "NORMS",
    "POOLINGS",
    "POSITIONALS",
    "PRESETS",
    "ConfigError",
    "InputError",
    "PretrainedError",
    "Registry",
    "UnknownNameError",
    "ViT",
    "ViTConfig",
    "__version__",
    "chunk",
]

try:
    __version__ = version("vit-ablate")
except PackageNotFoundError:  # a checkout on the path
    __version__ = "not installed"
