"""Models stacked on a leading axis compute what they compute alone; for every component see the contract."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad_and_value, stack_module_state

from studies.training.dropouts import OwnDropout
from studies.training.streams import initialised
from vit import ATTENTION_KERNELS, CHUNKINGS, POSITIONALS, ViT, ViTConfig
from vit.attention import Attention
from vit.mlp import ACTIVATIONS
from vit.positional import Positional
from vit.stacked import layers, narrow, stack

M, B = 3, 4


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(M, B, 3, 16, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kernel", ATTENTION_KERNELS)
def test_logits_are_those_of_the_models_alone_with_any_kernel(kernel, images):
    """Gradients, and every component, are in the contract."""
    apart = [model.use_attention(kernel) for model in models(CONFIG.replace(positional="relative", pooling="map"))]
    expected = torch.stack([model(x) for model, x in zip(apart, images, strict=True)])
    torch.testing.assert_close(stack(apart)(images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("chunking", CHUNKINGS)
def test_what_a_chunking_learns_is_stacked_too(chunking, images):
    apart = models(CONFIG.replace(chunking=chunking))
    expected = torch.stack([model(x) for model, x in zip(apart, images, strict=True)])
    torch.testing.assert_close(stack(apart)(images), expected, atol=1e-5, rtol=1e-5)


class Gated(Positional):
    """A user's scheme: every hook, a layer and a parameter of its own, a buffer that is not the same in all models."""

    def __init__(self, config):
        super().__init__(config)
        self.gate = nn.Linear(config.embed_dim, config.embed_dim)
        self.angle = nn.Parameter(torch.rand(config.head_dim))
        self.slopes = nn.Parameter(torch.rand(config.num_heads, 1, 1))
        self.register_buffer("noise", torch.randn(config.num_tokens, config.embed_dim))

    def add(self, tokens):
        return tokens * self.gate(tokens).sigmoid() + self.noise

    def rotate(self, heads):
        return heads * self.angle.cos()

    def bias(self):
        n = len(self.noise)
        return self.slopes * torch.arange(n).sub(torch.arange(n)[:, None]).abs()


CONFIG = ViTConfig(image_size=(16, 12), in_channels=3, num_classes=5, patch_size=4, embed_dim=16, depth=2, num_heads=2)


def models(config: ViTConfig, count: int = M) -> list[ViT]:
    return [initialised(config, seed) for seed in range(count)]


def test_a_component_that_nobody_knows_works_by_itself(images, monkeypatch):
    monkeypatch.setitem(POSITIONALS, "gated", Gated)
    apart = models(CONFIG.replace(positional="gated"))
    logits = stack(apart)(images)
    for i, model in enumerate(apart):
        torch.testing.assert_close(logits[i], model(images[i]), atol=1e-5, rtol=1e-5)


@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.fixed_dictionaries({name: st.booleans() for name in ("qkv_bias", "out_proj", "final_norm")}),
    st.sampled_from(list(ACTIVATIONS)),
    st.integers(0, 2),
)
def test_any_architecture_is_stacked(count, batch, switches, activation, registers):
    config = CONFIG.replace(**switches, activation=activation, num_registers=registers)
    apart, images = models(config, count), torch.randn(count, batch, 3, 16, 12)
    expected = torch.stack([model(x) for model, x in zip(apart, images, strict=True)])
    torch.testing.assert_close(stack(apart)(images), expected, atol=1e-5, rtol=1e-5)


