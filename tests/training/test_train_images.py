"""A part of the training images as a budget."""

import pytest
import torch

from studies.data import DataSet
from studies.training.batches import Preparation
from studies.training.recipe import Recipe, RecipeError


def test_a_part_has_the_classes_in_proportion_and_is_the_same_every_time(small_mnist: DataSet):
    half = len(small_mnist.train) // 2
    part = small_mnist.with_train_images(half)
    shares = [split.labels.bincount(minlength=10) for split in (part.train, small_mnist.train)]
    assert len(part.train) == half
    assert (2 * shares[0] - shares[1]).abs().max() <= 2
    assert small_mnist.with_train_images(half) is part
    assert part.val is small_mnist.val
    assert part.test is small_mnist.test


def test_none_and_all_are_the_data_themselves(small_mnist: DataSet):
    assert small_mnist.with_train_images(0) is small_mnist
    assert small_mnist.with_train_images(len(small_mnist.train)) is small_mnist


def test_batches_and_pixel_statistics_are_of_the_part_alone(small_mnist: DataSet):
    recipe = Recipe(train_images=64, batch_size=16)
    prepare = Preparation(recipe, small_mnist)
    part = small_mnist.with_train_images(64)
    assert torch.equal(prepare.train.images, part.train.images)
    mean, std = part.pixel_statistics
    assert torch.allclose(prepare.offset, -mean / std)
    assert recipe.steps_per_epoch(len(small_mnist.train)) == 4


def test_more_images_than_there_are_is_refused():
    with pytest.raises(RecipeError, match="train_images=70 exceeds the 60 training images; 0 uses all"):
        Recipe(train_images=70, batch_size=10).steps_per_epoch(60)
    with pytest.raises(RecipeError, match="batch_size=128 exceeds the 100 training images"):
        Recipe(train_images=100).steps_per_epoch(60_000)
    with pytest.raises(RecipeError, match=r"train_images=0\.5 must be a whole number"):
        Recipe(train_images=0.5)
