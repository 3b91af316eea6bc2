from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from studies.paired import _p_of_two_halves, equivalence_p, holm_adjusted, sign_flip_p, smallest_p
from studies.power import detectable_difference, equivalence_power, required_effect, seeds_needed
from studies.statistics import VERDICTS, contrast, decide, holm, interval

MIRRORED = {"better": "worse", "worse": "better"}
accuracies = st.floats(0.0, 1.0).map(lambda x: round(x, 4))


@st.composite
def paired(draw, min_size=2, max_size=12):
    n = draw(st.integers(min_size, max_size))
    arms = st.lists(accuracies, min_size=n, max_size=n)
    return np.array(draw(arms)), np.array(draw(arms))


def arms(n, difference=0.0, sd=0.001, seed=0):
    rng = np.random.default_rng(seed)
    b = 0.97 + 0.0015 * rng.standard_normal(n)
    return b + difference + sd * rng.standard_normal(n), b


# intervals


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


# p values


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
    many = sign_flip_p(rows), equivalence_p(rows, 0.5)
    assert many[0].shape == (4, 5)
    assert many[0][3, 2] == sign_flip_p(rows[3, 2])
    assert many[1][1, 4] == equivalence_p(rows[1, 4], 0.5)


@pytest.mark.parametrize("difference", [0.0, 0.0015, 0.003])
def test_equivalence_agrees_with_statsmodels(difference):
    a, b = arms(9, difference, seed=4)
    expected = ttost_paired(a, b, -0.002, 0.002)[0]
    assert equivalence_p(a - b, 0.002) == pytest.approx(max(expected, 2**-9))


# contrasts


def test_contrast_by_hand():
    # differences 1, 2, 3, 6: mean 3, sd sqrt(14/3); no sign but the all-positive sums to 12
    found = contrast([2.0, 4.0, 6.0, 10.0], [1.0, 2.0, 3.0, 4.0])
    assert (found.n, found.dropped, found.difference, found.p, found.p_superiority) == (4, 0, 3.0, 0.125, 1.0)
    assert found.sd == pytest.approx((14 / 3) ** 0.5)
    assert found.d_z == pytest.approx(3 / (14 / 3) ** 0.5)
    assert (found.p_holm, found.smallest_p, found.verdict) == (0.125, 0.125, "underpowered")


def test_contrast_interval_agrees_with_the_paired_t_test():
    a, b = arms(10, 0.002)
    expected = stats.ttest_rel(a, b).confidence_interval()
    found = contrast(a, b)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_ties_count_half():
    assert contrast([1, 1, 2, 0], [1, 1, 1, 1]).p_superiority == 0.5
    assert contrast([1, 1, 2, 2], [1, 1, 1, 1]).p_superiority == 0.75


