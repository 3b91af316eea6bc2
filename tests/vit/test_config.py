import dataclasses
import json
import math

import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st

from studies.training.steps.eager import train_step
from vit import ATTENTION_TYPES, CHUNKINGS, NORMS, POOLINGS, POSITIONALS, ConfigError, ViT, ViTConfig
from vit.mlp import ACTIVATIONS

FIELDS = [field.name for field in dataclasses.fields(ViTConfig)]
some = st.sampled_from


# possible and impossible values side by side, so that both outcomes are drawn often
SPACE = st.fixed_dictionaries(
    {
        "image_size": some([8, 12, (8, 12), (4, 8), (6, 4)]),
        "in_channels": some([1, 3]),
        "num_classes": some([1, 2, 10]),
        "chunking": some([*CHUNKINGS] * 4 + ["hexagons"]),
        "positional": some([*POSITIONALS] * 4 + ["gps"]),
        "pooling": some([*POOLINGS] * 4 + ["median"]),
        "num_registers": some([0, 1, 3]),
        "embed_dim": some([8, 8, 16, 16, 6, 2, 1]),
        "depth": some([1, 2]),
        "num_heads": some([1, 1, 1, 2, 2, 3]),
        "mlp_ratio": some([0.01, 0.5, 1, 2, 4.0]),
        "activation": some([*ACTIVATIONS]),
        "norm": some([*NORMS]),
        "attention_type": some([*ATTENTION_TYPES]),
        "qk_norm": st.booleans(),
        "num_class_tokens": some([1, 1, 1, 2]),
        "layer_scale": some([0.0, 0.1]),
        "drop_path": some([0.0, 0.5]),
        "qkv_bias": st.booleans(),
        "out_proj": st.booleans(),
        "final_norm": st.booleans(),
        "dropout": some([0.0, 0.1, 0.9]),
        "attention_dropout": some([0.0, 0.5]),
    }
)
SIZES = some([{"patch_size": n} for n in (1, 2, 2, 2, 2, 4, 5, (2, 4))] + [{"num_strips": n} for n in (2, 5)])


def build_or_reason(values) -> ViTConfig | str:
    """The configuration, or the message that refuses it."""
    try:
        return ViTConfig(**values)
    except ConfigError as error:
        return str(error)


@settings(max_examples=150)
@given(SPACE, SIZES)
def test_a_config_is_refused_with_a_named_field_or_trains_and_round_trips(values, size):
    config = build_or_reason(values | size)
    event(type(config).__name__)
    if isinstance(config, str):
        assert any(name in config for name in FIELDS), config
        return
    torch.manual_seed(0)
    model = ViT(config)
    images = torch.randn(3, config.in_channels, *config.image_shape)
    labels = torch.randint(0, config.num_classes, (3,))
    loss = train_step(model, torch.optim.AdamW(model.parameters()), images, labels)
    assert loss.isfinite()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.isfinite().all(), name
    twin = ViT(config)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin.eval()(images), model.eval()(images))


