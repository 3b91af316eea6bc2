"""Weights of other libraries, and ours in them: logits of the real libraries against ours."""

import json
import re
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import vit
from bench.libraries import foreign
from bench.notebook_loop import NotebookNet
from vit import ViT, ViTConfig
from vit.interop import SOURCES, InteropError, export_weights, load_weights, transfer
from vit.presets import PRESETS

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12)}
EXPORTS = [
    ("timm", {}),
    ("timm", {"pooling": "mean", "num_registers": 2}),
    ("timm", {"chunking": "vertical", "pooling": "mean", "positional": "none", "final_norm": False}),
    ("timm", {"chunking": "horizontal", "patch_size": 4, "positional": "sincos2d", "qkv_bias": False}),
    ("timm", {"num_registers": 3, "in_channels": 3, "out_proj": False, "activation": "relu"}),
    ("timm", {"image_size": (28, 14), "positional": "sinusoidal", "norm_eps": 1e-3}),
    ("transformers", {}),
    ("transformers", {"positional": "none", "in_channels": 3, "qkv_bias": False}),
    ("transformers", {"chunking": "horizontal", "out_proj": False, "activation": "relu", "norm_eps": 1e-3}),
]


@pytest.fixture(scope="module")
def libraries():
    """The real ones; torchvision, which they import, needs a hand beside a torch for CPUs."""
    return {name: foreign(name) for name in ("timm", "transformers")}


