"""A mean over seeds with its t interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import studies.statistics
from studies.statistics.intervals import interval, sd_of


def test_interval_by_hand():
    # mean 2, sd 1, t(0.975, 2) = 4.302653
    found = interval([1.0, 2.0, 3.0])
    assert (found.n, found.mean, found.sd) == (3, 2.0, 1.0)
    assert (found.low, found.high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), abs=1e-6)


def test_interval_agrees_with_scipy():
    values = np.random.default_rng(0).normal(size=9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    found = interval(values, 0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_interval_of_one_none_and_missing():
    one = interval([0.9])
    assert (one.n, one.mean) == (1, 0.9)
    assert all(map(math.isnan, (one.sd, one.low, one.high)))
    none = interval([])
    assert none.n == 0
    assert all(map(math.isnan, (none.mean, none.sd, none.low, none.high)))
    assert interval([0.9, math.nan, 0.8]).n == 2
    with pytest.raises(ValueError, match="confidence=95"):
        interval([1, 2], confidence=95)


def test_one_value_has_no_spread():
    assert math.isnan(sd_of(np.array([0.9])))
    assert sd_of(np.array([1.0, 3.0])) == pytest.approx(2**0.5)


@pytest.mark.parametrize("name", studies.statistics.__all__)
def test_every_name_of_the_package_is_there(name):
    assert getattr(studies.statistics, name) is not None
