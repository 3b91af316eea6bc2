"""The largest model that can be meant, so that nonsense is refused before anything is listed or allocated.

Far beyond what trains anywhere: ViT-22B (arXiv 2302.05442) has a width of 6,144, 48 blocks and 2.2e10 parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vit.config import ViTConfig

MOST = {
    "in_channels": 2**16,
    "num_classes": 2**24,
    "num_registers": 2**16,
    "num_class_tokens": 2**16,
    "embed_dim": 2**16,
    "depth": 2**10,
    "num_heads": 2**16,
}
MOST_PIXELS_A_SIDE = 2**16
MOST_TOKENS = 2**20
MOST_HIDDEN = 2**20
MOST_WEIGHTS = 10**12
LARGEST = 2**63 - 1


def check_length(name: str, value: object) -> None:
    """Refuse whole numbers that no tensor counts to, and that Python itself may refuse to write down.

    Raises:
        ValueError: names the field and how long the number is.
    """
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int) and abs(number) > LARGEST:
            raise ValueError(f"{name} is a number of {number.bit_length()} bits: at most 63")


def check_fields(config: ViTConfig) -> None:
    """Refuse a field that is too large by itself; cheap, whatever the fields are.

    Raises:
        ValueError: names the field, its value and the bound.
    """
    for name, most in MOST.items():
        _at_most(most, name, getattr(config, name))
    _at_most(MOST_PIXELS_A_SIDE, "image_size", *config.image_shape)
    _at_most(MOST_HIDDEN, "embed_dim × mlp_ratio", config.embed_dim * config.mlp_ratio)


def check_sizes(config: ViTConfig) -> None:
    """Refuse a sequence or a number of weights that follows from fields which are legal one by one.

    Raises:
        ValueError: names what is too large and the bound.
    """
    _at_most(MOST_TOKENS, "num_tokens", config.num_tokens)
    _at_most(MOST_WEIGHTS, "number of weights", about_weights(config))


def about_weights(config: ViTConfig) -> int:
    """Weights of the matrices of patch embedding, blocks and head, without building them; no component's own."""
    d = config.embed_dim
    hidden = int(d * config.mlp_ratio)
    return d * (config.depth * ((4 if config.out_proj else 3) * d + 2 * hidden) + config.patch_dim + config.num_classes)


def _at_most(most: int, name: str, *values: float) -> None:
    for value in values:
        if value > most:
            said = f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
            raise ValueError(f"{name}={said} is too large: at most {most:,}")
