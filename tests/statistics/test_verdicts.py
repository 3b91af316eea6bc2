"""One contrast, and the one rule that turns it into a word."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from studies.statistics.holm import holm_adjusted
from studies.statistics.paired_tests import sign_flip_p
from studies.statistics.verdicts import OPPOSITE, VERDICTS, as_family, contrast, decide

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


def test_contrast_by_hand():
    # differences 1, 2, 3, 6: mean 3, sd sqrt(14/3), error sqrt(14/12), t = 2.777
    found = contrast([2.0, 4.0, 6.0, 10.0], [1.0, 2.0, 3.0, 4.0])
    assert (found.n, found.dropped, found.difference, found.p_superiority) == (4, 0, 3.0, 1.0)
    assert (found.sd, found.error, found.df) == pytest.approx(((14 / 3) ** 0.5, (14 / 12) ** 0.5, 3))
    assert found.d_z == pytest.approx(3 / (14 / 3) ** 0.5)
    assert found.p == found.p_looks == found.p_holm == pytest.approx(0.0692, abs=1e-3)
    assert found.verdict == "undecided"


@pytest.mark.parametrize("n", [2, 5, 10])
def test_one_contrast_is_the_paired_t_test(n):
    a, b = arms(n, 0.002)
    expected = stats.ttest_rel(a, b)
    found = contrast(a, b)
    assert (found.p, found.df) == pytest.approx((expected.pvalue, expected.df))
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))


@pytest.mark.parametrize("difference", [0.0, 0.0015, 0.003])
def test_equivalence_agrees_with_statsmodels(difference):
    a, b = arms(9, difference, seed=4)
    assert contrast(a, b).p_equivalence == pytest.approx(ttost_paired(a, b, -0.002, 0.002)[0])


@settings(deadline=None, max_examples=60)
@given(paired(), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_interval_leaves_0_outside_exactly_where_p_is_below_alpha(pair, alpha):
    found = contrast(*pair, alpha=alpha)
    if found.error > 0 and abs(found.p - alpha) > 1e-9:
        assert (found.p < alpha) == (not found.low <= 0 <= found.high)


def test_ties_count_half():
    assert contrast([1, 1, 2, 0], [1, 1, 1, 1]).p_superiority == 0.5
    assert contrast([1, 1, 2, 2], [1, 1, 1, 1]).p_superiority == 0.75


def test_incomplete_pairs_are_dropped_and_counted():
    found = contrast([0.9, math.nan, 0.8, 0.7], [0.8, 0.7, math.nan, 0.6])
    assert (found.n, found.dropped) == (2, 2)
    assert found.difference == pytest.approx(0.1)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_pairs_decide_nothing_and_foretell_nothing(n):
    found = contrast([0.9] * n, [0.8] * n)
    assert (found.n, found.p, found.p_equivalence, found.verdict) == (n, 1.0, 1.0, "undecided")
    unknown = (found.low, found.high, found.error, found.d_z, found.detectable, found.seeds_needed)
    assert all(map(math.isnan, unknown))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"\(3,\) and b \(2,\)"):
        contrast([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="margin=-1"):
        contrast([1, 2], [1, 2], margin=-1)
    with pytest.raises(ValueError, match="alpha=5"):
        contrast([1, 2], [1, 2], alpha=5)


def test_the_sign_flip_p_is_told_only_where_it_could_be_small():
    assert math.isnan(contrast(*arms(5, 0.005)).p_sign_flip)
    a, b = arms(6, 0.005)
    assert contrast(a, b).p_sign_flip == sign_flip_p(a - b) == 2**-5
    assert math.isnan(contrast(*arms(31, 0.005)).p_sign_flip)  # no longer exact


def test_identical_values_are_equivalent_only_with_enough_seeds():
    same = {n: contrast([0.9] * n, [0.9] * n) for n in (2, 4, 5, 10)}
    assert [c.verdict for c in same.values()] == ["undecided", "undecided", "equivalent", "equivalent"]
    assert {(c.difference, c.low, c.high, c.d_z, c.p) for c in same.values()} == {(0.0, 0.0, 0.0, 0.0, 1.0)}


def test_a_constant_difference_is_no_certainty():
    few, many = (contrast([0.91] * n, [0.9] * n) for n in (5, 6))
    assert (few.verdict, few.seeds_needed, few.d_z, few.p) == ("undecided", 6, math.inf, 2**-4)
    assert (many.verdict, many.detectable) == ("better", 0.0)
    assert contrast([0.9 + 1e-17] * 6, [0.9] * 6).d_z == 0.0


# the verdict


def test_every_verdict():
    found = [arms(5, 0.005), arms(5, -0.005), arms(20, 0.0), arms(5, 0.001, sd=0.004)]
    assert tuple(contrast(*pair).verdict for pair in found) == VERDICTS


def test_a_loss_is_better_when_lower():
    a, b = arms(10, -0.005)
    assert contrast(a, b).verdict == "worse"
    assert contrast(a, b, higher_is_better=False).verdict == "better"


def test_significant_but_within_the_margin_is_equivalent():
    found = contrast(*arms(20, 0.0008, sd=0.0004))
    assert found.p < 0.001
    assert found.verdict == "equivalent"


@pytest.mark.parametrize(
    ("p", "p_equivalence", "better", "verdict"),
    [
        (0.05, 0.051, True, "better"),
        (0.05, 0.051, False, "worse"),
        (0.05, 0.05, True, "equivalent"),
        (0.9, 0.05, False, "equivalent"),
        (0.051, 0.051, True, "undecided"),
    ],
)
def test_equivalence_comes_before_a_difference(p, p_equivalence, better, verdict):
    assert decide(p, p_equivalence, better, 0.05) == verdict


@settings(deadline=None, max_examples=60)
@given(paired())
def test_what_is_undecided_says_what_would_have_shown_and_what_would_settle_it(pair):
    found = contrast(*pair)
    if found.verdict == "undecided":
        assert found.detectable >= 0
        assert found.seeds_needed > found.n
    else:
        assert found.seeds_needed == found.n


@settings(deadline=None, max_examples=40)
@given(paired(), st.booleans())
def test_swapping_the_arms_mirrors_everything(pair, higher):
    one, other = (contrast(*p, higher_is_better=higher) for p in (pair, pair[::-1]))
    assert (one.difference, one.low, one.d_z) == pytest.approx((-other.difference, -other.high, -other.d_z))
    assert one.p_superiority == pytest.approx(1 - other.p_superiority)
    assert (one.p, one.p_equivalence) == pytest.approx((other.p, other.p_equivalence))
    assert one.verdict == OPPOSITE.get(other.verdict, other.verdict)


@pytest.mark.parametrize("difference", [0.005, 0.0, -0.005])
def test_reversed_is_the_contrast_of_the_arms_swapped(difference):
    a, b = arms(20, difference, sd=0.0015)
    one, other = contrast(a, b).reversed(), contrast(b, a)
    assert one.verdict == other.verdict
    numbers = ("difference", "low", "high", "d_z", "p_superiority", "p", "detectable", "seeds_needed")
    assert [getattr(one, name) for name in numbers] == pytest.approx([getattr(other, name) for name in numbers])
    assert str(one.reversed()) == str(contrast(a, b))


@settings(deadline=None, max_examples=40)
@given(paired(), st.sampled_from([-0.5, 0.25, 3.0]))
def test_adding_a_constant_to_both_changes_nothing(pair, constant):
    one, other = contrast(*pair), contrast(pair[0] + constant, pair[1] + constant)
    assert (one.difference, one.low) == pytest.approx((other.difference, other.low), abs=1e-9)
    assert one.p == pytest.approx(other.p)
    assert one.verdict == other.verdict


@settings(deadline=None, max_examples=40)
@given(paired(), st.randoms())
def test_the_order_of_seeds_is_irrelevant(pair, random):
    order = list(range(len(pair[0])))
    random.shuffle(order)
    one, other = contrast(*pair), contrast(pair[0][order], pair[1][order])
    assert (one.verdict, one.n) == (other.verdict, other.n)
    assert (one.p, one.difference) == pytest.approx((other.p, other.difference))


@settings(deadline=None, max_examples=40)
@given(paired(min_size=0), st.floats(0, 0.1))
def test_p_values_are_possible_and_verdicts_known(pair, margin):
    found = contrast(*pair, margin=margin)
    assert 0 <= found.p <= 1
    assert 0 <= found.p_equivalence <= 1
    assert found.verdict in VERDICTS


# families


def test_holm_agrees_with_statsmodels_and_keeps_the_order():
    family = [contrast(*arms(8, d, seed=i)) for i, d in enumerate((0.0, 0.004, -0.001, 0.0005))]
    judged = as_family(family)
    for adjusted, raw in (("p_holm", "p"), ("p_equivalence_holm", "p_equivalence")):
        expected = multipletests([getattr(c, raw) for c in family], method="holm")[1]
        assert [getattr(c, adjusted) for c in judged] == pytest.approx(expected)
    assert [c.difference for c in judged] == [c.difference for c in family]
    assert {c.family_size for c in judged} == {4}
    assert as_family([]) == []


@settings(deadline=None, max_examples=8)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_agree_with_statsmodels(p):
    assert holm_adjusted(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_a_family_of_one_changes_nothing():
    alone = contrast(*arms(10, 0.001))  # as text: nan equals nan
    assert str(as_family([alone])) == str([alone])


def test_a_family_can_take_a_verdict_back_though_the_interval_stays():
    alone = contrast([1, 2, 3, 4, 5], np.zeros(5))  # p = 0.013
    assert alone.verdict == "better"
    judged = as_family([alone] * 23)[0]
    assert judged.verdict == "undecided"
    assert (judged.low, judged.high) == (alone.low, alone.high)
    assert not judged.low <= 0 <= judged.high
    assert judged.detectable > alone.detectable
    assert judged.seeds_needed > 5


def test_a_contrast_without_data_still_counts():
    clear = contrast(*arms(7, 0.005))
    judged = as_family([clear, contrast([], []), contrast([], [])])
    assert judged[0].p_holm == pytest.approx(3 * clear.p)
    assert judged[1].verdict == "undecided"
