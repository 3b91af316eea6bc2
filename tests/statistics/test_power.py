"""What can be found, and how many seeds would settle a question."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from studies.statistics.moderated import compare
from studies.statistics.power import detectable_difference, equivalence_power, seeds_needed, t_power

SD = 0.002


def error(n):
    return SD / math.sqrt(n)


def pairs(difference, n, studies=4_000):
    """Studies of two arms whose differences scatter with ``SD``."""
    values = np.random.default_rng(3).normal(difference, SD, (studies, n))
    return compare(np.stack([np.zeros_like(values), values], axis=1))


@pytest.mark.parametrize(("n", "alpha"), [(5, 0.05), (8, 0.05 / 23), (25, 0.05)])
def test_power_agrees_with_statsmodels(n, alpha):
    expected = TTestPower().power(1.5, n, alpha)
    assert t_power(1.5 * SD, error(n), n - 1, alpha) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("n", [3, 5, 10, 25])
def test_the_detectable_difference_is_detected_with_80_percent(n):
    expected = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert detectable_difference(error(n), n - 1) == pytest.approx(expected * SD, rel=0.01)
    assert (pairs(expected * SD, n).p() <= 0.05).mean() == pytest.approx(0.8, abs=0.03)


def test_a_larger_family_finds_only_larger_differences():
    alone, family = (detectable_difference(error(5), 4, 0.05 / size) for size in (1, 23))
    assert family > 2 * alone
    assert math.isfinite(family)


def test_what_cannot_be_known_is_not_said():
    assert math.isnan(detectable_difference(math.nan, 4))
    assert math.isnan(detectable_difference(0.001, math.nan))
    assert math.isnan(seeds_needed(0.004, math.nan, 1, 5, SD))
    assert math.isnan(seeds_needed(0.004, 0.001, 0, 1, SD))


def test_detectable_scales_with_the_error():
    assert detectable_difference(0.002, 7) == pytest.approx(2 * detectable_difference(0.001, 7))


def test_at_a_level_of_nothing_nothing_is_found():
    """A look before the planned one may spend nothing."""
    assert detectable_difference(0.001, 4, alpha=0.0) == math.inf
    assert seeds_needed(0.01, 0.001, 4, 5, SD, alpha=0.0) == math.inf


def test_equivalence_power_agrees_with_simulation():
    observed = (pairs(0.0005, 8).equivalence_p(0.002) <= 0.05).mean()
    assert equivalence_power(0.0005, error(8), 7, 0.002) == pytest.approx(observed, abs=0.02)


def test_seeds_needed_is_the_smallest_that_settles():
    wanted = seeds_needed(0.004, error(5), 4, 5, 0.0001)
    assert wanted == math.ceil(TTestPower().solve_power(effect_size=2, alpha=0.05, power=0.8))
    reached = [t_power(0.004, error(n), n - 1) >= 0.8 for n in (wanted - 1, wanted)]
    assert reached == [False, True]


def test_a_small_difference_needs_the_seeds_of_the_textbook():
    # (1.96 + 0.84)^2 * (sd / difference)^2 = 196, and 2 more for estimating the sd
    assert seeds_needed(0.02, 0.1 / math.sqrt(5), 4, 5, 0.002) == pytest.approx(199, abs=2)


def test_no_difference_is_settled_by_equivalence_or_never():
    assert seeds_needed(0.0, error(5), 4, 5, 0.002) == pytest.approx(10, abs=1)
    assert seeds_needed(0.0, error(5), 4, 5, 0.0) == math.inf


def test_equal_differences_are_settled_once_their_signs_could_be():
    assert seeds_needed(0.01, 0.0, 1, 2, 0.002) == 6  # 2^(1-n) <= 0.05
    assert seeds_needed(0.01, 0.0, 1, 2, 0.002, alpha=0.05 / 23) == 10
