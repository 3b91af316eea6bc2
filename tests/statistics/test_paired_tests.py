"""The sign-flip test, and how pairs become differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from studies.statistics.paired_tests import _p_of_two_halves, differences_of, sign_flip_p, smallest_p


def arms(n, difference=0.0, sd=0.001, seed=0):
    rng = np.random.default_rng(seed)
    b = 0.97 + 0.0015 * rng.standard_normal(n)
    return b + difference + sd * rng.standard_normal(n), b


def test_sign_flip_by_hand():
    # sums of +-1 +-2 +-3: |sum| >= 4 for 4 of the 8
    assert sign_flip_p([1.0, 2.0, -1.0 + 2.0]) == 0.25
    assert sign_flip_p([-1.0, 2.0, 3.0]) == 0.5


@pytest.mark.parametrize("n", [2, 5, 8, 12, 13, 15])
def test_sign_flip_agrees_with_scipy(n):
    a, b = arms(n, 0.0005, seed=n)
    expected = stats.permutation_test(
        (a - b,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(a - b) == pytest.approx(expected.pvalue)


def test_random_flips_approach_the_exact_p_and_leave_numpy_alone():
    difference = np.random.default_rng(1).normal(0.3, 1, 31)
    exact = _p_of_two_halves(np.sort(np.abs(difference)), abs(difference.sum()))
    np.random.seed(5)
    state = np.random.get_state()[1].copy()
    found = sign_flip_p(difference)
    assert abs(found - exact) < 4 * math.sqrt(exact * (1 - exact) / 10_000)
    assert np.array_equal(np.random.get_state()[1], state)
    assert sign_flip_p(difference[::-1]) == found == sign_flip_p(-difference)


@pytest.mark.parametrize("n", [*range(1, 16), 21, 30])
def test_smallest_p_is_reached(n):
    assert smallest_p(n) == 2.0 ** (1 - n)
    assert sign_flip_p(np.linspace(1, 2, n)) == smallest_p(n)


@pytest.mark.parametrize("n", [31, 60])
def test_smallest_p_of_random_flips_is_reached(n):
    assert sign_flip_p(np.full(n, 1.0)) == smallest_p(n) == 1 / 10_001


@pytest.mark.parametrize("n", [6, 13, 31])
def test_no_difference_at_all_has_p_1(n):
    assert sign_flip_p(np.zeros(n)) == 1.0
    assert sign_flip_p(np.resize([1.0, -1.0], n - n % 2)) == 1.0


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=11))
def test_both_exact_ways_agree_in_spite_of_ties(values):
    size = np.sort(np.abs(np.array(values, float))) * 1e-4
    observed = abs(sum(values)) * 1e-4 - 1e-9 * size.sum()
    assert _p_of_two_halves(size, observed) == pytest.approx(sign_flip_p(np.array(values) * 1e-4))


def test_many_rows_are_many_single_rows():
    rows = np.random.default_rng(2).normal(size=(4, 5, 7))
    many = sign_flip_p(rows)
    assert many.shape == (4, 5)
    assert many[3, 2] == sign_flip_p(rows[3, 2])


def test_what_is_only_rounding_is_no_difference():
    assert differences_of([0.9 + 1e-17, 0.3], [0.9, 0.1 + 0.2]).tolist() == [0.0, 0.0]
    assert len(set(differences_of([0.8 + 0.01, 0.9 + 0.01], [0.8, 0.9]).tolist())) == 1
    assert differences_of([0.9, math.nan, 0.8], [0.8, 0.7, math.inf]) == pytest.approx([0.1])
