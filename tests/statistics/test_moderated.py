"""Moderated contrasts: what they must equal, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from studies.statistics.moderated import compare, moderate

ARMS, SEEDS = 6, 5


def runs(seed=0, arms=ARMS, seeds=SEEDS):
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.5, 3, arms)[:, None]
    return (
        10 * rng.standard_normal((1, seeds)) + spread * rng.standard_normal((arms, seeds)) + rng.normal(0, 2, (arms, 1))
    )


def answers(values, **options):
    found = compare(values, **options)
    return np.array([found.difference, found.error, found.df, found.p(), found.equivalence_p(1.0), *found.interval()])


def test_one_contrast_is_the_paired_t_test():
    values = runs(arms=2)
    found, expected = compare(values), stats.ttest_rel(values[1], values[0])
    assert found.p() == pytest.approx(expected.pvalue)
    assert found.df == pytest.approx(SEEDS - 1)
    low, high = found.interval()
    assert (low[0], high[0]) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_equal_spread_comes_close_to_the_pooled_block_analysis():
    """With many equal arms the error is that of a two-way analysis of variance, here by least squares."""
    values = np.random.default_rng(1).standard_normal((24, 20)) + np.arange(20)
    centred = values - values.mean(axis=1, keepdims=True)
    residual = centred - centred.mean(axis=0)
    pooled = np.sqrt(2 * (residual**2).sum() / (23 * 19) / 20)
    assert compare(values).error.mean() == pytest.approx(pooled, rel=0.1)


def test_residual_variances_of_equal_weights_are_those_of_statsmodels():
    ols = pytest.importorskip("statsmodels.api").OLS
    values = runs(3, arms=4)
    arm, seed = np.divmod(np.arange(values.size), SEEDS)
    design = np.c_[np.eye(4)[arm], np.eye(SEEDS)[seed][:, 1:]]
    residual = ols(values.ravel(), design).fit().resid.reshape(values.shape)
    centred = values - values.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(residual, centred - centred.mean(axis=0), atol=1e-9)
    own = moderate(values)
    assert own.own_df.sum() == pytest.approx(3 * (SEEDS - 1))  # what the model leaves


@given(st.integers(0, 1000), st.permutations(range(SEEDS)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_seeds_does_not_matter(seed, order):
    np.testing.assert_allclose(answers(runs(seed)), answers(runs(seed)[:, order]), rtol=1e-8)


@given(st.integers(0, 1000), st.floats(-5, 5), st.floats(0.1, 10))
@settings(max_examples=20, deadline=None)
def test_units_and_a_common_shift_do_not_matter(seed, shift, scale):
    values = runs(seed)
    moved = compare(values * scale + shift + 3 * np.arange(SEEDS))
    np.testing.assert_allclose(moved.p(), compare(values).p(), rtol=1e-6)
    np.testing.assert_allclose(moved.error, compare(values).error * scale, rtol=1e-6)


def test_signs_and_sides_are_symmetric():
    values = runs(4)
    ours, mirrored = compare(values, [(2, 1)]), compare(values, [(1, 2)])
    assert ours.difference == pytest.approx(-mirrored.difference)
    assert ours.p() == pytest.approx(mirrored.p())
    np.testing.assert_allclose(compare(-values).p(), compare(values).p())


def test_many_studies_at_once_are_one_study_at_a_time():
    table = np.stack([runs(seed) for seed in range(3)])
    table[1, 2, 3] = np.nan
    together = compare(table)
    for index, study in enumerate(table):
        np.testing.assert_allclose(together.p()[index], compare(study).p(), rtol=1e-9)


def test_the_interval_excludes_what_p_excludes():
    found = compare(runs(5))
    for bound in found.interval(0.05):
        np.testing.assert_allclose(found.p(bound), 0.05)


def test_a_failed_run_costs_its_pair_only():
    values = runs(6)
    values[2, 3] = np.nan
    found = compare(values)
    assert found.n.tolist() == [5, 4, 5, 5, 5]
    both = np.isfinite(values[2])
    assert found.difference[1] == pytest.approx((values[2] - values[0])[both].mean())


def test_an_arm_that_never_ran_leaves_the_others_alone():
    values = runs(7)
    with_it = np.vstack([values, np.full((1, SEEDS), np.nan)])
    np.testing.assert_allclose(compare(with_it).p()[:-1], compare(values).p(), rtol=1e-9)
    assert compare(with_it).p()[-1] == 1
    assert compare(with_it).equivalence_p(1.0)[-1] == 1


def test_missing_runs_near_complete_tables():
    """The path with a mask gives what the path without gives."""
    values = runs(8)
    padded = np.hstack([values, np.full((ARMS, 2), np.nan)])
    np.testing.assert_allclose(answers(padded), answers(values), rtol=1e-6)


def test_one_seed_says_nothing():
    found = compare(runs(9, seeds=1))
    assert (found.p() == 1).all()
    assert (found.equivalence_p(100.0) == 1).all()
    assert np.isnan(found.interval()[0]).all()


def test_equal_differences_are_no_certainty():
    values = np.arange(3.0)[:, None] + np.arange(5.0)
    found = compare(values)
    assert found.p() == pytest.approx(2.0**-4)
    assert found.equivalence_p(10.0) == pytest.approx(2.0**-5)
    same = compare(np.ones((3, 5)))
    assert (same.p() == 1).all()


def test_averaged_pairs():
    values = runs(10)
    found = compare(values, [[(1, 0), (3, 2)], [(5, 4), (-1, -1)]])
    alone = compare(values, [(1, 0), (3, 2), (5, 4)])
    assert found.difference[0] == pytest.approx(alone.difference[:2].mean())
    assert found.error[0] == pytest.approx(np.sqrt((alone.error[:2] ** 2).sum()) / 2)
    assert found.p()[1] == pytest.approx(alone.p()[2])


def test_bad_shapes_are_named():
    with pytest.raises(ValueError, match=r"values \(5,\)"):
        compare(np.ones(5))
    with pytest.raises(ValueError, match="pairs names arm 9"):
        compare(runs(), [(9, 0)])
