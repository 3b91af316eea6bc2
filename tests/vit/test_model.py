"""The model as a library's user meets it: built by fields, features, a new head, what decay spares."""

from importlib.metadata import version

import pytest
import torch

import vit
from vit import POOLINGS, POSITIONALS, PRESETS, ConfigError, ViT, ViTConfig
from vit.outline import outline

FIELDS = {"image_size": 8, "patch_size": 4, "embed_dim": 8, "depth": 2, "num_heads": 2}
CONFIG = ViTConfig(**FIELDS)


def test_the_version_is_that_of_the_package():
    assert vit.__version__ == version("vit-ablate")


def test_fields_by_name_build_what_their_configuration_builds():
    torch.manual_seed(0)
    by_name = ViT(**FIELDS)
    torch.manual_seed(0)
    by_config = ViT(CONFIG)
    assert by_name.config == by_config.config
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(by_name(images), by_config(images))


def test_fields_change_a_configuration_that_is_given():
    assert ViT(CONFIG, depth=1).config == CONFIG.replace(depth=1)


def test_what_is_no_field_is_refused_with_the_choices():
    for build in (lambda: ViT(heads=2), lambda: ViT(CONFIG, heads=2)):
        with pytest.raises(ConfigError, match=r"no field 'heads'; choices: .*num_heads"):
            build()
    with pytest.raises(ConfigError, match=r"28 is no ViTConfig: .*image_size=28"):
        ViT(28)
    with pytest.raises(ConfigError, match="num_heads=3 does not divide"):
        ViT(**FIELDS | {"num_heads": 3})


@pytest.mark.parametrize("pooling", POOLINGS)
def test_features_are_all_tokens_and_what_the_head_scores(pooling):
    model = ViT(CONFIG, pooling=pooling, num_registers=1)
    images = torch.randn(3, 1, 8, 8)
    features = model.forward_features(images)
    assert features.shape == (3, model.config.num_tokens, 8)
    torch.testing.assert_close(model.head(model.pooling(features)), model(images))


def test_a_new_head_scores_other_classes_from_the_same_features():
    model, images = ViT(CONFIG).double(), torch.randn(2, 1, 8, 8).double()
    features, old = model.forward_features(images), model.head
    assert model.reset_classifier(3) is model
    assert model(images).shape == (2, 3)
    assert model(images).dtype == torch.float64
    assert model.config == CONFIG.replace(num_classes=3)
    assert torch.equal(model.forward_features(images), features)
    assert model.head is not old
    ViT(model.config).load_state_dict(model.state_dict())


def test_a_head_of_no_class_is_refused_and_changes_nothing():
    model = ViT(CONFIG)
    with pytest.raises(ConfigError, match="num_classes=0 must be at least 1"):
        model.reset_classifier(0)
    assert model.config == CONFIG
    assert model.head.out_features == 10


@pytest.mark.parametrize("positional", POSITIONALS)
@pytest.mark.parametrize(("pooling", "registers"), [("cls", 0), ("mean", 0), ("mean", 2)])
def test_decay_spares_positions_and_prefix_tokens_by_their_names(pooling, registers, positional):
    model = ViT(CONFIG, positional=positional, pooling=pooling, num_registers=registers)
    names = {name for name, _ in model.named_parameters()}
    spared = model.no_weight_decay()
    assert spared == {name for name in names if name.startswith(("positional.", "prefix."))}
    assert ("prefix.tokens" in spared) == (pooling == "cls" or registers > 0)


def test_decay_spares_what_the_built_in_schemes_learn():
    assert ViT(CONFIG, positional="learned").no_weight_decay() == {"prefix.tokens", "positional.embedding.weight"}
    assert ViT(CONFIG, positional="relative").no_weight_decay() == {"prefix.tokens", "positional.table"}


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("config", [PRESETS["compact"], PRESETS["tiny"].replace(positional="relative", pooling="map")])
def test_an_outline_has_what_the_model_has_and_draws_nothing(config, device):
    before, model = torch.get_rng_state(), ViT(config)
    after = torch.get_rng_state()
    found = outline(config, device)
    assert {name: t.shape for name, t in found.state_dict().items()} == {
        name: t.shape for name, t in model.state_dict().items()
    }
    assert {parameter.device.type for parameter in found.parameters()} == {device}
    assert torch.equal(torch.get_rng_state(), after)
    assert not torch.equal(before, after)
    assert {name: b.shape for name, b in found.named_buffers()} == {n: b.shape for n, b in model.named_buffers()}