def test_the_space_above_holds_both_outcomes():
    outcomes = set()

    @given(SPACE, SIZES)
    def sample(values, size):
        outcomes.add(type(build_or_reason(values | size)))

    sample()
    assert outcomes == {ViTConfig, str}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": None, "image_size": (28, 27)}, r"patch_size=None: .*\(28, 27\); give patch_size or num_strips"),
        ({"num_strips": 4}, "patch_size=7, num_strips=4: give exactly one"),
        ({"patch_size": None, "num_strips": 4}, "num_strips=4 has no meaning for chunking='tiles'"),
        ({"patch_size": 5}, "patch_size=5 does not divide the image height 28; use one of .*7"),
        ({"patch_size": (7, 3)}, "patch_size=.*width 28"),
        ({"patch_size": 0}, "patch_size=0"),
        ({"patch_size": -7}, "patch_size=-7"),
        ({"patch_size": 7.0}, r"patch_size=7\.0 must be int"),
        ({"patch_size": (7,)}, "patch_size="),
        ({"patch_size": (7, 7, 7)}, "patch_size="),
        ({"patch_size": (7, 7.0)}, "patch_size="),
        ({"patch_size": ["7", "7"]}, "patch_size="),
        ({"chunking": "horizontal", "patch_size": (7, 7)}, "patch_size=.*horizontal strips give the thick"),
        ({"chunking": "vertical", "patch_size": None, "num_strips": 5}, "num_strips=5 does not divide 28"),
        ({"chunking": "vertical", "patch_size": None, "num_strips": 0}, "num_strips=0"),
        ({"chunking": "tile"}, "unknown chunking 'tile'; did you mean 'tiles'"),
        ({"positional": "rope"}, "unknown positional scheme 'rope'; did you mean 'rope2d'"),
        ({"pooling": "average"}, "unknown pooling 'average'.*choices: .*cls.*map.*mean"),
        ({"activation": "silu"}, "unknown activation 'silu'.*gelu, relu"),
        ({"image_size": 0}, "image_size="),
        ({"image_size": (28, -28)}, "image_size="),
        ({"image_size": "28"}, "image_size='28'"),
        ({"image_size": None}, "image_size=None"),
        ({"in_channels": 0}, "in_channels=0 must be at least 1"),
        ({"num_classes": 0}, "num_classes=0 must be at least 1"),
        ({"embed_dim": 0}, "embed_dim=0 must be at least 1"),
        ({"embed_dim": 16.0}, r"embed_dim=16\.0 must be int"),
        ({"depth": 0}, "depth=0 must be at least 1"),
        ({"depth": True}, "depth=True must be int"),
        ({"num_heads": 0}, "num_heads=0 must be at least 1"),
        ({"num_heads": 3}, r"num_heads=3 does not divide embed_dim=16; use one of \[1, 2, 4, 8, 16\]"),
        ({"num_registers": -1}, "num_registers=-1 must be at least 0"),
        ({"mlp_ratio": 0}, "mlp_ratio=0"),
        ({"mlp_ratio": -2.0}, r"mlp_ratio=-2\.0"),
        ({"mlp_ratio": 0.05}, r"mlp_ratio=0\.05"),
        ({"mlp_ratio": math.inf}, "mlp_ratio=inf"),
        ({"mlp_ratio": math.nan}, "mlp_ratio=nan"),
        ({"mlp_ratio": "2"}, "mlp_ratio='2' must be float"),
        ({"dropout": 1.0}, r"dropout=1\.0 is not a probability"),
        ({"dropout": -0.1}, r"dropout=-0\.1"),
        ({"attention_dropout": math.nan}, "attention_dropout=nan"),
        ({"attention_dropout": 1}, "attention_dropout=1"),
        ({"qkv_bias": 1}, "qkv_bias=1 must be bool"),
        ({"out_proj": "no"}, "out_proj='no' must be bool"),
        ({"final_norm": None}, "final_norm=None must be bool"),
        ({"positional": "sinusoidal", "embed_dim": 15, "num_heads": 1}, "embed_dim .*multiple of 2, not 15"),
        ({"positional": "sincos2d", "embed_dim": 18, "num_heads": 1}, "embed_dim .*multiple of 4, not 18"),
        ({"norm": "batchnorm"}, "unknown norm 'batchnorm'.*layernorm"),
        ({"attention_type": "linear"}, "unknown attention type 'linear'; choices: softmax, lsa"),
        (
            {"attention_type": "lsa", "patch_size": 28, "pooling": "mean"},
            "alone has no other; add a register",
        ),
        ({"num_class_tokens": 0}, "num_class_tokens=0 must be at least 1"),
        ({"num_class_tokens": 2, "pooling": "mean"}, "num_class_tokens=2: pooling='mean' reads no class token"),
        ({"drop_path": 1.0}, r"drop_path=1\.0 is not a probability"),
        ({"layer_scale": math.nan}, "layer_scale=nan must be finite"),
        ({"layer_scale": -1.0}, r"layer_scale=-1\.0 must be at least 0"),
        ({"positional": "learned2d", "embed_dim": 15, "num_heads": 1}, "embed_dim .*multiple of 2, not 15"),
        ({"positional": "rope2d_mixed", "num_heads": 8}, "'rope2d_mixed' needs head_dim .*multiple of 4, not 2"),
        (
            {"chunking": "spt", "patch_size": 1},
            "chunking='spt' shifts by half a patch: patch_size=1 must be at least 2",
        ),
        ({"chunking": "conv", "patch_size": 6, "image_size": 42}, r"halves \(42, 42\) down to .* 11 x 11, not 7 x 7"),
        ({"chunking": "conv", "patch_size": (1, 2), "image_size": (4, 8)}, "down to a grid of 4 x 8, not 4 x 4"),
        ({"positional": "rope2d", "num_heads": 8}, "'rope2d' needs head_dim .*multiple of 4, not 2"),
    ],
)
def test_every_impossible_value_is_refused_by_name(changes, message):
    possible = {"patch_size": 7, "embed_dim": 16, "depth": 2, "num_heads": 2}
    with pytest.raises(ConfigError, match=message):
        ViTConfig(**possible | changes)


