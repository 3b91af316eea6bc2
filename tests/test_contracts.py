"""What every registered component promises; one that registers itself is tested by itself."""

import inspect
import itertools

import pytest
import torch

from studies.streams import initialised
from studies.train import train_step
from vit import ATTENTION_KERNELS, CHUNKINGS, POOLINGS, POSITIONALS, ConfigError, ViTConfig

COMBINATIONS = list(itertools.product(CHUNKINGS, POSITIONALS, POOLINGS))
COMPONENTS = [
    pytest.param(component, id=name)
    for registry in (CHUNKINGS, POSITIONALS, POOLINGS)
    for name, component in registry.items()
]


def configure(chunking: str, positional: str, pooling: str, **changes) -> ViTConfig:
    shape = {"image_size": (16, 12), "in_channels": 3, "num_classes": 5, "patch_size": 4}
    size = {"embed_dim": 16, "depth": 2, "num_heads": 2, "num_registers": 1}
    chosen = {"chunking": chunking, "positional": positional, "pooling": pooling}
    try:
        return ViTConfig(**shape | size | chosen | changes)
    except ConfigError as refusal:
        pytest.skip(str(refusal))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 3, 16, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=COMBINATIONS, ids="-".join)
def config(request) -> ViTConfig:
    return configure(*request.param)


def test_no_combination_of_built_in_components_is_skipped_above():
    for chosen in itertools.product(
        ("horizontal", "vertical", "tiles"),
        ("none", "learned", "sinusoidal", "sincos2d", "rope2d", "relative"),
        ("cls", "mean", "map"),
    ):
        assert chosen in COMBINATIONS
        ViTConfig(**dict(zip(("chunking", "positional", "pooling"), chosen, strict=True)), patch_size=4)


def test_logits_are_finite_and_one_per_class(config, images):
    logits = initialised(config, 0)(images)
    assert logits.shape == (4, 5)
    assert logits.isfinite().all()


@pytest.mark.parametrize("kernel", ATTENTION_KERNELS)
def test_the_tokens_that_a_pooling_reads_are_all_it_needs(config, kernel, images):
    model = initialised(config, 0).use_attention(kernel)
    tokens = model.encode(model.embed(model.patches(images)))
    torch.testing.assert_close(model(images), model.head(model.pooling(tokens)))


def test_a_finite_gradient_that_is_not_zero_reaches_every_parameter(config, images):
    model = initialised(config, 0)
    train_step(model, torch.optim.SGD(model.parameters(), lr=0.0), images, torch.arange(4))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_the_state_dict_round_trips(config, images):
    model, twin = initialised(config, 0).eval(), initialised(config, 1).eval()
    assert not torch.equal(twin(images), model(images))
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(images), model(images))


@pytest.mark.parametrize("kernel", ATTENTION_KERNELS)
def test_bfloat16_autocast_stays_near_float32(config, kernel, images):
    model = initialised(config, 0).eval().use_attention(kernel)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(images)
    torch.testing.assert_close(logits.float(), model(images), atol=0.05, rtol=0.05)


def test_attention_kernels_agree(config, images):
    model = initialised(config, 0).eval()
    explicit, *others = (model.use_attention(kernel)(images) for kernel in ATTENTION_KERNELS)
    for logits in others:
        torch.testing.assert_close(logits, explicit, atol=1e-5, rtol=1e-5)


def test_an_image_is_scored_without_regard_to_its_batch(config, images):
    model = initialised(config, 0).eval()
    torch.testing.assert_close(model(images)[1:2], model(images[1:2]), atol=1e-5, rtol=1e-5)


def test_initial_weights_come_from_the_seed_alone(config):
    """A component whose parameters are drawn outside of ``reset_parameters`` would fail here."""
    torch.manual_seed(1)
    first = initialised(config, 0).state_dict()
    torch.manual_seed(2)
    second = initialised(config, 0).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("chunking", CHUNKINGS)
@pytest.mark.parametrize("positional", POSITIONALS)
def test_only_a_model_without_positions_overlooks_shuffled_patches(chunking, positional, images):
    model = initialised(configure(chunking, positional, "mean"), 0).double().eval()
    patches = model.patches(images.double())
    shuffled = patches[:, torch.randperm(patches.shape[1], generator=torch.Generator().manual_seed(3))]
    assert not torch.equal(shuffled, patches)
    change = (model.classify(shuffled) - model.classify(patches)).abs().max()
    assert change < 1e-12 if positional == "none" else change > 1e-6


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_first_docstring_line_is_a_sentence(component):
    assert component.__dict__.get("__doc__"), "a component needs a docstring of its own: the report's legend"
    first = inspect.cleandoc(component.__doc__).splitlines()[0]
    assert first[0].isupper()
    assert first.endswith(".")
    assert len(first.split()) >= 3
