import dataclasses

import pytest
import torch

from fitting import compute_of, fit
from studies.training.compute import has_cpp_compiler
from studies.training.recipe import ELEMENTWISE, OPTIMIZERS, Recipe
from studies.training.steps.choice import step_of
from studies.training.steps.compiled import COMPILED_PROGRAMS, CompiledStep, compiled_program
from studies.training.streams import initialised
from vit import COMPONENTS, PRESETS
from vit.contract.covering import FURTHER

needs_compiler = pytest.mark.skipif(not has_cpp_compiler(), reason="needs a C++ compiler and Python's headers")
CONFIG = PRESETS["notebook"].replace(dropout=0.0, attention_dropout=0.0, embed_dim=8, depth=1)
RECIPE = Recipe(learning_rate=1e-3, batch_size=32, label_smoothing=0.1, weight_decay=0.3)


@pytest.fixture
def interpreted(monkeypatch):
    """Programs run as they are written, without the compiler."""
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    compiled_program.cache_clear()
    yield
    compiled_program.cache_clear()


def trained(config, recipe, compile, steps=3, seed=0):
    """The model after some steps, and its losses."""
    model = initialised(config, seed)
    compute = dataclasses.replace(compute_of(config, recipe), compile=compile)
    step, _ = step_of(model, recipe, compute, "cpu")
    drawn = torch.Generator().manual_seed(0)
    shape = (config.in_channels, *config.image_shape)
    batches = [(torch.rand(8, *shape, generator=drawn), torch.arange(8) % 10) for _ in range(steps)]
    return model, torch.stack([step(*batch) for batch in batches])


def alike(config, recipe, **tolerances):
    (compiled, losses), (eager, expected) = (trained(config, recipe, compile) for compile in (True, False))
    torch.testing.assert_close(losses, expected, **tolerances)
    for (name, ours), theirs in zip(compiled.named_parameters(), eager.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, **tolerances, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_program_updates_as_the_eager_step_does(optimizer):
    alike(CONFIG, RECIPE.replace(optimizer=optimizer), atol=1e-6, rtol=1e-4)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(
    "change",
    [{field: name} for field, registry in COMPONENTS.items() for name in registry]
    + [{name: level} for name, levels in FURTHER.items() for level in levels[1:] if name != "drop_path"],
    ids=str,
)
def test_every_component_can_stand_in_a_program(change):
    alike(CONFIG.replace(**change), RECIPE, atol=1e-6, rtol=1e-4)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("optimizer", [ELEMENTWISE[0], "muon"])
def test_a_compiled_step_is_an_eager_step(optimizer):
    alike(CONFIG, RECIPE.replace(optimizer=optimizer), atol=1e-4, rtol=1e-3)
    assert torch._dynamo.config.recompile_limit == COMPILED_PROGRAMS


@pytest.mark.slow
@needs_compiler
def test_a_compiled_training_can_be_repeated_dropout_included_and_seeds_share_the_program(small_mnist):
    config = CONFIG.replace(dropout=0.1)
    recipe = RECIPE.replace(epochs=1, compile=True)
    compiled_program.cache_clear()
    first, other, again = (fit(config, recipe, small_mnist, seed) for seed in (0, 1, 0))
    assert first.curve[0].train_loss == again.curve[0].train_loss != other.curve[0].train_loss
    assert first.curve[0].val_loss == again.curve[0].val_loss
    assert compiled_program.cache_info().misses == 1
    assert first.compile_seconds > 10 * again.compile_seconds > 0
    assert first.model is not again.model


@pytest.mark.usefixtures("interpreted")
def test_preparing_a_step_updates_and_draws_nothing():
    model = initialised(CONFIG.replace(dropout=0.5), 0)
    step = CompiledStep(model, RECIPE, compute_of(CONFIG, RECIPE))
    images, labels = torch.rand(4, 1, 28, 28), torch.arange(4)
    before, state = [p.detach().clone() for p in model.parameters()], torch.get_rng_state()
    assert step.prepare(images, labels) > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


@pytest.mark.usefixtures("interpreted")
def test_an_optimizer_that_looks_at_values_only_has_one_parameter_a_group():
    for name in OPTIMIZERS:
        model = initialised(CONFIG, 0)
        recipe = RECIPE.replace(optimizer=name)
        step = CompiledStep(model, recipe, compute_of(CONFIG, recipe))
        counts = [len(group["params"]) for group in step.optimizer.param_groups]
        assert (counts == [1, 1]) == (name in ELEMENTWISE)
        assert [group["weight_decay"] for group in step.optimizer.param_groups] == [0.3, 0.0]
