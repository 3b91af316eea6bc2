import pytest
import torch
import torch.nn.functional as F

from fitting import fit, fit_packed
from studies.training.compute import Compute
from studies.training.recipe import Recipe
from studies.training.steps.choice import step_of
from studies.training.steps.lowered import Lowered, lowered
from studies.training.streams import initialised
from vit import COMPONENTS, PRESETS

CONFIG = PRESETS["tiny"].replace(embed_dim=16, depth=2)
RECIPE = Recipe(batch_size=32, dtype="bfloat16")
ONE_STEP = 2**-8  # of bfloat16, relative


def batch(config=CONFIG):
    drawn = torch.Generator().manual_seed(0)
    return torch.rand(8, config.in_channels, *config.image_shape, generator=drawn), torch.arange(8) % 10


def test_float32_needs_no_twin():
    model = initialised(CONFIG, 0)
    assert lowered(model, torch.float32) is model


def test_the_twin_computes_in_bfloat16_with_the_weights_of_now():
    model, (images, _) = initialised(CONFIG, 0), batch()
    twin = Lowered(model, torch.bfloat16)
    before = twin(images)
    with torch.no_grad():
        model.head.bias += 1.0
    after = twin(images)
    assert before.dtype == torch.float32
    torch.testing.assert_close(after, before + 1.0, atol=0.02, rtol=ONE_STEP)
    torch.testing.assert_close(after, model(images), atol=0.05, rtol=0.05)
    assert {weight.dtype for weight in twin.twin.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_gradients_are_handed_over_in_float32_and_forgotten():
    model, (images, labels) = initialised(CONFIG, 0), batch()
    twin = Lowered(model, torch.bfloat16)
    F.cross_entropy(twin(images), labels).backward()
    expected = [low.grad.float() for low in twin.lowered]
    twin.hand_gradients()
    for weight, low, gradient in zip(model.parameters(), twin.lowered, expected, strict=True):
        assert torch.equal(weight.grad, gradient)
        assert low.grad is None


def test_what_is_frozen_gets_no_gradient():
    model, (images, labels) = initialised(CONFIG, 0), batch()
    model.patch_embedding.requires_grad_(False)
    twin = Lowered(model, torch.bfloat16)
    F.cross_entropy(twin(images), labels).backward()
    twin.hand_gradients()
    without = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert without == {"patch_embedding.weight", "patch_embedding.bias"}


def test_buffers_are_the_models_own():
    model = initialised(CONFIG.replace(positional="sinusoidal"), 0)
    twin = Lowered(model, torch.bfloat16).twin
    assert [a.data_ptr() for a in twin.buffers()] == [b.data_ptr() for b in model.buffers()] != []


def test_updates_smaller_than_a_step_of_bfloat16_are_not_lost():
    model, data = initialised(CONFIG, 0), batch()
    before = model.patch_embedding.weight.detach().clone()
    step, _ = step_of(
        model, RECIPE.replace(learning_rate=1e-6, weight_decay=0.0), Compute("explicit", "bfloat16", False), "cpu"
    )
    for _ in range(2):
        step(*data)
    moved = (model.patch_embedding.weight - before).abs()
    assert 0 < moved.max() < before.abs().max() * ONE_STEP / 10


@pytest.mark.parametrize(
    "change", [{field: name} for field, registry in COMPONENTS.items() for name in registry], ids=str
)
def test_every_component_trains_in_bfloat16_nearly_as_in_float32(change):
    config, losses = CONFIG.replace(**change), {}
    for dtype in ("float32", "bfloat16"):
        model, data = initialised(config, 0), batch(config)
        step, _ = step_of(model, RECIPE, Compute("explicit", dtype, False), "cpu")
        losses[dtype] = torch.stack([step(*data) for _ in range(3)])
    assert (losses["bfloat16"] != losses["float32"]).any()
    torch.testing.assert_close(losses["bfloat16"], losses["float32"], atol=0.05, rtol=0.05)


def test_a_pack_in_bfloat16_learns_what_its_models_learn_alone(small_mnist):
    recipes = [RECIPE.replace(epochs=1), RECIPE.replace(epochs=1, learning_rate=1e-2)]
    together = fit_packed(CONFIG, recipes, small_mnist, [0, 1])
    for recipe, seed, packed in zip(recipes, (0, 1), together, strict=True):
        alone = fit(CONFIG, recipe, small_mnist, seed)
        assert packed.curve[0].train_loss == pytest.approx(alone.curve[0].train_loss, rel=0.02)