def test_bfloat16_autocast_stays_near_that_of_one(images):
    apart = models(CONFIG.replace(positional="relative", pooling="map"))
    with torch.autocast("cpu", torch.bfloat16):
        logits = stack(apart)(images)
        expected = torch.stack([model(x) for model, x in zip(apart, images, strict=True)])
    torch.testing.assert_close(logits.float(), expected.float(), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("change", [{}, {"positional": "relative", "num_class_tokens": 2}, {"qkv_bias": False}])
def test_the_oracle_of_torch_func_agrees(change, images):
    """``vmap(grad_and_value(functional_call))``, torch's own way to train an ensemble, in float64."""
    apart, labels = [model.double() for model in models(CONFIG.replace(**change))], torch.randint(5, (M, B))
    stacked = stack(apart)
    losses = F.cross_entropy(stacked(images.double()).flatten(0, 1), labels.flatten(), reduction="none")
    losses = losses.view(M, B).mean(dim=1)
    losses.sum().backward()

    def loss(weights, x, y):
        return F.cross_entropy(functional_call(apart[0], weights, x), y)

    weights, _ = stack_module_state(apart)
    gradients, values = torch.vmap(grad_and_value(loss))(weights, images.double(), labels)
    torch.testing.assert_close(losses, values)
    for name, gradient in gradients.items():
        torch.testing.assert_close(stacked.body.get_parameter(name).grad, gradient)


def test_a_model_that_is_no_number_stays_alone(images):
    apart = models(CONFIG.replace(positional="relative", pooling="map"))
    torch.nn.init.constant_(apart[1].patch_embedding.weight, math.nan)
    stacked = stack(apart)
    logits = stacked(images)
    logits.square().sum().backward()
    assert logits.isnan().flatten(1).any(dim=1).tolist() == [False, True, False]
    for name, parameter in stacked.named_parameters():
        assert parameter.grad[[0, 2]].isfinite().all(), name


def test_unstacking_gives_the_models_back(images, monkeypatch):
    monkeypatch.setitem(POSITIONALS, "gated", Gated)
    for positional in ("gated", "relative", "rope2d"):
        apart = [model.use_attention("sdpa") for model in models(CONFIG.replace(positional=positional))]
        again = stack(apart).unstack()
        for model, twin in zip(apart, again, strict=True):
            assert twin.blocks[0].attention.kernel == "sdpa"
            assert twin.state_dict().keys() == model.state_dict().keys()
            assert all(torch.equal(twin.state_dict()[name], value) for name, value in model.state_dict().items())
        with torch.no_grad():
            again[0].head.weight.zero_()
        assert apart[0].head.weight.any()


def test_a_stack_answers_for_its_parts_what_their_attention_asks(monkeypatch):
    monkeypatch.setitem(POSITIONALS, "gated", Gated)
    for positional in ("gated", "learned"):
        apart = models(CONFIG.replace(positional=positional))
        one, body = apart[0], stack(apart).body
        assert body.positional.rotates() == one.positional.rotates() == (positional == "gated")


@pytest.mark.parametrize(
    ("change", "computed"), [({}, False), ({"positional": "rope2d"}, True), ({"qk_norm": True}, True)]
)
def test_the_few_queries_of_a_stack_need_no_keys_of_their_own(change, computed, images, monkeypatch):
    """As in a model alone: only what rotates or normalises them asks for keys."""
    asked = []
    split = Attention._split
    monkeypatch.setattr(Attention, "_split", lambda self, projected: asked.append(1) or split(self, projected))
    stack(models(CONFIG.replace(depth=1, **change)))(images)
    assert bool(asked) == computed


def test_stacking_copies_and_draws_nothing():
    apart, before = models(CONFIG), torch.get_rng_state()
    stacked = stack(apart)
    with torch.no_grad():
        for parameter in stacked.parameters():
            parameter.zero_()
    assert all(model.head.weight.any() for model in apart)
    stacked.unstack()
    assert torch.equal(torch.get_rng_state(), before)


class Forgetful(Positional):
    """Draws random numbers in training, and has a parameter that is not trained."""

    def __init__(self, config):
        super().__init__(config)
        self.drop = nn.Dropout(0.5)
        self.scale = nn.Parameter(torch.ones(1), requires_grad=False)

    def add(self, tokens):
        return self.drop(tokens) * self.scale


def test_a_component_that_draws_does_so_for_every_model_and_rests_in_evaluation(images, monkeypatch):
    monkeypatch.setitem(POSITIONALS, "forgetful", Forgetful)
    apart = models(CONFIG.replace(positional="forgetful"), 1) * 2
    stacked, twice = stack(apart), images[:1].expand(2, -1, -1, -1, -1)
    assert not stacked.body.get_parameter("positional.scale").requires_grad
    with OwnDropout([0, 1]):  # inside of vmap nobody knows whose draw it is
        first, second = stacked(twice)
    assert not torch.allclose(first, second)
    first, second = stacked.eval()(twice)
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(first, apart[0].eval()(images[0]), atol=1e-5, rtol=1e-5)


def test_what_cannot_be_stacked_is_refused(images):
    with pytest.raises(ValueError, match="0 models to stack"):
        stack([])
    with pytest.raises(ValueError, match="all of one configuration"):
        stack([initialised(CONFIG, 0), initialised(CONFIG.replace(depth=1), 0)])
    with pytest.raises(ValueError, match=r"expected \(3, b, c, h, w\)"):
        stack(models(CONFIG))(images[:2])
    odd = models(CONFIG)
    odd[0].blocks[0].register_parameter("scale", nn.Parameter(torch.ones(1)))
    with pytest.raises(TypeError, match=r"Block has parameters of its own \(scale\)"):
        stack(odd)


def test_gradients_of_narrow_layers_are_those_of_finite_differences():
    def normal(*shape):
        return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)

    x, weight, bias = (t.requires_grad_() for t in (normal(2, 5, 3), normal(2, 3), normal(2, 3)))
    assert torch.autograd.gradcheck(lambda *args: narrow.Norm.apply(*args, 1e-5), (x, weight, bias))
    wide, to_two = normal(2, 4, 3).requires_grad_(), normal(2, 4).requires_grad_()
    assert torch.autograd.gradcheck(narrow.Product.apply, (x, wide, to_two))
    assert torch.autograd.gradcheck(lambda x, w: narrow.Product.apply(x, w, None), (x, wide))
    assert torch.autograd.gradcheck(lambda w: narrow.Product.apply(x.detach(), w, None), (wide,))


@given(rows=st.integers(1, 5000))
def test_a_gradient_is_summed_in_equal_parts_that_are_not_too_short(rows):
    parts = narrow.num_parts(rows)
    assert rows % parts == 0
    assert parts == 1 or rows // parts >= narrow.PART


@pytest.mark.parametrize("fields", [{}, {"qk_norm": True, "pooling": "mean"}, {"qkv_bias": False, "num_registers": 2}])
def test_a_stack_of_narrow_layers_learns_as_the_models_alone(fields, images, monkeypatch):
    """What a GPU computes, here on a CPU, with parts so short that there are several."""
    for name in ("few_weights", "many_narrow_rows"):
        monkeypatch.setattr(layers, name, lambda *_: True)
    monkeypatch.setattr(narrow, "PART", 8)
    apart = models(CONFIG.replace(**fields))
    together = stack(apart)
    together(images).square().sum().backward()
    for i, model in enumerate(apart):
        model(images[i]).square().sum().backward()
        for name, parameter in model.named_parameters():
            stacked = together.body.get_parameter(name).grad[i]
            torch.testing.assert_close(stacked, parameter.grad, atol=1e-4, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")
