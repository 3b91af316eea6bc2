"""Models that train together become what they become alone."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import studies.training.packed
import studies.training.steps.packed
from fitting import compute_of, fit, fit_packed
from studies.data import DataSet, Split
from studies.training import fit as unhelped
from studies.training.batches import Preparation, packed_batches
from studies.training.curves import DivergedError, Fit
from studies.training.dropouts import OwnDropout
from studies.training.recipe import OPTIMIZERS, Recipe, RecipeError
from studies.training.score import evaluate, evaluate_packed
from studies.training.steps.packed import PackedOptimizer
from studies.training.streams import DropoutStream, derive, initialised, stream
from vit import ATTENTION_KERNELS, PRESETS, ViTConfig
from vit.stacked import stack

STEPS = 50
RECIPE = Recipe(epochs=2, batch_size=20, max_translation=2, learning_rate=1e-2, dtype="float32")
WELL = ViTConfig(patch_size=14, embed_dim=8, depth=1, num_heads=2, dropout=0.1)


@pytest.fixture(scope="module")
def data(small_mnist) -> DataSet:
    """So many images that 2 epochs are 50 steps."""
    images, labels = small_mnist.train.images[:500], small_mnist.train.labels[:500]
    return DataSet("small", 10, Split(images, labels), small_mnist.val, small_mnist.test)


def assert_alike(packed: Fit, alone: Fit, data: DataSet) -> None:
    """Weights, curve, and the answers to images never seen, up to what rounding does in 50 steps."""
    for (name, ours), theirs in zip(packed.model.named_parameters(), alone.model.parameters(), strict=True):
        if name.endswith("qkv.bias"):  # softmax ignores the keys' bias: its gradient is rounding alone
            ours, theirs = (bias.view(3, -1)[[0, 2]] for bias in (ours, theirs))
        # a unit that is all but dead has a gradient of rounding too, and Adam makes whole steps of that
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=1e-3, msg=lambda text, name=name: f"{name}: {text}")
    assert len(packed.curve) == len(alone.curve)
    for ours, theirs in zip(packed.curve, alone.curve, strict=True):
        assert (ours.epoch, ours.learning_rate) == (theirs.epoch, theirs.learning_rate)
        assert ours.train_loss == pytest.approx(theirs.train_loss, abs=1e-5)
        assert ours.val_loss == pytest.approx(theirs.val_loss, abs=1e-5)
    prepare = Preparation(RECIPE, data)
    with torch.no_grad():
        images = prepare.floats(data.test.images)
        torch.testing.assert_close(packed.model.eval()(images), alone.model.eval()(images), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("attention", ATTENTION_KERNELS)
@pytest.mark.parametrize("preset", ["notebook", "tiny"])
def test_fifty_steps_equal_the_loop_for_every_seed(preset, attention, data):
    assert RECIPE.epochs * RECIPE.steps_per_epoch(len(data.train)) == STEPS
    recipe = RECIPE.replace(attention=attention, label_smoothing=0.1)
    for seed, packed in enumerate(fit_packed(PRESETS[preset], [recipe] * 3, data, range(3))):
        assert_alike(packed, fit(PRESETS[preset], recipe, data, seed), data)


def test_paths_of_every_model_are_dropped_as_if_it_were_alone(data):
    config = WELL.replace(depth=2, drop_path=0.5, layer_scale=0.1, norm="rmsnorm", chunking="spt")
    for seed, packed in enumerate(fit_packed(config, [RECIPE] * 2, data, range(2))):
        assert_alike(packed, fit(config, RECIPE, data, seed), data)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fifty_steps_in_float64_leave_no_weight_behind(optimizer):
    """Rounding is far below what Adam takes for a gradient there, so every single weight agrees."""
    config = PRESETS["tiny"].replace(positional="relative", pooling="map")
    recipe = RECIPE.replace(optimizer=optimizer)
    recipes = [recipe, recipe.replace(learning_rate=3e-3, weight_decay=1.0), recipe]
    apart = [initialised(config, seed).double() for seed in range(3)]
    model = stack(apart)
    together = PackedOptimizer(model, recipes)
    alone = [recipe.build_optimizer(own.parameters()) for recipe, own in zip(recipes, apart, strict=True)]
    draw = torch.Generator().manual_seed(0)
    for step in range(STEPS):
        images = torch.randn(3, 8, 1, 28, 28, generator=draw, dtype=torch.float64)
        labels = torch.randint(10, (3, 8), generator=draw)
        together.set_rates(step, STEPS)
        model.zero_grad()
        F.cross_entropy(model(images).flatten(0, 1), labels.flatten(), reduction="sum").div(8).backward()
        together.inner.step()
        for own, recipe, optimizer, x, y in zip(apart, recipes, alone, images, labels, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate_at(step, STEPS)
            optimizer.zero_grad()
            F.cross_entropy(own(x), y).backward()
            optimizer.step()
    for ours, theirs in zip(model.unstack(), apart, strict=True):
        for name, parameter in theirs.named_parameters():
            torch.testing.assert_close(ours.get_parameter(name), parameter, atol=1e-7, rtol=1e-7)


def test_every_model_may_have_its_own_rate_decay_and_replica(data):
    changes = [{}, {"learning_rate": 3e-3}, {"learning_rate": 3e-3, "weight_decay": 1.0}, {"replica": 1}, {}]
    recipes, seeds = [RECIPE.replace(**change) for change in changes], [5, 5, 5, 5, 2]
    for recipe, seed, packed in zip(recipes, seeds, fit_packed(WELL, recipes, data, seeds), strict=True):
        assert_alike(packed, fit(WELL, recipe, data, seed), data)


def test_neighbours_of_one_recipe_share_groups_and_equal_recipes_share_the_weights():
    model = stack([initialised(WELL, seed) for seed in range(3)])
    same = PackedOptimizer(model, [RECIPE, RECIPE.replace(replica=1), RECIPE])
    held = {id(p) for group in same.inner.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters()}
    other = RECIPE.replace(weight_decay=0.0)
    assert len(PackedOptimizer(model, [RECIPE, RECIPE, other]).inner.param_groups) == 2 * 2
    for group in same.inner.param_groups:  # a stacked vector is no matrix
        assert {p.ndim - 1 >= 2 for p in group["params"]} == {group["weight_decay"] > 0}


@pytest.mark.parametrize("rates", ["one rate", "rates of their own"])
def test_a_model_that_diverges_hurts_no_other(rates, data, monkeypatch):
    def broken(config, seed, init):
        model = initialised(config, seed, init)
        if seed == 1:
            torch.nn.init.constant_(model.head.weight, math.inf)
        return model

    monkeypatch.setattr(studies.training.steps.packed, "initialised", broken)
    recipes = [RECIPE, RECIPE, RECIPE.replace(learning_rate=1e-2 if rates == "one rate" else 5e-3)]
    first, second, third = fit_packed(WELL, recipes, data, range(3))
    assert isinstance(second, DivergedError)
    assert str(second) == "training loss is nan in epoch 1 of 2"
    assert_alike(first, fit(WELL, recipes[0], data, 0), data)
    assert_alike(third, fit(WELL, recipes[2], data, 2), data)


def test_a_pack_that_diverges_altogether_ends_at_once(data, monkeypatch):
    def broken(config, seed, init):
        model = initialised(config, seed, init)
        torch.nn.init.constant_(model.head.weight, math.inf)
        return model

    monkeypatch.setattr(studies.training.steps.packed, "initialised", broken)
    monkeypatch.setattr(studies.training.packed, "evaluate_packed", lambda *_: pytest.fail("there is nothing to score"))
    assert all(isinstance(result, DivergedError) for result in fit_packed(WELL, [RECIPE] * 2, data, [0, 1]))


@pytest.mark.parametrize(("reach", "flip"), [(0, False), (2, False), (0, True), (2, True)])
def test_a_pack_sees_the_batches_that_each_would_see_alone(reach, flip, data):
    recipe = RECIPE.replace(max_translation=reach, flip=flip)
    prepare = Preparation(recipe, data)
    packed, alone = ([(stream(s, "order"), stream(s, "augmentation")) for s in (3, 8)] for _ in range(2))
    for _epoch in range(2):  # the second goes on in the streams
        batches = list(packed_batches(prepare, recipe, packed))
        assert len(batches) == 25
        for m, (order, shifts) in enumerate(alone):
            shuffled = torch.randperm(500, generator=order)
            for i, (images, labels) in enumerate(batches):
                expected = prepare.batch(shuffled[20 * i : 20 * (i + 1)], shifts)
                assert torch.equal(images[m], expected[0])
                assert torch.equal(labels[m], expected[1])


def test_a_pack_is_scored_as_its_models_are(data):
    models = [initialised(WELL, seed) for seed in range(2)]
    prepare = Preparation(RECIPE, data)
    for ours, model in zip(evaluate_packed(stack(models), data.val, prepare), models, strict=True):
        theirs = evaluate(model, data.val, prepare)
        assert torch.equal(ours.correct, theirs.correct)
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)


@settings(max_examples=30)
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0.1, 0.5, 0.9])), min_size=1, max_size=3),
    st.booleans(),
)
def test_every_model_drops_what_it_would_drop_alone(count, calls, transposed):
    seeds = [7 * i + 1 for i in range(count)]
    inputs = [torch.randn(count * 2, 5, n).transpose(1, 2 if transposed else 1) for n, _ in calls]
    with OwnDropout(seeds):
        together = [F.dropout(x, p) for x, (_, p) in zip(inputs, calls, strict=True)]
    for i, seed in enumerate(seeds):
        with DropoutStream(seed, "cpu"):
            for x, (_, p), joint in zip(inputs, calls, together, strict=True):
                assert torch.equal(joint.chunk(count)[i], F.dropout(x.chunk(count)[i], p))


def test_dropout_of_attention_is_that_of_torch_alone():
    q, k, v = torch.randn(3, 2 * 3, 2, 5, 4)
    with OwnDropout([1, 2]):
        joint = F.scaled_dot_product_attention(q, k, v, attn_mask=None, dropout_p=0.5)
        assert torch.equal(F.dropout(q, 0.5, training=False), q)
    for i, seed in enumerate((1, 2)):
        with DropoutStream(seed, "cpu"):
            alone = F.scaled_dot_product_attention(*(x.chunk(2)[i] for x in (q, k, v)), dropout_p=0.5)
        torch.testing.assert_close(joint.chunk(2)[i], alone)
    assert derive(1, "dropout") != derive(2, "dropout")


def test_a_pack_leaves_the_global_state(data):
    before = torch.get_rng_state()
    fit_packed(WELL, [RECIPE] * 2, data, [0, 1])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("recipes", "seeds", "says"),
    [
        ([], [], "0 recipes for 0 seeds"),
        ([RECIPE], [0, 1], "1 recipes for 2 seeds"),
        ([RECIPE, RECIPE.replace(epochs=1)], [0, 1], "may differ in learning_rate, weight_decay and replica only"),
        ([RECIPE.replace(compile=True)], [0], "compile=True"),
    ],
)
def test_what_cannot_go_together_is_refused(recipes, seeds, says, data):
    compute = compute_of(WELL, (recipes or [RECIPE])[0], packed=True)
    with pytest.raises(ValueError, match=says):
        unhelped.fit_packed(WELL, recipes, data, seeds, compute)


def test_a_batch_larger_than_the_data_is_refused(data):
    with pytest.raises(RecipeError, match="batch_size=501 exceeds the 500"):
        fit_packed(WELL, [RECIPE.replace(batch_size=501)], data, [0])
