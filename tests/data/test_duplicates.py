"""Near-duplicates across splits."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from studies.data import DataSet, Split
from studies.data.duplicates import AT_ONCE, _nearest, contradictions, difference_hashes, look_alikes


def smooth(n: int, seed: int, side: int = 32, channels: int = 3) -> torch.Tensor:
    """Images ``(n, c, side, side)`` as different as photos are: coarse noise, enlarged."""
    coarse = torch.rand(n, channels, 6, 6, generator=torch.Generator().manual_seed(seed)) * 255
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear").byte()


def split(images: torch.Tensor) -> Split:
    return Split(images, torch.zeros(len(images), dtype=torch.int64))


def data(train, val, test) -> DataSet:
    return DataSet("made", 1, split(train), split(val), split(test))


def brighter(images):
    return (images.float() * 0.8 + 40).byte()


def noisy(images):
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(9)) * 3
    return (images.float() + noise).clamp(0, 255).byte()


@pytest.mark.parametrize("change", [lambda images: images, brighter, noisy])
def test_copies_are_found_and_no_others(change):
    train, val, test = smooth(300, 1), smooth(50, 2), smooth(60, 3)
    test[:3] = change(train[[7, 200, 31]])
    val[10] = change(train[[5]])[0]
    assert look_alikes(data(train, val, test)) == {"val": [(10, 5)], "test": [(0, 7), (1, 200), (2, 31)]}


def test_a_copy_of_a_validation_image_counts_in_test_and_is_numbered_behind_train():
    train, val, test = smooth(300, 1), smooth(50, 2), smooth(60, 3)
    test[0] = val[4]
    assert look_alikes(data(train, val, test))["test"] == [(0, 304)]


def test_images_of_one_shade_are_alike_where_they_are_equal():
    train, val, test = smooth(20, 1), smooth(5, 2), smooth(5, 3)
    train[0], test[0], test[1] = 255, 255, 30
    assert look_alikes(data(train, val, test))["test"] == [(0, 0)]


def test_one_image_under_two_labels_is_found_in_any_split():
    train, val, test = (split(smooth(20, seed)) for seed in (1, 2, 3))
    train.labels[:], val.labels[:], test.labels[:] = 0, 1, 2
    train.images[3] = train.images[4]  # twice under one label
    val.images[5], test.images[6] = train.images[7], train.images[7]
    test.images[0] = noisy(train.images[:1])[0]
    assert contradictions(DataSet("made", 3, train, val, test)) == [{0, 1, 2}]


@pytest.mark.parametrize("side", [8, 28, 64])
def test_a_hash_does_not_depend_on_the_size(side):
    large, small = smooth(40, 1, 64), smooth(40, 1, side)
    bits = np.bitwise_count(difference_hashes(large) ^ difference_hashes(small))
    assert bits.max() <= (0 if side == 64 else 20)
    assert np.bitwise_count(difference_hashes(large) ^ difference_hashes(large.roll(1, 0))).min() > 0


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20), st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_the_nearest_is_the_nearest(asked, among):
    index, distance = _nearest(np.array(asked, np.uint64), np.array(among, np.uint64))
    for i, own in enumerate(asked):
        every = [(own ^ other).bit_count() for other in among]
        assert distance[i] == min(every) == every[index[i]]


def test_the_search_goes_on_beyond_what_is_held_at_once():
    many = np.arange(AT_ONCE // 100, dtype=np.uint64)
    index, distance = _nearest(many[:250], many)
    assert index.tolist() == list(range(250))
    assert distance.max() == 0
