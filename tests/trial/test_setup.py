"""What decides a trial is in its hash, and hashes that stand in ledgers stay what they are."""

import dataclasses

from studies.training.recipe import Recipe
from studies.trial.setup import HASH_VERSION, Setup
from vit import ViTConfig

CONFIG = ViTConfig(patch_size=7, embed_dim=16, depth=1, num_heads=2)
SETUP = Setup(CONFIG, Recipe(), "mnist")


def test_the_identity_of_a_trial_is_stable():
    assert SETUP.content_hash == "8e23852f1435f7fd"
    assert SETUP.trial_hash(3) == "4580314670f622b7"


DEFAULTS = {
    "image_size": 28,
    "in_channels": 1,
    "num_classes": 10,
    "chunking": "tiles",
    "patch_size": None,
    "num_strips": None,
    "positional": "learned",
    "pooling": "cls",
    "num_registers": 0,
    "embed_dim": 64,
    "depth": 4,
    "num_heads": 4,
    "mlp_ratio": 2.0,
    "activation": "gelu",
    "qkv_bias": True,
    "out_proj": True,
    "final_norm": True,
    "norm_eps": 1e-05,
    "norm": "layernorm",
    "attention_type": "softmax",
    "qk_norm": False,
    "num_class_tokens": 1,
    "layer_scale": 0.0,
    "drop_path": 0.0,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "epochs": 10,
    "batch_size": 128,
    "optimizer": "adamw",
    "learning_rate": 0.003,
    "weight_decay": 0.05,
    "beta2": 0.99,
    "schedule": "cosine",
    "warmup": 0.1,
    "label_smoothing": 0.0,
    "max_translation": 0,
    "flip": False,
    "normalize": True,
    "attention": "auto",
    "dtype": "auto",
    "compile": "auto",
    "init": "",
    "replica": 0,
    "train_images": 0,
}


def test_a_changed_default_needs_a_new_hash_version():
    """Fields at their default are left out of the hash: who changes one raises HASH_VERSION and pins it anew."""
    assert HASH_VERSION == 2
    assert {f.name: f.default for described in (ViTConfig, Recipe) for f in dataclasses.fields(described)} == DEFAULTS


CONFIG_CHANGES = {
    "image_size": 14,
    "in_channels": 3,
    "num_classes": 7,
    "chunking": "horizontal",
    "patch_size": 14,
    "num_strips": None,
    "positional": "none",
    "pooling": "mean",
    "num_registers": 1,
    "embed_dim": 8,
    "depth": 2,
    "num_heads": 1,
    "mlp_ratio": 3.0,
    "activation": "relu",
    "qkv_bias": False,
    "out_proj": False,
    "final_norm": False,
    "norm_eps": 1e-6,
    "norm": "rmsnorm",
    "attention_type": "lsa",
    "qk_norm": True,
    "num_class_tokens": 2,
    "layer_scale": 0.1,
    "drop_path": 0.1,
    "dropout": 0.1,
    "attention_dropout": 0.1,
}
RECIPE_CHANGES = {
    "epochs": 11,
    "batch_size": 64,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "beta2": 0.9,
    "schedule": "linear",
    "warmup": 0.2,
    "label_smoothing": 0.1,
    "max_translation": 1,
    "flip": True,
    "normalize": False,
    "attention": "sdpa",
    "dtype": "bfloat16",
    "compile": True,
    "init": "winner-0123456789ab",
    "replica": 1,
    "train_images": 100,
}


def test_the_identity_depends_on_every_field():
    assert set(CONFIG_CHANGES) == {f.name for f in dataclasses.fields(ViTConfig)}
    assert set(RECIPE_CHANGES) == {f.name for f in dataclasses.fields(Recipe)}
    setups = [SETUP, dataclasses.replace(SETUP, dataset="other")]
    for name, value in CONFIG_CHANGES.items():
        change = (
            {"num_strips": 4, "patch_size": None, "chunking": "horizontal"} if name == "num_strips" else {name: value}
        )
        setups.append(dataclasses.replace(SETUP, config=CONFIG.replace(**change)))
    setups += [dataclasses.replace(SETUP, recipe=Recipe(**{name: value})) for name, value in RECIPE_CHANGES.items()]
    assert len({setup.content_hash for setup in setups}) == len(setups)
    assert SETUP.trial_hash(0) != SETUP.trial_hash(1)
