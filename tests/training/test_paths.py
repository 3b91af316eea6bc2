"""Drop path has a stream of its own: with it or without, dropout draws the same."""

import pytest
import torch
import torch.nn.functional as F

from fitting import compute_of, fit, fit_packed
from studies.data import DataSet, Split
from studies.training.compute import has_cpp_compiler
from studies.training.dropouts import OwnDropout
from studies.training.fit import train
from studies.training.packed import Packed
from studies.training.paths import DropPaths
from studies.training.recipe import Recipe
from studies.training.single import Single
from studies.training.steps.compiled import compiled_program
from vit import ViT, ViTConfig

OFF = ViTConfig(patch_size=14, embed_dim=8, depth=2, num_heads=2, dropout=0.2, attention_dropout=0.2)
ON = OFF.replace(drop_path=0.5)
RECIPE = Recipe(epochs=1, batch_size=16, learning_rate=1e-2, dtype="float32", attention="explicit")
compiles = pytest.param(
    RECIPE.replace(compile=True),
    marks=[pytest.mark.slow, pytest.mark.skipif(not has_cpp_compiler(), reason="needs a C++ compiler")],
    id="compiled",
)


@pytest.fixture(scope="module")
def data(small_mnist) -> DataSet:
    """Three steps."""
    few = Split(small_mnist.train.images[:48], small_mnist.train.labels[:48])
    return DataSet("few", 10, few, small_mnist.val, small_mnist.test)


def begin(config, recipe, data, seeds):
    compute = compute_of(config, recipe, packed=len(seeds) > 1)
    if len(seeds) > 1:
        return Packed(config, [recipe] * len(seeds), data, seeds, compute, "cpu")
    return Single(config, recipe, data, *seeds, compute, "cpu")


def masks(monkeypatch, config, data, seeds):
    """Of every dropout of a training, in order."""
    seen, own, packed = [], F.dropout, OwnDropout._dropout
    spied = {
        "dropout": lambda x, p=0.5, training=True, inplace=False: noted(own, x, p, training),
        "_dropout": lambda self, x, p=0.5, training=True, **_: noted(packed.__get__(self), x, p, training),
    }

    def noted(drop, x, p, training):
        mask = drop(torch.ones_like(x), p, training)
        if training and p:
            seen.append(mask.detach() != 0)
        return x * mask

    with monkeypatch.context() as patch:
        if len(seeds) > 1:
            patch.setattr(OwnDropout, "_dropout", spied["_dropout"])
        else:
            patch.setattr(F, "dropout", spied["dropout"])
        train(begin(config, RECIPE, data, seeds))
    return seen


@pytest.mark.parametrize("seeds", [(3,), (3, 4)], ids=["alone", "packed"])
def test_masks_of_dropout_are_those_of_a_training_without_drop_path(seeds, data, monkeypatch):
    off, on = (masks(monkeypatch, config, data, seeds) for config in (OFF, ON))
    assert len(off) == len(on) == 3 * 2 * 3  # steps, blocks, places of dropout in one
    assert all(torch.equal(a, b) for a, b in zip(off, on, strict=True))
    assert 0.1 < 1 - torch.cat([mask.flatten() for mask in off]).float().mean() < 0.3


@pytest.mark.parametrize("recipe", [pytest.param(RECIPE, id="eager"), compiles])
def test_a_training_with_drop_path_leaves_the_stream_of_dropout_where_it_would_be(recipe, data):
    ends = []
    for config in (OFF, ON):
        session = begin(config, recipe, data, [3])
        train(session)
        ends.append(session.dropout.states())
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


@pytest.mark.parametrize("config", [ON.replace(dropout=0.0, attention_dropout=0.0)])
def test_paths_are_the_same_alone_packed_and_compiled(config, data, monkeypatch):
    alone = fit(config, RECIPE, data, 3)
    packed = fit_packed(config, [RECIPE] * 2, data, [3, 4])[0]
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    compiled_program.cache_clear()
    program = fit(config, RECIPE.replace(compile=True), data, 3)
    compiled_program.cache_clear()
    without = fit(config.replace(drop_path=0.0), RECIPE, data, 3)
    for other in (packed, program):
        assert other.curve[0].train_loss == pytest.approx(alone.curve[0].train_loss, abs=1e-5)
    assert without.curve[0].train_loss != pytest.approx(alone.curve[0].train_loss, abs=1e-3)


def test_what_is_drawn_has_the_share_and_the_mean_of_its_block_and_goes_when_training_ends():
    model = ViT(ON.replace(depth=4, drop_path=0.4))
    paths = DropPaths(model, [0, 1], 5000, "cpu")
    paths.draw()
    with paths:
        assert model.blocks[0].drop_path1.kept.data_ptr() == paths.kept.data_ptr()
    assert model.blocks[0].drop_path1.kept is None
    for i, kept in enumerate(paths.kept):
        share = 0.1 * (i // 2 + 1)
        assert sorted(set(kept.tolist())) == pytest.approx([0.0, 1 / (1 - share)])
        assert (kept == 0).float().mean().item() == pytest.approx(share, abs=0.02)
    assert not torch.equal(*paths.kept[0].chunk(2))
    assert not torch.equal(paths.kept[0] == 0, paths.kept[1] == 0)
    states = paths.states()
    paths.draw()
    second = paths.kept.clone()
    paths.load(states)
    paths.draw()
    assert torch.equal(paths.kept, second)
