import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from studies.training.recipe import OPTIMIZERS, SCHEDULES, Recipe, RecipeError
from vit import PRESETS, ViT


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", True),
        ("batch_size", 0),
        ("batch_size", "128"),
        ("learning_rate", -1e-3),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("weight_decay", -0.1),
        ("beta2", 1.0),
        ("beta2", -0.1),
        ("warmup", 1.1),
        ("label_smoothing", 1.5),
        ("label_smoothing", None),
        ("max_translation", -1),
        ("max_translation", 0.5),
    ],
)
def test_an_impossible_value_is_refused_by_name(field, value):
    with pytest.raises(RecipeError, match=f"^{field}={value!r} must be"):
        Recipe(**{field: value})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("optimizer", "adanw", "unknown optimizer 'adanw'; did you mean 'adamw'.*choices: adamw, adam"),
        ("schedule", "cosin", "unknown schedule 'cosin'; did you mean 'cosine'.*choices"),
    ],
)
def test_an_unknown_name_lists_the_choices(field, value, message):
    with pytest.raises(RecipeError, match=message):
        Recipe(**{field: value})


def test_replace_refuses_an_unknown_field_and_lists_the_fields():
    with pytest.raises(RecipeError, match=r"no field 'lr'; choices: .*learning_rate"):
        Recipe().replace(lr=1.0)


def test_replace_checks_the_result():
    with pytest.raises(RecipeError, match="epochs=0"):
        Recipe().replace(epochs=0)


@pytest.mark.parametrize(("images", "steps"), [(128, 1), (129, 1), (255, 1), (256, 2), (50_000, 390)])
def test_only_whole_batches_count(images, steps):
    assert Recipe(batch_size=128).steps_per_epoch(images) == steps


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(RecipeError, match="batch_size=128 exceeds the 127 training images"):
        Recipe(batch_size=128).steps_per_epoch(127)


@given(st.sampled_from(list(SCHEDULES)), st.integers(2, 200), st.floats(0, 1))
def test_the_rate_rises_to_the_peak_and_never_leaves_it_behind(schedule, steps, warmup):
    recipe = Recipe(schedule=schedule, warmup=warmup, learning_rate=0.5)
    rates = [recipe.learning_rate_at(step, steps) for step in range(steps)]
    rising = math.ceil(warmup * steps)
    assert all(0 < rate <= 0.5 for rate in rates)
    assert all(a < b for a, b in itertools.pairwise(rates[:rising]))
    assert all(a >= b for a, b in itertools.pairwise(rates[rising:]))


def test_the_peak_follows_the_warm_up():
    rates = [Recipe(warmup=0.1, learning_rate=1.0).learning_rate_at(step, 100) for step in range(100)]
    assert rates[:3] == pytest.approx([1 / 11, 2 / 11, 3 / 11])
    assert max(rates) == rates[10] == 1.0


@pytest.mark.parametrize(
    ("schedule", "half", "last"),
    [("constant", 1, 1), ("linear", 0.5, 0.01), ("cosine", 0.5, 0.00024672)],
)
def test_shapes_of_the_schedules(schedule, half, last):
    recipe = Recipe(schedule=schedule, warmup=0.0, learning_rate=1.0)
    assert recipe.learning_rate_at(0, 100) == 1.0
    assert recipe.learning_rate_at(50, 100) == pytest.approx(half)
    assert recipe.learning_rate_at(99, 100) == pytest.approx(last, rel=1e-3)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_vectors_do_not_decay_and_matrices_do(optimizer):
    model = ViT(PRESETS["tiny"])
    built = Recipe(optimizer=optimizer, weight_decay=0.3).build_optimizer(model.parameters())
    decay = {id(p): group["weight_decay"] for group in built.param_groups for p in group["params"]}
    assert len(decay) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        assert decay[id(parameter)] == (0.3 if parameter.ndim >= 2 else 0.0), name


def test_the_notebooks_adam_is_expressible():
    recipe = Recipe(
        optimizer="adam",
        learning_rate=3e-4,
        beta2=0.999,
        weight_decay=0.0,
        schedule="constant",
        warmup=0.0,
        batch_size=128,
        normalize=False,
    )
    ours, theirs = (nn.Linear(4, 4, dtype=torch.float64) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    built, plain = recipe.build_optimizer(ours.parameters()), torch.optim.Adam(theirs.parameters(), lr=3e-4)
    for step in range(5):
        inputs = torch.randn(8, 4, dtype=torch.float64) * 10**step  # so that the second moment's memory shows
        for model, optimizer in ((ours, built), (theirs, plain)):
            optimizer.zero_grad()
            model(inputs).square().sum().backward()
            optimizer.step()
        assert recipe.learning_rate_at(step, 5) == 3e-4
    torch.testing.assert_close(ours.weight, theirs.weight, atol=1e-12, rtol=0)
    torch.testing.assert_close(ours.bias, theirs.bias, atol=1e-12, rtol=0)


def test_the_default_optimizer_is_fused_adamw():
    built = Recipe().build_optimizer(nn.Linear(2, 2).parameters())
    assert type(built) is torch.optim.AdamW
    assert all(group["fused"] for group in built.param_groups)
