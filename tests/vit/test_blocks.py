"""Parts of a block: norms, activations, layer scale, drop path."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vit import ACTIVATIONS, NORMS, ViT, ViTConfig
from vit.branch import DropPath, LayerScale, drop_path_at
from vit.mlp import Mlp
from vit.model import Block

CONFIG = ViTConfig(image_size=8, patch_size=4, embed_dim=12, num_heads=3, depth=4)


def drawn(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def test_norms_are_what_their_formulas_say():
    tokens = 3 + 10 * torch.randn(2, 5, 12)
    layer, rms, dyt = (drawn(NORMS[name].build(12, 1e-5)) for name in ("layernorm", "rmsnorm", "dyt"))
    centred = tokens - tokens.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    torch.testing.assert_close(layer(tokens), centred / (variance + 1e-5).sqrt() * layer.weight + layer.bias)
    size = (tokens.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(rms(tokens), tokens / size * rms.weight)
    torch.testing.assert_close(dyt(tokens), (dyt.slope * tokens).tanh() * dyt.weight + dyt.bias)


@pytest.mark.parametrize("norm", NORMS)
def test_every_norm_of_a_model_is_of_the_kind(norm):
    model = ViT(CONFIG, norm=norm, qk_norm=True)
    kind, block = type(NORMS[norm].build(12, 1e-5)), model.blocks[0]
    found = (model.norm, block.norm1, block.norm2, block.attention.q_norm, block.attention.k_norm)
    assert [type(part) for part in found] == [kind] * 5
    assert not any(isinstance(part, nn.LayerNorm) for part in model.modules()) or norm == "layernorm"


def test_dynamic_tanh_begins_at_half_the_slope():
    assert torch.equal(NORMS["dyt"].build(3, 0.0)(torch.ones(3)), torch.tensor([0.5] * 3).tanh())


def test_swiglu_gates_and_has_the_parameters_of_an_mlp_without_gate():
    config = CONFIG.replace(embed_dim=48, mlp_ratio=4.0)
    plain, gated = Mlp(config), Mlp(config.replace(activation="swiglu"))
    assert (gated[0].out_features, gated[2].in_features) == (2 * 128, 128)
    weights = [sum(p.numel() for p in mlp.parameters() if p.ndim > 1) for mlp in (plain, gated)]
    assert weights[0] == weights[1]
    tokens = torch.randn(2, 5, 48)
    opening, values = gated[0](tokens).split(128, dim=-1)
    torch.testing.assert_close(gated(tokens), gated[2](opening * opening.sigmoid() * values))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_hidden_unit_is_enough(activation):
    assert Mlp(CONFIG.replace(mlp_ratio=1 / 12, activation=activation))(torch.ones(1, 12)).shape == (1, 12)


def test_layer_scale_begins_small_and_scales_both_branches():
    block = Block(CONFIG.replace(layer_scale=0.1), 0)
    scheme, tokens = ViT(CONFIG).positional, torch.randn(2, 5, 12)
    assert torch.equal(block.scale1.weight, torch.full((12,), 0.1))
    attended = tokens + 0.1 * block.attention(block.norm1(tokens), scheme)
    torch.testing.assert_close(block(tokens, scheme), attended + 0.1 * block.mlp(block.norm2(attended)))
    assert LayerScale(3, 1e-4).weight.tolist() == pytest.approx([1e-4] * 3)


def test_drop_path_leaves_out_whole_examples_and_keeps_the_mean():
    torch.manual_seed(0)
    drop, branch = DropPath(0.25), torch.ones(4000, 2, 3)
    kept = drop(branch)
    per_example = kept.flatten(1)
    assert torch.equal(per_example, per_example[:, :1].expand(-1, 6))
    assert kept.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert (kept == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(drop.eval()(branch), branch)
    low = drop.train()(branch.bfloat16())
    assert low.dtype == torch.bfloat16
    assert low.max().item() == torch.tensor(1 / 0.75).bfloat16().item()


def test_later_blocks_are_dropped_more_often():
    assert [drop_path_at(i, 4, 0.2) for i in range(4)] == pytest.approx([0.05, 0.1, 0.15, 0.2])
    model = ViT(CONFIG, drop_path=0.2)
    for name in ("drop_path1", "drop_path2"):
        drops = [block.get_submodule(name) for block in model.blocks]
        assert [drop.probability for drop in drops] == pytest.approx([0.05, 0.1, 0.15, 0.2])
        assert {type(block.get_submodule(name)) for block in ViT(CONFIG).blocks} == {nn.Identity}


def test_a_block_whose_paths_are_all_dropped_is_none(monkeypatch):
    block = Block(CONFIG.replace(drop_path=0.5), 3)
    monkeypatch.setattr(F, "dropout", lambda x, *_: torch.zeros_like(x))
    tokens = torch.randn(2, 5, 12)
    assert torch.equal(block(tokens, ViT(CONFIG).positional), tokens)


def test_what_is_off_adds_no_tensor_to_a_state_dict():
    names = set(ViT(CONFIG).state_dict())
    on = {"qk_norm": True, "layer_scale": 0.1, "drop_path": 0.1, "attention_type": "lsa"}
    more = set(ViT(CONFIG, **on).state_dict()) - names
    assert {name.split(".", 2)[2] for name in more} == {
        *(f"attention.{part}_norm.{value}" for part in "qk" for value in ("weight", "bias")),
        *("attention.temperature.weight", "scale1.weight", "scale2.weight"),
    }
    assert not [name for name in names if "norm" in name and not name.split(".")[-2].startswith("norm")]