def test_incomplete_pairs_are_dropped_and_counted():
    found = contrast([0.9, math.nan, 0.8, 0.7], [0.8, 0.7, math.nan, 0.6])
    assert (found.n, found.dropped) == (2, 2)
    assert found.difference == pytest.approx(0.1)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_pairs(n):
    found = contrast([0.9] * n, [0.8] * n)
    assert (found.n, found.p, found.smallest_p, found.verdict) == (n, 1.0, 1.0, "underpowered")
    assert all(map(math.isnan, (found.low, found.high, found.d_z, found.detectable, found.seeds_needed)))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"\(3,\) and b \(2,\)"):
        contrast([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="margin=-1"):
        contrast([1, 2], [1, 2], margin=-1)
    with pytest.raises(ValueError, match="alpha=5"):
        contrast([1, 2], [1, 2], alpha=5)


def test_identical_values_are_equivalent_only_with_enough_seeds():
    same = {n: contrast([0.9] * n, [0.9] * n) for n in (2, 4, 5, 10)}
    assert [c.verdict for c in same.values()] == ["underpowered", "underpowered", "equivalent", "equivalent"]
    assert {(c.difference, c.low, c.high, c.d_z, c.p) for c in same.values()} == {(0.0, 0.0, 0.0, 0.0, 1.0)}
    assert same[2].seeds_needed == 5


def test_a_constant_difference_is_no_certainty():
    few, many = (contrast([0.91] * n, [0.9] * n) for n in (5, 6))
    assert (few.verdict, few.seeds_needed, few.d_z) == ("underpowered", 6, math.inf)
    assert (many.verdict, many.detectable) == ("better", 0.0)
    assert contrast([0.9 + 1e-17] * 6, [0.9] * 6).d_z == 0.0


# the verdict


@given(paired(min_size=2, max_size=5))
def test_five_seeds_never_make_a_winner(pair):
    found = contrast(*pair)
    assert found.verdict in ("underpowered", "equivalent")


def test_five_clear_seeds_are_underpowered_not_no_difference():
    found = contrast([0.99, 0.991, 0.992, 0.99, 0.991], [0.90, 0.90, 0.91, 0.90, 0.901])
    assert (found.p, found.verdict, found.seeds_needed) == (0.0625, "underpowered", 6)


def test_every_verdict():
    assert contrast(*arms(10, 0.005)).verdict == "better"
    assert contrast(*arms(10, -0.005)).verdict == "worse"
    assert contrast(*arms(20, 0.0)).verdict == "equivalent"
    assert contrast(*arms(10, 0.001, sd=0.004)).verdict == "no detectable difference"
    assert contrast(*arms(4, 0.005)).verdict == "underpowered"


def test_a_loss_is_better_when_lower():
    a, b = arms(10, -0.005)
    assert contrast(a, b, higher_is_better=False).verdict == "better"


def test_significant_but_within_the_margin_is_equivalent():
    found = contrast(*arms(20, 0.0008, sd=0.0004))
    assert found.p < 0.001
    assert found.verdict == "equivalent"


def test_equivalence_may_be_shown_where_the_sign_flip_test_cannot_speak():
    found = contrast(*arms(5, 0.0, sd=0.0003))
    assert found.smallest_p > found.alpha
    assert found.verdict == "equivalent"


def test_decide_sees_the_adjusted_p():
    found = contrast(*arms(10, 0.005))
    assert decide(dataclasses.replace(found, p_holm=0.051)) == "no detectable difference"
    assert decide(dataclasses.replace(found, p_holm=0.051, smallest_p_holm=0.051)) == "underpowered"


@settings(deadline=None, max_examples=40)
@given(paired())
def test_swapping_the_arms_mirrors_everything(pair):
    one, other = contrast(*pair), contrast(*reversed(pair))
    assert (one.difference, one.low, one.d_z) == pytest.approx((-other.difference, -other.high, -other.d_z))
    assert one.p_superiority == pytest.approx(1 - other.p_superiority)
    assert (one.p, one.p_equivalence) == pytest.approx((other.p, other.p_equivalence))
    assert one.verdict == MIRRORED.get(other.verdict, other.verdict)


@settings(deadline=None, max_examples=40)
@given(paired(), st.sampled_from([-0.5, 0.25, 3.0]))
def test_adding_a_constant_to_both_changes_nothing(pair, constant):
    one, other = contrast(*pair), contrast(pair[0] + constant, pair[1] + constant)
    assert (one.difference, one.low) == pytest.approx((other.difference, other.low), abs=1e-9)
    assert (one.p, one.verdict) == (other.p, other.verdict)


@settings(deadline=None, max_examples=40)
@given(paired(), st.randoms())
def test_the_order_of_seeds_is_irrelevant(pair, random):
    order = list(range(len(pair[0])))
    random.shuffle(order)
    one, other = contrast(*pair), contrast(pair[0][order], pair[1][order])
    assert (one.p, one.verdict, one.n) == (other.p, other.verdict, other.n)
    assert one.difference == pytest.approx(other.difference)


@settings(deadline=None, max_examples=40)
@given(paired(min_size=0), st.floats(0, 0.1))
def test_p_values_are_possible_and_verdicts_known(pair, margin):
    found = contrast(*pair, margin=margin)
    assert found.smallest_p <= found.p <= 1
    assert 0 < found.p_equivalence <= 1
    assert found.verdict in VERDICTS


# families


def test_holm_agrees_with_statsmodels_and_keeps_the_order():
    family = [contrast(*arms(8, d, seed=i)) for i, d in enumerate((0.0, 0.004, -0.001, 0.0005))]
    judged = holm(family)
    expected = multipletests([c.p for c in family], method="holm")[1]
    assert [c.p_holm for c in judged] == pytest.approx(expected)
    assert [c.difference for c in judged] == [c.difference for c in family]
    assert {c.family_size for c in judged} == {4}
    assert holm([]) == []


@settings(deadline=None, max_examples=8)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_agree_with_statsmodels(p):
    assert holm_adjusted(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_a_family_of_one_changes_nothing():
    alone = contrast(*arms(10, 0.001))
    assert holm([alone]) == [alone]


def test_a_family_can_take_a_verdict_back():
    alone = contrast(*arms(6, 0.005))
    assert alone.verdict == "better"
    assert {c.verdict for c in holm([alone] * 2)} == {"underpowered"}
    assert holm([alone] * 2)[0].seeds_needed == 7


@pytest.mark.parametrize(("size", "seeds"), [(1, 6), (6, 8), (23, 10)])
def test_the_seeds_that_a_family_needs(size, seeds):
    for n, possible in ((seeds - 1, False), (seeds, True)):
        judged = holm([contrast(*arms(n, 0.05))] * size)[0]
        assert (judged.verdict == "better") is possible
        assert math.isinf(judged.detectable) is not possible


def test_a_contrast_without_data_still_counts():
    clear = contrast(*arms(7, 0.005))
    judged = holm([clear, contrast([], []), contrast([], [])])
    assert judged[0].p_holm == pytest.approx(3 * clear.p)
    assert judged[1].verdict == "underpowered"


# power


@pytest.mark.parametrize("n", [6, 8, 12, 15, 25])
def test_the_detectable_difference_is_detected_with_80_percent(n):
    effect = required_effect(n, 0.05)
    found = sign_flip_p(np.random.default_rng(99).normal(effect, 1, (2_000, n))) <= 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.045)


def test_power_of_t_agrees_with_statsmodels():
    from statsmodels.stats.power import TTestPower

    assert required_effect(25, 0.05) == pytest.approx(TTestPower().solve_power(nobs=25, alpha=0.05, power=0.8), 1e-3)


def test_all_signs_equal_at_six_seeds():
    # p = 1/32 only where all six agree: power is Phi(effect)^6
    assert required_effect(6) == pytest.approx(stats.norm.ppf(0.8 ** (1 / 6)), abs=0.05)


def test_what_cannot_be_detected():
    assert required_effect(5) == math.inf
    assert math.isnan(detectable_difference(1, math.nan))
    assert detectable_difference(10, 0.002) == pytest.approx(2 * detectable_difference(10, 0.001))


def test_equivalence_power_agrees_with_simulation():
    values = np.random.default_rng(3).normal(0.0005, 0.0015, (4_000, 8))
    observed = np.mean(equivalence_p(values, 0.002) <= 0.05)
    assert equivalence_power(0.0005, 0.0015, 8, 0.002) == pytest.approx(observed, abs=0.03)


def test_seeds_needed_is_the_smallest_that_settles():
    # sd 0.002, difference 0.004 (d_z = 2): all six seeds agree with probability 0.87
    assert seeds_needed(0.004, 0.002, 0.002) == 6
    assert math.isnan(seeds_needed(0.004, math.nan, 0.002))
    # (1.96 + 0.84)^2 * (sd / difference)^2 = 196, and 2 more for estimating the sd
    assert seeds_needed(0.02, 0.1, 0.002) == pytest.approx(199, abs=2)
    assert seeds_needed(0.0, 0.002, 0.002) == pytest.approx(10, abs=1)
    assert seeds_needed(0.0, 1.0, 0.0) == math.inf
