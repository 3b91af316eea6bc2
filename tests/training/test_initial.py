"""Training starts from kept weights: which, as far as they fit, and as another trial."""

import pytest
import torch

import tiny
from fitting import fit, fit_packed
from studies.design.settings import apply
from studies.training.initial import identity, keep, load_initial
from studies.training.recipe import Recipe, RecipeError
from studies.training.streams import initialised
from studies.training.weights import WeightsError, save_weights
from studies.trial.setup import Setup
from studies.trial.trial import run_trial
from vit import ViT
from vit.interop import InteropError

SLOW = tiny.RECIPE.replace(learning_rate=1e-9, warmup=0.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VIT_ABLATE_CACHE", str(tmp_path / "cache"))
    load_initial.cache_clear()
    yield
    load_initial.cache_clear()


@pytest.fixture
def trained(tmp_path):
    torch.manual_seed(1)
    return save_weights(ViT(tiny.MODEL), tmp_path / "A winner (1).safetensors")


def test_a_name_is_a_word_and_a_digest(trained, tmp_path):
    name = keep(trained)
    assert name.startswith("a_winner_1-")
    again = trained.rename(tmp_path / "other.safetensors")
    assert identity(keep(again)) == identity(name)


def test_other_weights_are_another_trial_whatever_they_are_called(trained, tmp_path):
    name = keep(trained)
    digest = identity(name)

    def content_hash(init):
        return Setup(tiny.MODEL, tiny.RECIPE.replace(init=init), "mnist").content_hash

    assert content_hash(name) == content_hash(f"word-{digest}") != content_hash("")
    other = keep(save_weights(ViT(tiny.MODEL), tmp_path / "b.safetensors"))
    assert content_hash(other) != content_hash(name)


def test_the_model_begins_with_them_and_draws_what_they_lack(trained):
    source, name = load_initial(keep(trained)), keep(trained)
    assert torch.equal(initialised(tiny.MODEL, 0, name).blocks[0].mlp[0].weight, source.blocks[0].mlp[0].weight)
    config = tiny.MODEL.replace(num_classes=4)
    one, other = (initialised(config, seed, name) for seed in (0, 1))
    assert torch.equal(one.patch_embedding.weight, other.patch_embedding.weight)
    assert torch.equal(one.head.weight, initialised(config, 0).head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


def test_alone_and_packed_train_on_from_them(trained, small_mnist):
    name = keep(trained)
    source = load_initial(name)
    recipe = SLOW.replace(init=name, batch_size=128)
    alone = fit(tiny.MODEL, recipe, small_mnist, 0)
    packed = fit_packed(tiny.MODEL, [recipe, recipe], small_mnist, [0, 1])
    for fitted in (alone, *packed):
        assert torch.allclose(fitted.model.head.weight, source.head.weight, atol=1e-6)
    assert torch.equal(source.head.weight, load_initial(name).head.weight)


def test_blocks_that_do_not_fit_fail_the_trial_with_the_reason(trained):
    setup = Setup(tiny.MODEL.replace(embed_dim=16), tiny.RECIPE.replace(init=keep(trained)), "mnist")
    outcome = run_trial(setup, 0, "cpu")
    assert "the blocks of the two models differ" in outcome.reason
    with pytest.raises(InteropError, match="a_winner_1-"):
        initialised(setup.config, 0, setup.recipe.init)


def test_a_trial_says_what_it_started_from(trained):
    config, recipe = apply(tiny.MODEL, tiny.RECIPE, {"init": keep(trained), "num_registers": 1})
    outcome = run_trial(Setup(config, recipe, "mnist"), 0, "cpu")
    assert outcome.reason is None
    assert "tensors copied" in outcome.record["started_from"]
    assert "resampled: positional.embedding.weight" in outcome.record["started_from"]


def test_weights_that_are_not_here_are_asked_for():
    with pytest.raises(WeightsError, match="--init FILE"):
        load_initial("gone-0123456789ab")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "w-123", 3])
def test_a_recipe_takes_no_path(name):
    with pytest.raises(RecipeError, match="--init FILE"):
        Recipe(init=name)
