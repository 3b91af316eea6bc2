"""Nonsense is refused at once: every case here once took minutes, the machine's memory, or a traceback."""

import pytest
import torch

from vit import POOLINGS, POSITIONALS, ConfigError, ViT, ViTConfig
from vit.bounds import about_weights


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"image_size": 10**10}, "image_size=10,000,000,000 is too large: at most 65,536"),
        ({"image_size": (28, 10**6), "patch_size": 1}, "image_size=1,000,000 is too large"),
        ({"embed_dim": 10**9 + 7}, "embed_dim=1,000,000,007 is too large: at most 65,536"),
        ({"depth": 10**12}, "depth=1,000,000,000,000 is too large"),
        ({"num_classes": 10**9}, "num_classes=1,000,000,000 is too large"),
        ({"num_registers": 10**6}, "num_registers=1,000,000 is too large"),
        ({"mlp_ratio": 1e300}, "embed_dim × mlp_ratio=6.4e+301 is too large"),
        ({"image_size": 2**15, "patch_size": 1}, "num_tokens=1,073,741,825 is too large"),
        ({"embed_dim": 2**15, "depth": 1000}, "number of weights="),
        ({"embed_dim": 10**5000}, "embed_dim is a number of 16610 bits"),
        ({"patch_size": (7, -(10**5000))}, "patch_size is a number of 16610 bits"),
        ({"mlp_ratio": 10**400}, "mlp_ratio is a number of 1329 bits"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_too_large_names_the_bound(fields, part):
    with pytest.raises(ConfigError) as refused:
        ViTConfig(**fields)
    assert part in str(refused.value)


def test_the_largest_published_model_is_far_within():
    giant = ViTConfig(image_size=224, in_channels=3, num_classes=30_000, patch_size=14, embed_dim=6144, depth=48,
                      num_heads=48, mlp_ratio=4.0)  # fmt: skip
    assert about_weights(giant) == pytest.approx(22e9, rel=0.03)


@pytest.mark.parametrize("positional", POSITIONALS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_model_can_be_counted_without_being_allocated(positional, pooling):
    config = ViTConfig(patch_size=7, embed_dim=16, positional=positional, pooling=pooling)
    with torch.device("meta"):
        counted = ViT(config)
    built = ViT(config)
    assert counted.num_params() == built.num_params()
    assert {k: v.shape for k, v in counted.state_dict().items()} == {k: v.shape for k, v in built.state_dict().items()}
    assert 0.8 * built.num_params() < about_weights(config) <= built.num_params()