def drawn(model: nn.Module, seed: int = 0) -> nn.Module:
    """No tensor of it is zero, one or a copy of another: a tensor in the wrong place changes the logits."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(spread * parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 1 + 0.3 * spread)
    return model.eval()


def timm_model(libraries, dim, depth, heads, **more):
    return drawn(libraries["timm"].models.vision_transformer.VisionTransformer(
        embed_dim=dim, depth=depth, num_heads=heads, num_classes=7, **more))  # fmt: skip


def transformers_model(libraries, **settings):
    library = libraries["transformers"]
    return drawn(library.ViTForImageClassification(library.ViTConfig(**settings)))


@pytest.mark.parametrize("size", ["tiny", "small", pytest.param("base", marks=pytest.mark.slow)])
@torch.no_grad()
def test_timm_of_every_size(libraries, size):
    theirs = timm_model(libraries, *SIZES[size])
    ours = load_weights(theirs.state_dict(), "timm")
    assert (ours.config.embed_dim, ours.config.depth, ours.config.num_heads) == SIZES[size]
    images = torch.randn(1, 3, 224, 224)
    torch.testing.assert_close(ours(images), theirs(images), **CLOSE)


@pytest.mark.parametrize("size", ["tiny", "small"])
@torch.no_grad()
def test_transformers(libraries, size):
    dim, depth, heads = SIZES[size]
    theirs = transformers_model(libraries, hidden_size=dim, num_hidden_layers=depth, num_attention_heads=heads,
                                intermediate_size=4 * dim, num_labels=7)  # fmt: skip
    ours = load_weights(theirs.state_dict(), "transformers")
    images = torch.randn(2, 3, 224, 224)
    torch.testing.assert_close(ours(images), theirs(images).logits, **CLOSE)


@torch.no_grad()
def test_checkpoints_of_transformers_4_have_other_names(libraries, tmp_path):
    theirs = transformers_model(libraries, hidden_size=64, num_hidden_layers=2, num_attention_heads=1,
                                intermediate_size=128, image_size=32, patch_size=8)  # fmt: skip
    _, state = export_weights(load_weights(theirs.state_dict(), "transformers"), "transformers")
    assert "vit.encoder.layer.0.attention.attention.query.weight" in state
    again = load_weights(state, "transformers")
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(again(images), theirs(images).logits, **CLOSE)


@torch.no_grad()
def test_registers_and_positions_of_patches_alone(libraries):
    theirs = timm_model(libraries, 64, 2, 1, img_size=32, patch_size=8, in_chans=1, reg_tokens=4, no_embed_class=True)
    ours = load_weights(theirs.state_dict(), "timm", image_size=32)
    images = torch.randn(3, 1, 32, 32)
    torch.testing.assert_close(ours(images), theirs(images), **CLOSE)


@torch.no_grad()
def test_the_mean_of_timm(libraries):
    sizes = {"img_size": 32, "patch_size": 8, "in_chans": 1, "class_token": False, "global_pool": "avg"}
    theirs = timm_model(libraries, 64, 2, 1, fc_norm=False, **sizes)
    ours = load_weights(theirs.state_dict(), "timm")
    assert ours.config.pooling == "mean"
    images = torch.randn(3, 1, 32, 32)
    torch.testing.assert_close(ours(images), theirs(images), **CLOSE)
    with pytest.raises(InteropError, match="fc_norm"):
        load_weights(timm_model(libraries, 64, 2, 1, **sizes).state_dict(), "timm")


@torch.no_grad()
def test_the_notebook():
    theirs = drawn(NotebookNet(PRESETS["notebook"]))
    ours = load_weights(theirs.state_dict(), "notebook")
    assert ours.config == PRESETS["notebook"]
    images = torch.rand(5, 1, 28, 28)
    torch.testing.assert_close(ours(images), theirs(images), **CLOSE)


def built(libraries, to, arguments, state, eps, folder):
    """The model that a person gets in the other library, as its guide says."""
    if to == "timm":
        build = libraries["timm"].models.vision_transformer.VisionTransformer
        theirs = build(**arguments, norm_layer=partial(nn.LayerNorm, eps=eps))
        theirs.load_state_dict(state)
        return theirs.eval()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({"model_type": "vit", **arguments}))
    theirs = libraries["transformers"].ViTForImageClassification.from_pretrained(folder).eval()
    return lambda images: theirs(images).logits


@pytest.mark.parametrize(("to", "fields"), EXPORTS, ids=str)
@torch.no_grad()
def test_ours_in_theirs(libraries, to, fields, tmp_path):
    ours = drawn(ViT(**{"embed_dim": 64, "depth": 2, "num_heads": 2, **fields}))
    theirs = built(libraries, to, *export_weights(ours, to), ours.config.norm_eps, tmp_path)
    images = torch.randn(3, ours.config.in_channels, *ours.config.image_shape)
    torch.testing.assert_close(theirs(images), ours(images), **CLOSE)


@pytest.mark.parametrize(
    ("to", "fields", "why"),
    [
        ("timm", {"positional": "rope2d"}, "acts inside attention"),
        ("timm", {"positional": "relative"}, "acts inside attention"),
        ("timm", {"pooling": "map"}, "pooling='map'"),
        ("transformers", {"pooling": "mean"}, "choices: cls"),
        ("transformers", {"num_registers": 2}, "choices: 0"),
        ("notebook", {}, "a source only"),
    ],
)
def test_what_has_no_counterpart_is_refused(to, fields, why):
    with pytest.raises(InteropError, match=why):
        export_weights(ViT(**fields), to)


@pytest.mark.parametrize("name", SOURCES)
def test_other_peoples_tensors_are_refused_by_name(name):
    with pytest.raises(InteropError, match="no tensor"):
        load_weights({"layer1.weight": torch.zeros(3, 3)}, name)


def test_a_tensor_that_is_left_over_is_named():
    _, state = export_weights(ViT(), "timm")
    with pytest.raises(InteropError, match=r"blocks\.0\.ls1\.gamma has no place"):
        load_weights(state | {"blocks.0.ls1.gamma": torch.ones(64)}, "timm", ViTConfig())
    with pytest.raises(InteropError, match=r"head.bias is \(3,\), expected \(10,\)"):
        load_weights(state | {"head.bias": torch.ones(3)}, "timm", ViTConfig())


class TestTransfer:
    def test_the_same_configuration_is_copied_whole(self):
        source, target = drawn(ViT(depth=2)), ViT(depth=2)
        told = transfer(source, target)
        assert not told.resampled
        assert not told.kept
        images = torch.rand(2, 1, 28, 28)
        assert torch.equal(source(images), target(images))

    def test_positions_of_another_grid_are_resampled(self):
        source = drawn(ViT(depth=2, image_size=28, patch_size=7))
        target = ViT(depth=2, image_size=56, patch_size=7)
        told = transfer(source, target)
        assert told.resampled == ("positional.embedding.weight",)
        prefix, grid = target.positional.embedding.weight[:1], target.positional.embedding.weight[1:]
        assert torch.equal(prefix, source.positional.embedding.weight[:1])
        coarse = grid.unflatten(0, (8, 8)).unfold(0, 2, 2).unfold(1, 2, 2).mean((-1, -2)).flatten(0, 1)
        near = torch.nn.functional.cosine_similarity(coarse, source.positional.embedding.weight[1:])
        assert near.min() > 0.9  # the mean of four new positions lies where the old one was

    def test_constant_positions_stay_constant(self):
        source, target = ViT(depth=1, image_size=32, patch_size=8), ViT(depth=1, image_size=24, patch_size=8)
        with torch.no_grad():
            source.positional.embedding.weight.fill_(2.0)
        transfer(source, target)
        torch.testing.assert_close(target.positional.embedding.weight, torch.full((10, 64), 2.0))

    def test_another_head_and_other_patches_keep_what_they_had(self):
        source, target = drawn(ViT(depth=2)), ViT(depth=2, num_classes=4, patch_size=14, positional="none")
        before = target.patch_embedding.weight.clone()
        told = transfer(source, target)
        assert set(told.kept) == {"patch_embedding.weight", "patch_embedding.bias", "head.weight", "head.bias"}
        assert torch.equal(before, target.patch_embedding.weight)
        assert torch.equal(source.blocks[1].mlp[0].weight, target.blocks[1].mlp[0].weight)

    def test_other_blocks_are_refused(self):
        with pytest.raises(InteropError, match=r"blocks of the two models differ: blocks.0"):
            transfer(ViT(embed_dim=32), ViT(embed_dim=64))


def test_the_block_of_the_page_runs():
    page = Path(vit.__file__).parents[1] / "docs" / "weights.md"
    (block,) = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(compile(block, page.name, "exec"), {})
