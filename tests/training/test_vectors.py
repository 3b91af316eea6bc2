"""Parameters in vectors: an elementwise optimizer updates them as it updates them one by one."""

import copy

import pytest
import torch
from torch import nn

import tiny
from studies.training.compute import Compute
from studies.training.recipe import OPTIMIZERS, Recipe
from studies.training.steps.choice import step_of
from studies.training.steps.vectors import hand_gradients, in_one_vector, optimizer_of, split
from vit import ViT

IMAGES, LABELS = torch.linspace(-1, 1, 8 * 28 * 28).view(8, 1, 28, 28), torch.arange(8)


def test_parameters_in_one_vector_are_views_of_it():
    layer = nn.Linear(3, 2)
    before = [p.detach().clone() for p in layer.parameters()]
    vector = in_one_vector(list(layer.parameters()))
    vector.mul_(2)
    for parameter, was, part in zip(layer.parameters(), before, split(vector, list(layer.parameters())), strict=True):
        torch.testing.assert_close(parameter.detach(), 2 * was)
        assert parameter.data_ptr() == part.data_ptr()


def test_a_split_vector_has_the_shapes_asked_for():
    parts = split(torch.arange(8.0), [torch.Size([2, 3]), torch.zeros(2)])
    assert [part.tolist() for part in parts] == [[[0, 1, 2], [3, 4, 5]], [6, 7]]
    with pytest.raises(RuntimeError):
        split(torch.arange(9.0), [torch.Size([2, 3])])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_steps_in_vectors_are_those_parameter_by_parameter(optimizer):
    torch.manual_seed(0)
    model, recipe = ViT(tiny.MODEL), Recipe(optimizer=optimizer, weight_decay=0.3)
    both = [(own := copy.deepcopy(model), *step_of(own, recipe, Compute("explicit", "float32", False), "cpu", fast))
            for fast in (True, False)]  # fmt: skip
    for _ in range(5):
        losses = [step(IMAGES, LABELS) for _, step, _ in both]
        torch.testing.assert_close(*losses)
    (fast, _, in_vectors), (plain, _, one_by_one) = both
    torch.testing.assert_close(dict(fast.named_parameters()), dict(plain.named_parameters()))
    counts = [[len(group["params"]) for group in found.param_groups] for found in (in_vectors, one_by_one)]
    assert (counts[0] == [1, 1]) == (optimizer != "muon")
    assert min(counts[1]) > 1


def test_a_parameter_without_gradient_counts_as_zero_and_none_is_kept_twice():
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    optimizer = optimizer_of(Recipe(), Recipe().parameter_groups([nn.Parameter(torch.ones(1, 1)), used, unused]), True)
    _, vector = (group["params"][0] for group in optimizer.param_groups)
    used.grad = torch.tensor([1.0, 2.0])
    hand_gradients([[used, unused]], [vector])
    assert vector.grad.tolist() == [1, 2, 0, 0, 0]
    assert used.grad is None
