import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from studies.training.muon import MOMENTUM, UPDATE_RMS, Muon, orthogonalized
from studies.training.recipe import Recipe
from vit import PRESETS, ViT

shapes = st.lists(st.tuples(st.integers(1, 24), st.integers(1, 24)), min_size=1, max_size=5)


@settings(deadline=None)
@given(shapes, st.integers(0, 99))
def test_directions_stay_and_sizes_become_alike(shapes, seed):
    """Of a matrix U S V^T with S between 0.1 and 1; smaller directions need more steps than five."""
    generator = torch.Generator().manual_seed(seed)
    matrices = []
    for m, n in shapes:
        u, _, vt = torch.linalg.svd(torch.randn(m, n, generator=generator), full_matrices=False)
        matrices.append(u @ torch.diag(0.1 + 0.9 * torch.rand(min(m, n), generator=generator)) @ vt)
    for before, after in zip(matrices, orthogonalized(matrices), strict=True):
        u, _, vt = torch.linalg.svd(before, full_matrices=False)
        core = u.T @ after @ vt.T
        assert after.shape == before.shape
        assert (core - core.diag().diag()).abs().max() < 0.01
        assert core.diag().min() > 0.5
        assert core.diag().max() < 1.3


def test_a_matrix_of_zeros_stays():
    assert orthogonalized([torch.zeros(3, 5), torch.eye(2)])[0].eq(0).all()


INPUTS = torch.randn(30, 12, generator=torch.Generator().manual_seed(0))


def train(layer, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        layer(INPUTS).square().mean().backward()
        optimizer.step()


def trained(build):
    torch.manual_seed(0)
    layer = nn.Linear(12, 7)
    start = layer.weight.detach().clone()
    train(layer, build(layer), 4)
    return layer, start


def test_a_matrix_moves_as_torchs_muon_moves_it():
    """Which computes in bfloat16: directions and sizes agree, last digits do not."""
    larger = UPDATE_RMS / 0.2
    (ours, start), (theirs, _) = (
        trained(lambda layer: Muon([{"params": [layer.weight]}], lr=0.02, weight_decay=0.1)),
        trained(
            lambda layer: torch.optim.Muon(
                [layer.weight],
                lr=0.02 * larger,
                momentum=MOMENTUM,
                weight_decay=0.1 / larger,
                adjust_lr_fn="match_rms_adamw",
            )
        ),
    )
    moved, expected = ours.weight - start, theirs.weight - start
    assert (moved - expected).norm() < 0.03 * expected.norm()
    assert expected.norm() > 0.01


def test_queries_keys_and_values_of_one_layer_are_turned_apart():
    fused, apart = nn.Linear(5, 15, bias=False), [nn.Linear(5, 5, bias=False) for _ in range(3)]
    for part, own in zip(fused.weight.detach().chunk(3), apart, strict=True):
        own.weight.data.copy_(part)
    images = torch.randn(20, 5)
    optimizers = [Muon([{"params": list(layer.parameters())}], lr=0.05) for layer in (fused, nn.ModuleList(apart))]
    for _ in range(3):
        for optimizer, out in zip(
            optimizers, (fused(images), torch.cat([own(images) for own in apart], 1)), strict=True
        ):
            optimizer.zero_grad()
            out.pow(4).mean().backward()
            optimizer.step()
    torch.testing.assert_close(fused.weight, torch.cat([own.weight for own in apart]))


def test_other_parameters_move_as_torchs_adamw_moves_them():
    (ours, _), (theirs, _) = (
        trained(lambda layer: Muon([{"params": [layer.bias]}], lr=0.02, betas=(0.9, 0.95), weight_decay=0.1)),
        trained(lambda layer: torch.optim.AdamW([layer.bias], lr=0.02, betas=(0.9, 0.95), weight_decay=0.1)),
    )
    assert torch.equal(ours.bias, theirs.bias)


def test_the_rate_of_a_group_reaches_both_parts():
    def build(layer):
        optimizer = Muon([{"params": list(layer.parameters())}])
        optimizer.param_groups[0]["lr"] = 0.0
        return optimizer

    layer, start = trained(build)
    torch.manual_seed(0)
    assert torch.equal(layer.weight, start)
    assert torch.equal(layer.bias, nn.Linear(12, 7).bias)


def test_its_state_survives_a_round_trip():
    recipe = Recipe(optimizer="muon")
    torch.manual_seed(0)
    first, second = nn.Linear(12, 7), nn.Linear(12, 7)
    optimizer = recipe.build_optimizer(first.parameters())
    train(first, optimizer, 2)
    second.load_state_dict(first.state_dict())
    again = recipe.build_optimizer(second.parameters())
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(first, optimizer, 2)
    train(second, again, 2)
    torch.testing.assert_close(first.weight, second.weight)
    torch.testing.assert_close(first.bias, second.bias)


def test_a_vit_gives_every_matrix_to_it_and_the_rest_to_adamw():
    model = ViT(PRESETS["notebook"])
    optimizer = Recipe(optimizer="muon").build_optimizer(model.parameters())
    model(torch.rand(4, 1, 28, 28)).square().mean().backward()
    optimizer.step()
    for name, parameter in model.named_parameters():
        assert ("momentum" in optimizer.state[parameter]) == (parameter.ndim == 2), name
        assert ("exp_avg" in optimizer.state[parameter]) == (parameter.ndim != 2), name


def test_it_takes_no_closure():
    with pytest.raises(ValueError, match="closure"):
        Recipe(optimizer="muon").build_optimizer(nn.Linear(2, 2).parameters()).step(lambda: 0.0)
