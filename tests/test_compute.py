import pytest
import torch

import studies.compute
from studies.compute import (
    COMPILE_FROM_STEPS,
    EXPLICIT_UP_TO_TOKENS,
    has_cpp_compiler,
    resolve,
)
from studies.recipe import Recipe, RecipeError
from studies.streams import initialised
from studies.train import train_step
from vit import ATTENTION_KERNELS, PRESETS

TINY = PRESETS["tiny"]


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_auto_is_resolved_on_every_device(device):
    chosen = resolve(TINY, Recipe(), device)
    assert chosen.attention in ATTENTION_KERNELS
    assert chosen.dtype in ("float32", "bfloat16")


def test_short_sequences_are_written_out_on_a_cpu_and_long_ones_are_fused():
    long = TINY.replace(image_size=224, patch_size=8)
    assert TINY.num_tokens < EXPLICIT_UP_TO_TOKENS < long.num_tokens
    assert resolve(TINY, Recipe(), "cpu").attention == "explicit"
    assert resolve(long, Recipe(), "cpu").attention == "sdpa"


@pytest.mark.parametrize("has", [True, False])
def test_wide_models_use_bfloat16_where_the_processor_has_it(monkeypatch, has):
    monkeypatch.setattr(studies.compute, "has_bfloat16", lambda device: has)
    wide = TINY.replace(embed_dim=192, num_heads=3)
    assert resolve(wide, Recipe(), "cpu").dtype == ("bfloat16" if has else "float32")
    assert resolve(PRESETS["notebook"], Recipe(), "cpu").dtype == "float32"


@pytest.mark.parametrize("has", [True, False])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_long_training_on_a_cpu_is_compiled_where_there_is_a_compiler(monkeypatch, has, device):
    monkeypatch.setattr(studies.compute, "has_cpp_compiler", lambda: has)
    assert not resolve(TINY, Recipe(), device, COMPILE_FROM_STEPS - 1).compile
    assert resolve(TINY, Recipe(), device, COMPILE_FROM_STEPS).compile == (has and device == "cpu")
    assert not resolve(TINY, Recipe(compile=False), device, COMPILE_FROM_STEPS).compile


def test_a_compiler_needs_pythons_headers(monkeypatch, tmp_path):
    monkeypatch.setattr(studies.compute.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(studies.compute.shutil, "which", lambda name: "/bin/g++" if name == "g++" else None)
    assert not has_cpp_compiler()
    (tmp_path / "Python.h").touch()
    assert has_cpp_compiler()
    monkeypatch.setattr(studies.compute.shutil, "which", lambda name: None)
    assert not has_cpp_compiler()


def test_a_recipe_forces_each_choice():
    forced = resolve(TINY, Recipe(attention="sdpa", dtype="bfloat16", compile=True), "cpu")
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
        losses.append(train_step(model, Recipe().build_optimizer(model.parameters()), images, labels, dtype=dtype))
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert losses[0] != losses[1]
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=0.02)