def test_the_defaults_alone_are_a_model_that_names_its_patches():
    assert ViTConfig() == ViTConfig(patch_size=7)
    assert ViT().config == ViTConfig()


@pytest.mark.parametrize("chunking", sorted({*CHUNKINGS} - {"conv", "spt"}))  # these do not take every patch
@given(height=st.integers(1, 300), width=st.integers(1, 300))
def test_a_patch_that_nobody_sized_fits_or_is_refused(chunking, height, width):
    config = build_or_reason({"image_size": (height, width), "chunking": chunking})
    fitting = [
        k for k in range(1, min(height, width) + 1) if height % k == width % k == 0 and k * k >= min(height, width)
    ]
    assert (config.patch_size == fitting[0]) if fitting else "give patch_size or num_strips" in config


@pytest.mark.parametrize(("side", "patch"), [(28, 7), (32, 8), (96, 12), (224, 16), (384, 24)])
def test_patches_that_nobody_sized_are_usual(side, patch):
    assert ViTConfig(image_size=side).patch_size == patch


def test_replace_checks_the_result():
    with pytest.raises(ConfigError, match="num_heads=3"):
        ViTConfig(patch_size=7).replace(num_heads=3)


def test_replace_refuses_an_unknown_field_and_lists_the_fields():
    with pytest.raises(ConfigError, match=r"no field 'heads'; choices: .*num_heads"):
        ViTConfig(patch_size=7).replace(heads=2)


def test_replace_changes_the_copy_only():
    config = ViTConfig(patch_size=7)
    assert config.replace(depth=9).depth == 9
    assert config.depth == 4


def test_json_round_trip_gives_an_equal_hashable_config():
    config = ViTConfig(image_size=(28, 56), patch_size=(7, 14))
    again = ViTConfig(**json.loads(json.dumps(dataclasses.asdict(config))))
    assert again == config
    assert hash(again) == hash(config)


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ViTConfig(patch_size=7).depth = 3


def test_tiles_of_a_rectangular_image():
    config = ViTConfig(image_size=(8, 12), in_channels=3, patch_size=(4, 2), num_registers=2, embed_dim=64)
    assert config.grid_size == (2, 6)
    assert config.num_patches == 12
    assert config.patch_dim == 3 * 4 * 2
    assert config.num_prefix_tokens == 1 + 2
    assert config.num_tokens == 15
    assert config.head_dim == 16


@pytest.mark.parametrize(("chunking", "grid"), [("horizontal", (4, 1)), ("vertical", (1, 4))])
def test_strips_stand_on_a_grid_of_one_row_or_column(chunking, grid):
    assert ViTConfig(chunking=chunking, num_strips=4).grid_size == grid


@pytest.mark.parametrize(("pooling", "prefix"), [("cls", 1), ("mean", 0), ("map", 0)])
def test_only_cls_pooling_has_a_class_token(pooling, prefix):
    assert ViTConfig(patch_size=7, pooling=pooling).num_prefix_tokens == prefix
