import pytest
import torch

import studies.training.compute
from studies.training.compute import COMPILE_FROM_STEPS, EXPLICIT_UP_TO_TOKENS, has_cpp_compiler, resolve
from studies.training.recipe import Recipe, RecipeError
from studies.training.steps.eager import train_step
from studies.training.steps.lowered import lowered
from studies.training.streams import initialised
from vit import ATTENTION_KERNELS, PRESETS, ViTConfig

TINY = PRESETS["tiny"]


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_auto_is_resolved_on_every_device(device):
    chosen = resolve(TINY, Recipe(), device, 1)
    assert chosen.attention in ATTENTION_KERNELS
    assert chosen.dtype in ("float32", "bfloat16")


@pytest.mark.parametrize("dtype", EXPLICIT_UP_TO_TOKENS)
def test_attention_of_short_sequences_is_written_out_and_of_long_ones_fused(dtype):
    long, recipe = TINY.replace(image_size=224, patch_size=8), Recipe(dtype=dtype)
    assert TINY.num_tokens < EXPLICIT_UP_TO_TOKENS[dtype] < long.num_tokens
    assert resolve(TINY, recipe, "cpu", 1).attention == "explicit"
    assert resolve(long, recipe, "cpu", 1).attention == "sdpa"
    assert resolve(TINY, recipe, "cuda", 1).attention == ("explicit" if dtype == "float32" else "sdpa")
    assert resolve(long, recipe, "cuda", 1).attention == "sdpa"


LONG_SEQUENCES = [  # width, side of a tile, batch, what was fastest on AMD Zen 5
    (32, 4, 128, ("bfloat16", "explicit")),
    (64, 4, 128, ("bfloat16", "explicit")),
    (192, 4, 64, ("bfloat16", "explicit")),
    (192, 2, 16, ("bfloat16", "explicit")),
    (16, 2, 128, ("float32", "sdpa")),
    (32, 2, 32, ("float32", "sdpa")),
    (32, 2, 128, ("float32", "sdpa")),
    (64, 2, 16, ("float32", "sdpa")),
    (64, 2, 32, ("float32", "sdpa")),
]


@pytest.mark.parametrize(("width", "patch", "batch", "fastest"), LONG_SEQUENCES)
def test_sequences_long_for_their_width_are_fused_in_float32(monkeypatch, width, patch, batch, fastest):
    monkeypatch.setattr(studies.training.compute, "has_bfloat16", lambda device: True)
    config = ViTConfig(patch_size=patch, embed_dim=width, num_heads=2)
    chosen = resolve(config, Recipe(batch_size=batch), "cpu", 1)
    assert (chosen.dtype, chosen.attention) == fastest


@pytest.mark.parametrize("has", [True, False])
def test_wide_models_use_bfloat16_where_the_processor_has_it(monkeypatch, has):
    monkeypatch.setattr(studies.training.compute, "has_bfloat16", lambda device: has)
    wide = TINY.replace(embed_dim=192, num_heads=3)
    assert resolve(wide, Recipe(), "cpu", 1).dtype == ("bfloat16" if has else "float32")
    assert resolve(PRESETS["notebook"], Recipe(), "cpu", 1).dtype == "float32"


STRIPS, TILES = {"chunking": "horizontal", "num_strips": 4}, {"chunking": "tiles", "patch_size": 7}
INTEL_WITH_AMX = [  # width, chunking, batch, bfloat16's speed over float32's, one thread, explicit attention
    (32, STRIPS, 128, 0.78),
    (32, TILES, 128, 0.82),
    (64, STRIPS, 128, 0.81),
    (64, TILES, 128, 1.13),
    (192, STRIPS, 128, 1.7),
    (192, TILES, 128, 2.1),
]
AMD_ZEN_5 = [
    (32, STRIPS, 512, 0.97),
    (32, TILES, 128, 0.94),
    (32, TILES, 512, 1.24),
    (64, STRIPS, 128, 0.93),
    (64, STRIPS, 512, 1.29),
    (64, TILES, 32, 0.92),
    (64, TILES, 128, 1.26),
    (128, STRIPS, 32, 0.92),
    (128, STRIPS, 128, 1.28),
    (128, TILES, 32, 1.09),
]


@pytest.mark.parametrize(("width", "chunking", "batch", "gain"), [*INTEL_WITH_AMX, *AMD_ZEN_5])
def test_bfloat16_is_chosen_where_it_was_measured_to_be_faster_on_either_processor(
    monkeypatch, width, chunking, batch, gain
):
    monkeypatch.setattr(studies.training.compute, "has_bfloat16", lambda device: True)
    chosen = resolve(ViTConfig(embed_dim=width, num_heads=2, **chunking), Recipe(batch_size=batch), "cpu", 1)
    assert chosen.dtype == ("bfloat16" if gain > 1.0 else "float32")


def test_a_gpu_is_asked_for_bfloat16_by_width_alone(monkeypatch):
    monkeypatch.setattr(studies.training.compute, "has_bfloat16", lambda device: True)
    narrow, wide = (TINY.replace(embed_dim=width, num_heads=1) for width in (32, 64))
    assert resolve(narrow, Recipe(batch_size=4096), "cuda", 1).dtype == "float32"
    assert resolve(wide, Recipe(batch_size=1), "cuda", 1).dtype == "bfloat16"


@pytest.mark.parametrize("has", [True, False])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_long_training_on_a_cpu_is_compiled_where_there_is_a_compiler(monkeypatch, has, device):
    monkeypatch.setattr(studies.training.compute, "has_cpp_compiler", lambda: has)
    assert not resolve(TINY, Recipe(), device, COMPILE_FROM_STEPS - 1).compile
    assert resolve(TINY, Recipe(), device, COMPILE_FROM_STEPS).compile == (has and device == "cpu")
    assert not resolve(TINY, Recipe(compile=False), device, COMPILE_FROM_STEPS).compile
    assert not resolve(TINY, Recipe(), device, COMPILE_FROM_STEPS, packed=True).compile


def test_a_compiler_needs_pythons_headers(monkeypatch, tmp_path):
    monkeypatch.setattr(studies.training.compute.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(studies.training.compute.shutil, "which", lambda name: "/bin/g++" if name == "g++" else None)
    assert not has_cpp_compiler()
    (tmp_path / "Python.h").touch()
    assert has_cpp_compiler()
    monkeypatch.setattr(studies.training.compute.shutil, "which", lambda name: None)
    assert not has_cpp_compiler()


def test_a_recipe_forces_each_choice():
    forced = resolve(TINY, Recipe(attention="sdpa", dtype="bfloat16", compile=True), "cpu", 1)
    assert (forced.attention, forced.dtype, forced.compile) == ("sdpa", "bfloat16", True)


@pytest.mark.parametrize("change", [{"attention": "flash"}, {"dtype": "float16"}, {"compile": "yes"}])
def test_unknown_choices_are_refused_by_name(change):
    with pytest.raises(RecipeError, match=next(iter(change))):
        Recipe(**change)


def test_a_bfloat16_step_is_close_to_a_float32_step_and_keeps_float32_weights():
    images, labels = torch.rand(16, 1, 28, 28), torch.arange(16) % 10
    losses = []
    for dtype in (torch.float32, torch.bfloat16):
        model = initialised(TINY, seed=0)
        optimizer = Recipe().build_optimizer(model.parameters())
        losses.append(train_step(lowered(model, dtype), optimizer, images, labels))
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert losses[0] != losses[1]
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=0.02)
