"""Images that a model cannot take are refused by name; whatever it takes costs no look at a value."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call, stack_module_state

from vit import InputError, ViT, ViTConfig
from vit.stacked import stack

CONFIG = ViTConfig(image_size=(8, 12), in_channels=3, patch_size=4, embed_dim=8, depth=1, num_heads=2)
GREY = ViTConfig(image_size=8, patch_size=4, embed_dim=8, depth=1, num_heads=2)
GOOD = (2, 3, 8, 12)


@pytest.mark.parametrize(
    ("config", "shape", "message"),
    [
        (CONFIG, (0, 3, 8, 12), r"\(0, 3, 8, 12\): .*takes \(b, 3, 8, 12\); give a batch of at least one image"),
        (CONFIG, (0,), r"\(0,\): .*give a batch"),
        (CONFIG, (), r"shape \(\): .*give a batch"),
        (CONFIG, (3, 8, 12), r"one image alone use images\[None\]"),
        (CONFIG, (2, 8, 12, 3), r"come last use images\.permute\(0, 3, 1, 2\)"),
        (CONFIG, (2, 1, 8, 12), r"\(2, 1, 8, 12\): .*build a model of in_channels=1$"),
        (CONFIG, (2, 3, 12, 8), r"build a model of image_size=\(12, 8\)$"),
        (CONFIG, (2, 1, 9, 9), r"build a model of in_channels=1, image_size=\(9, 9\)$"),
        (GREY, (8, 8), r"use images\[None, None\]"),
        (GREY, (5, 8, 8), r"without an axis of channels use images\[:, None\]"),
        (GREY, (5, 8, 8, 1), r"use images\.permute"),
    ],
)
def test_another_shape_is_refused_with_the_fix(config, shape, message):
    with pytest.raises(InputError, match=message):
        ViT(config)(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_whole_numbers_are_refused_with_the_fix(dtype):
    images = torch.ones(GOOD, dtype=dtype)
    with pytest.raises(InputError, match=rf"{dtype}: .*torch\.float32; scale .*images\.to\(torch\.float32\) / 255"):
        ViT(CONFIG)(images)


@pytest.mark.parametrize("weights", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
def test_floats_that_do_not_go_together_are_refused_and_no_others(autocast, dtype, weights):
    model, images = ViT(CONFIG).to(weights), torch.ones(GOOD, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        if dtype == weights or (autocast and torch.float64 not in (dtype, weights)):
            assert model(images).shape == (2, 10)
        else:
            with pytest.raises(InputError, match=rf"{dtype}, weights {weights}: use images\.to\({weights}\)"):
                model(images)


def test_what_is_no_tensor_is_refused():
    for images, kind in ((torch.zeros(GOOD).numpy(), "ndarray"), ([torch.zeros(GOOD[1:])], "list")):
        with pytest.raises(InputError, match=f"images are {kind}, not a tensor"):
            ViT(CONFIG)(images)


def test_an_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError)


def test_patches_are_cut_from_any_type():
    for dtype in (torch.uint8, torch.float64):
        assert ViT(CONFIG).patches(torch.ones(GOOD, dtype=dtype)).dtype == dtype


def test_features_are_refused_alike():
    with pytest.raises(InputError, match=r"uint8"):
        ViT(CONFIG).forward_features(torch.ones(GOOD, dtype=torch.uint8))
    with pytest.raises(InputError, match=r"takes"):
        ViT(CONFIG).forward_features(torch.ones(2, 3, 8, 8))


def test_a_first_layer_without_weights_of_torchs_kind_is_left_alone():
    model = ViT(CONFIG).eval()
    expected = model(torch.ones(GOOD))
    layer = model.patch_embedding
    model.patch_embedding = nn.Module()
    model.patch_embedding.forward = layer.forward
    torch.testing.assert_close(model(torch.ones(GOOD)), expected)


def test_one_graph_holds_the_whole_model_with_its_checks():
    torch._dynamo.reset()
    model, sizes = ViT(CONFIG), (2, 3, 5)
    compiled = torch.compile(model, fullgraph=True, backend="eager", dynamic=True)
    for size in sizes:
        images = torch.randn(size, *GOOD[1:])
        torch.testing.assert_close(compiled(images), model(images))
    with torch.autocast("cpu", torch.bfloat16):
        assert compiled(torch.ones(GOOD, dtype=torch.bfloat16)).shape == (2, 10)


def test_a_batch_of_any_size_can_be_exported():
    model = ViT(CONFIG).eval()
    exported = torch.export.export(model, (torch.zeros(GOOD),), dynamic_shapes=({0: torch.export.Dim("b")},)).module()
    images = torch.randn(7, *GOOD[1:])
    torch.testing.assert_close(exported(images), model(images))


def test_models_mapped_by_torch_func_are_checked_alike():
    models = [ViT(CONFIG) for _ in range(3)]
    weights, _ = stack_module_state(models)
    mapped = torch.vmap(lambda weights, images: functional_call(models[0], weights, images))
    assert mapped(weights, torch.ones(3, *GOOD)).shape == (3, 2, 10)
    with pytest.raises(InputError, match="uint8"):
        mapped(weights, torch.ones(3, *GOOD, dtype=torch.uint8))


def test_a_stack_is_checked_alike():
    stacked = stack([ViT(CONFIG) for _ in range(3)])
    with pytest.raises(InputError, match="uint8"):
        stacked(torch.ones(3, *GOOD, dtype=torch.uint8))
    with pytest.raises(InputError, match="takes"):
        stacked(torch.ones(3, 2, 1, 8, 12))


def test_tensors_without_data_are_checked_alike():
    with FakeTensorMode():
        model = ViT(CONFIG)
        assert model(torch.zeros(GOOD)).shape == (2, 10)
        with pytest.raises(InputError, match="uint8"):
            model(torch.zeros(GOOD, dtype=torch.uint8))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: nox -s gpu")
def test_the_checks_wait_for_no_gpu():
    model, images = ViT(CONFIG).cuda(), torch.ones(GOOD, device="cuda")
    model(images)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = model(images)
    graph.replay()
    torch.testing.assert_close(logits, model(images))
