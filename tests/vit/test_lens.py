import math
from contextlib import suppress

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vit import ATTENTION_KERNELS, CHUNKINGS, POOLINGS, POSITIONALS, ViT, ViTConfig, lens
from vit.contract import combinations

BASE = ViTConfig(image_size=12, patch_size=3, num_classes=4, embed_dim=16, depth=2, num_heads=2, num_registers=1)
SQUARE = BASE.replace(image_size=16, patch_size=4)
EVERY = combinations(image_size=16, patch_size=4, in_channels=1, num_classes=4, num_registers=1)
CHUNKED = [SQUARE.replace(chunking=c) for c in CHUNKINGS] + [
    ViTConfig(image_size=(12, 8), patch_size=(3, 2), in_channels=3, num_classes=4, embed_dim=16),
    ViTConfig(image_size=6, patch_size=6, num_classes=4, embed_dim=16),
]


def name(config: ViTConfig) -> str:
    return f"{config.chunking}-{config.positional}-{config.pooling}-{config.num_patches}"


every = pytest.mark.parametrize("config", EVERY, ids=name)
chunked = pytest.mark.parametrize("config", CHUNKED, ids=name)


def built(config: ViTConfig) -> ViT:
    """A model that has learned something about every place: no parameter is near zero."""
    torch.manual_seed(0)
    model = ViT(config).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def shown(config: ViTConfig, count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(1)
    images = torch.rand(count, config.in_channels, *config.image_shape, generator=draws, dtype=torch.float64)
    return images, torch.arange(count) % config.num_classes


def is_distribution(rows: torch.Tensor) -> bool:
    sums = rows.sum(dim=-1)
    return bool((rows >= 0).all()) and torch.allclose(sums, torch.ones_like(sums))


# contracts of every component


@every
def test_rows_of_attention_sum_to_one(config):
    maps = lens.attention_maps(built(config), shown(config)[0])
    n = config.num_tokens
    assert maps.shape == (config.depth, 6, config.num_heads, n, n)
    assert is_distribution(maps)


@every
@pytest.mark.parametrize("kernel", ATTENTION_KERNELS)
def test_the_maps_are_those_of_the_forward_pass(config, kernel, monkeypatch):
    """Every block's own kernel must give what the maps say it gives."""
    model, (images, _) = built(config).eval(), shown(config)
    original, seen = ATTENTION_KERNELS[kernel], []

    def spy(q, k, v, bias, dropout):
        seen.append((v, original(q, k, v, bias, dropout)))
        return seen[-1][1]

    monkeypatch.setitem(ATTENTION_KERNELS, kernel, spy)
    model.use_attention(kernel)(images)
    monkeypatch.undo()
    for attention, (values, mixed) in zip(lens.attention_maps(model, images), seen, strict=True):
        # one row a head and query, also where the last block has them stand behind one another over the bare tokens
        mixed = mixed.flatten(1, 2)
        reads = mixed.shape[1] // attention.shape[1]
        torch.testing.assert_close((attention @ values)[:, :, :reads].flatten(1, 2), mixed)


@every
def test_rollout_is_a_distribution_over_patches(config):
    flow = lens.rollout(built(config), shown(config)[0])
    assert flow.shape == (6, config.num_patches)
    assert is_distribution(flow)


@every
def test_rollout_is_the_product_of_the_blocks(config):
    model, (images, _) = built(config).eval(), shown(config)
    product_ = torch.eye(config.num_tokens, dtype=torch.float64)
    for attention in lens.attention_maps(model, images).mean(dim=2):
        product_ = (0.5 * attention + 0.5 * torch.eye(config.num_tokens)) @ product_
    tokens = model.encode(model.embed(model.patches(images)))
    expected = torch.einsum("bi,bij->bj", lens.readout_weights(model, tokens), product_)
    expected = expected[:, config.num_prefix_tokens :]
    torch.testing.assert_close(lens.rollout(model, images), expected / expected.sum(dim=1, keepdim=True))


@every
def test_readout_attention_is_a_distribution(config):
    shares = lens.readout_attention(built(config), shown(config)[0])
    assert shares.shape == (config.depth, 6, config.num_heads, config.num_patches)
    assert is_distribution(shares)


@every
@pytest.mark.parametrize("of", ["logit", "loss"])
def test_the_gradient_is_that_of_finite_differences(config, of):
    model, (images, labels) = built(config).eval(), shown(config, 2)
    gradient = lens.input_gradient(model, images, labels, of)
    assert gradient.shape == images.shape
    for pixel in [(0, 0, 0, 0), (0, 0, 7, 5), (1, 0, 11, 11), (1, 0, 4, 9)]:
        step = torch.zeros_like(images)
        step[pixel] = 1e-5
        change = scores(model, images + step, labels, of) - scores(model, images - step, labels, of)
        torch.testing.assert_close(gradient[pixel], change[pixel[0]] / 2e-5, rtol=1e-5, atol=1e-9)


@torch.no_grad()
def scores(model, images, labels, of):
    logits = model(images)
    if of == "loss":
        return F.cross_entropy(logits, labels, reduction="none")
    return logits.gather(1, labels[:, None])[:, 0]


@every
def test_looking_leaves_the_model_as_it_was(config):
    model, (images, labels) = built(config).train().use_attention("sdpa"), shown(config)
    model.blocks[0].eval()
    model.head.weight.requires_grad_(False)
    model.head.bias.grad = torch.ones_like(model.head.bias)
    before = state(model)
    see_everything(model, images, labels)
    assert all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(before, state(model), strict=True)
    )


