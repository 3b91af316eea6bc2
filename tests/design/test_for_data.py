"""What follows for a study from the images it is asked of."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import studies.catalog  # noqa: F401  registers the studies
import tiny
from studies.data import DataSet, Split, load
from studies.design.expand import check_data, expand
from studies.design.for_data import LEAST_STEPS, MOST_EPOCHS, on_data, recipe_for
from studies.design.study import STUDIES
from studies.training.recipe import Recipe
from vit import ConfigError


def images(channels=3, side=(32, 32), classes=5, n=700) -> DataSet:
    split = Split(torch.zeros(n, channels, *side, dtype=torch.uint8), torch.arange(n) % classes)
    return DataSet("pets-0123456789ab", classes, split, split, split)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_can_be_asked_of_other_images(name):
    study = on_data(STUDIES[name], images())
    plan = expand(study, "cpu")
    check_data(plan, images())
    assert plan.dataset == "pets-0123456789ab"
    declared = expand(STUDIES[name], "cpu")
    assert [cell.name for cell in plan.cells] == [cell.name for cell in declared.cells]
    assert [cell.setup is None for cell in plan.cells] == [cell.setup is None for cell in declared.cells]


def test_on_the_images_it_was_declared_for_a_study_is_itself():
    assert on_data(STUDIES["ablations"], load("mnist")) is STUDIES["ablations"]


@pytest.mark.parametrize(
    ("side", "patch", "expected"),
    [
        ((32, 32), 7, 8),
        ((64, 64), 7, 16),
        ((30, 30), 7, 6),  # no quarter: as many patches as pixels along one
        ((32, 64), 7, 8),
        ((32, 64), (14, 28), (16, 64)),
    ],
)
def test_patches_keep_their_share_of_the_image(side, patch, expected):
    study = tiny.study({}, base=tiny.MODEL.replace(chunking="tiles", patch_size=patch))
    base = on_data(study, images(side=side)).base
    assert base.patch_size == expected
    assert base.image_shape == side
    assert (base.in_channels, base.num_classes) == (3, 5)


def test_a_number_of_strips_stays():
    study = tiny.study({}, base=tiny.MODEL.replace(patch_size=None, num_strips=4))
    assert on_data(study, images()).base.num_strips == 4


def test_images_that_cannot_be_cut_say_so():
    with pytest.raises(ConfigError, match="patch_size"):
        on_data(tiny.study({}), images(side=(31, 37)))


@given(st.integers(8, 10**6), st.integers(1, 60), st.sampled_from([32, 128, 512]))
def test_a_recipe_shows_as_many_images_within_its_bounds(n, epochs, batch_size):
    declared = Recipe(epochs=epochs, batch_size=batch_size)
    found = recipe_for(declared, n)
    assert 1 <= found.epochs <= max(MOST_EPOCHS, epochs)
    if 1 < found.epochs < MOST_EPOCHS:
        assert abs(found.epochs * n - epochs * 50_000) <= n / 2
    assert found.batch_size <= batch_size
    assert found.steps_per_epoch(n) >= min(LEAST_STEPS, batch_size)


def test_a_recipe_for_as_many_images_is_itself():
    assert recipe_for(Recipe(), 50_000) == Recipe()