def state(model):
    modules = [(type(m), m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()]
    kernels = [block.attention.kernel for block in model.blocks]
    gradients = [(p.requires_grad, p.grad is None) for p in model.parameters()]
    values = [v.clone() for v in model.state_dict().values()]
    return [modules, kernels, gradients, torch.is_grad_enabled(), model.head.bias.grad.clone(), *values]


def see_everything(model, images, labels):
    wanted = sorted(set(labels.tolist()))
    lens.attention_maps(model, images)
    lens.readout_attention(model, images)
    lens.rollout(model, images)
    lens.attention_distance(model, images)
    lens.median_attention(model, images, labels, wanted)
    lens.input_gradient(model, images, labels)
    lens.label_gradients(model, images, labels, wanted)
    logits = lens.predict(model, images)
    lens.confusion(logits, labels)
    lens.worst_mistakes(logits, labels)
    for see in (lens.position_vectors, lens.position_similarity):
        with suppress(lens.NothingToSeeError):
            see(model)


@every
def test_everything_works_under_inference_mode(config):
    model, (images, labels) = built(config), shown(config)
    with torch.inference_mode():
        see_everything(model, images, labels)
        inside = lens.input_gradient(model, images, labels), lens.rollout(model, images)
    outside = lens.input_gradient(model, images, labels), lens.rollout(model, images)
    assert all(torch.equal(a, b) for a, b in zip(inside, outside, strict=True))


def test_a_model_that_fails_is_put_back_too():
    model = built(BASE).train()
    with pytest.raises(ValueError, match="this model takes"):
        lens.attention_maps(model, torch.rand(1, 1, 5, 5))
    assert all(module.training for module in model.modules())


def test_unscaled_images_are_refused():
    with pytest.raises(ValueError, match=r"torch\.uint8: give floats"):
        lens.rollout(built(BASE), torch.zeros(1, 1, 12, 12, dtype=torch.uint8))


# geometry


@chunked
def test_every_pixel_belongs_to_the_patch_that_holds_it(config):
    owner = lens.patch_of_pixel(config)
    assert owner.shape == config.image_shape
    assert owner.flatten().bincount().tolist() == [math.prod(config.patch_shape)] * config.num_patches
    images = lens.to_pixels(torch.arange(config.num_patches).double(), config).expand(1, config.in_channels, -1, -1)
    patches = CHUNKINGS[config.chunking].cell(images, *config.patch_shape)[0]
    assert torch.equal(patches, torch.arange(config.num_patches).double()[:, None].expand_as(patches))


@chunked
def test_to_pixels_keeps_leading_axes(config):
    values = torch.rand(2, 3, config.num_patches)
    painted = lens.to_pixels(values, config)
    assert painted.shape == (2, 3, *config.image_shape)
    area = math.prod(config.patch_shape)
    torch.testing.assert_close(painted.sum(dim=(2, 3)), values.sum(dim=2) * area)


def test_to_pixels_refuses_token_values():
    with pytest.raises(ValueError, match="must be the 16 patches"):
        lens.to_pixels(torch.rand(17), BASE)


def test_patch_centres_of_strips_and_tiles():
    strips = ViTConfig(image_size=(8, 6), chunking="horizontal", num_strips=4)
    assert lens.patch_centres(strips).tolist() == [[0.5, 2.5], [2.5, 2.5], [4.5, 2.5], [6.5, 2.5]]
    tiles = ViTConfig(image_size=4, patch_size=2)
    assert lens.patch_centres(tiles).tolist() == [[0.5, 0.5], [0.5, 2.5], [2.5, 0.5], [2.5, 2.5]]


# values known by hand


def still(config: ViTConfig) -> ViT:
    """Queries of zero: every token attends evenly to all tokens."""
    model = built(config)
    for block in model.blocks:
        torch.nn.init.zeros_(block.attention.qkv.weight)
        torch.nn.init.zeros_(block.attention.qkv.bias)
    return model


@pytest.mark.parametrize("chunking", CHUNKINGS)
def test_even_attention_looks_as_far_as_patches_lie_apart(chunking):
    config = SQUARE.replace(chunking=chunking)
    centres = lens.patch_centres(config).double()
    expected = torch.cdist(centres, centres).mean()
    found = lens.attention_distance(still(config), shown(config)[0], batch_size=4)
    assert found.shape == (2, 2)
    torch.testing.assert_close(found, expected.expand(2, 2), rtol=1e-6, atol=0)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_even_attention_rolls_out_evenly_up_to_the_readout_itself(pooling):
    config = BASE.replace(pooling=pooling)
    model, (images, _) = still(config).eval(), shown(config)
    tokens = model.encode(model.embed(model.patches(images)))
    readout = lens.readout_weights(model, tokens)[:, config.num_prefix_tokens :]
    expected = 0.25 * readout + 0.75 / config.num_tokens
    torch.testing.assert_close(lens.rollout(model, images), expected / expected.sum(dim=1, keepdim=True))


def test_readout_weights_of_the_poolings():
    tokens = torch.randn(3, BASE.num_tokens, 16, dtype=torch.float64)
    cls = lens.readout_weights(built(BASE), tokens)
    assert torch.equal(cls, F.one_hot(torch.zeros(3, dtype=torch.long), BASE.num_tokens).double())
    mean = lens.readout_weights(built(BASE.replace(pooling="mean")), tokens[:, 1:])
    torch.testing.assert_close(mean, torch.tensor([0.0] + [1 / 16] * 16).double().expand(3, -1))


def test_attention_pooling_reads_by_its_own_weights():
    model = built(BASE.replace(pooling="map"))
    tokens = torch.randn(3, model.config.num_tokens, 16, dtype=torch.float64)
    weights = lens.readout_weights(model, tokens)
    assert is_distribution(weights)
    assert (weights[:, 0] == 0).all()
    # with equal heads the pooled vector is the weighted sum of values
    pooling = model.pooling
    with torch.no_grad():
        pooling.query[1] = pooling.query[0]
        pooling.kv.weight[8:16] = pooling.kv.weight[0:8]
        pooling.kv.bias[8:16] = pooling.kv.bias[0:8]
        weights = lens.readout_weights(model, tokens)
        values = pooling.kv(tokens)[..., 16:]
        pooled = pooling.proj(torch.einsum("bn,bnd->bd", weights, values))
    torch.testing.assert_close(pooled, pooling(tokens))


@pytest.mark.parametrize("memory", [2**30, 2000, 1])
@pytest.mark.parametrize("count", [5, 6])
def test_the_median_is_exact_whatever_the_memory(memory, count):
    config = BASE.replace(pooling="mean", positional="relative")
    model, (images, _) = built(config), shown(config, count)
    labels = torch.tensor([1] * count)
    found = lens.median_attention(model, images, labels, [1], batch_size=4, memory=memory)[1]
    expected = np.median(lens.attention_maps(model, images).numpy(), axis=1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_medians_and_gradients_take_only_their_label():
    model, (images, labels) = built(BASE), shown(BASE, 8)
    medians = lens.median_attention(model, images, labels, [2, 0])
    assert list(medians) == [2, 0]
    alone = lens.median_attention(model, images[[0, 4]], torch.zeros(2), [0])[0]
    torch.testing.assert_close(medians[0], alone)
    heat = lens.label_gradients(model, images, labels, [2], batch_size=1)[2]
    both = lens.input_gradient(model, images[[2, 6]], torch.tensor([2, 2])).mean(dim=(0, 1)).float()
    torch.testing.assert_close(heat, both)
    for see in (lens.median_attention, lens.label_gradients):
        with pytest.raises(lens.NothingToSeeError, match=r"no image of label 3; there are \[0, 1, 2\]"):
            see(model, images[:3], labels[:3], [3])


def test_unknown_gradient_target():
    with pytest.raises(ValueError, match="unknown of='lodge'; choices: logit, loss"):
        lens.input_gradient(built(BASE), *shown(BASE), of="lodge")


# positions


@pytest.mark.parametrize("positional", POSITIONALS)
@pytest.mark.parametrize("chunking", CHUNKINGS)
def test_position_similarity_is_over_patches_or_has_a_reason(positional, chunking):
    config = SQUARE.replace(positional=positional, chunking=chunking)
    model = built(config)
    if positional == "none":
        with pytest.raises(lens.NothingToSeeError, match="'none' tells the model nothing"):
            lens.position_similarity(model)
        return
    found = lens.position_similarity(model)
    assert found.values.shape == (config.num_patches, config.num_patches)
    if found.kind != "bias":
        torch.testing.assert_close(found.values.diagonal(), torch.ones(config.num_patches).double())
        torch.testing.assert_close(found.values, found.values.T)


def test_which_hook_is_seen():
    kinds = {p: lens.position_similarity(built(BASE.replace(positional=p))).kind for p in POSITIONALS if p != "none"}
    assert kinds["learned"] == kinds["sinusoidal"] == kinds["sincos2d"] == "cosine"
    assert kinds["learned2d"] == "cosine"
    assert kinds["rope2d"] == kinds["rope2d_mixed"] == "rotation"
    assert kinds["relative"] == kinds["alibi2d"] == "bias"


def test_rotation_similarity_is_the_mean_over_unit_vectors():
    model = built(BASE.replace(positional="rope2d"))
    units = F.normalize(torch.randn(20_000, 1, 1, BASE.head_dim, dtype=torch.float64), dim=-1)
    turned = model.positional.rotate(units.expand(-1, 1, BASE.num_tokens, -1))
    sampled = torch.einsum("uhie,uhje->ij", turned, turned)[2:, 2:] / len(units)
    torch.testing.assert_close(lens.position_similarity(model).values, sampled, atol=0.01, rtol=0)


def test_position_vectors_are_what_is_added():
    model = built(BASE)
    assert torch.equal(lens.position_vectors(model), model.positional.embedding.weight[2:])
    for positional in ("none", "rope2d", "relative"):
        with pytest.raises(lens.NothingToSeeError, match=f"positional='{positional}' adds no vector"):
            lens.position_vectors(built(BASE.replace(positional=positional)))


# mistakes


def test_confusion_counts_real_against_predicted():
    logits = F.one_hot(torch.tensor([0, 1, 1, 2, 1]), 3).float()
    labels = torch.tensor([0, 1, 0, 2, 0])
    assert lens.confusion(logits, labels).tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 1]]


def test_worst_mistakes_come_first():
    logits = torch.tensor([[0.0, 5.0], [0.0, 9.0], [3.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 0, 1])
    worst = lens.worst_mistakes(logits, labels)
    assert [(m.index, m.predicted, m.real) for m in worst] == [(1, 1, 0), (0, 1, 0)]
    assert worst[0].loss == pytest.approx(9.000123, abs=1e-5)
    assert lens.worst_mistakes(logits, labels, count=1) == worst[:1]
    assert lens.worst_mistakes(logits[2:], labels[2:]) == []


def test_predict_is_the_forward_pass_in_evaluation_mode():
    model, (images, _) = built(BASE.replace(dropout=0.5)).train(), shown(BASE)
    logits = lens.predict(model, images, batch_size=4)
    torch.testing.assert_close(logits, model.eval()(images).detach())
