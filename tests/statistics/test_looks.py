"""Planned and unplanned looks."""

from __future__ import annotations

import numpy as np
import pytest

from studies.statistics.holm import holm_adjusted
from studies.statistics.looks import LOOKS, expected, follow, going_on, rehearse, shares, spent
from studies.statistics.moderated import compare

MARGIN = 1.0


def runs(seed=0, arms=6, seeds=30, effects=0.0):
    return np.random.default_rng(seed).standard_normal((arms, seeds)) + np.broadcast_to(effects, (arms,))[:, None]


def test_planned_shares_use_up_the_error_and_unplanned_ones_never_do():
    assert shares(LOOKS, LOOKS[-1]).sum() == pytest.approx(1)
    assert shares(range(2, 500)).sum() < 1
    assert spent(40, most=30) == 1


def test_one_planned_look_adjusts_nothing():
    values = runs(seeds=5)
    np.testing.assert_allclose(follow(values, (5,), margin=MARGIN, most=5).p, compare(values).p())


def test_a_look_costs():
    values = runs(seeds=8)
    twice = follow(values, (5, 8), margin=MARGIN)
    once = follow(values, (8,), margin=MARGIN)
    share = shares((5, 8))
    by_hand = np.minimum(compare(values[:, :5]).p() / share[0], compare(values).p() / share[1])
    np.testing.assert_allclose(twice.p, np.minimum(by_hand, 1))
    assert (once.p <= np.minimum(1, compare(values).p() / share[1])).all()


def test_a_decided_arm_stays_decided_and_gets_no_seeds():
    values = runs(1, effects=[0, 0, 0, 0, 0, 50.0])[None]
    course = list(rehearse(values, (5, 10), margin=0.001))
    first, last = (state for state, _ in course)
    assert first.decided()[0].tolist() == [False] * 4 + [True]
    assert last.decided()[0, -1]
    assert last.n[0].tolist() == [10] * 4 + [5]
    assert [int(trials[0]) for _, trials in course] == [30, 30 + 5 * 5]
    assert going_on(first)[0].tolist() == [True] * 5 + [False]


def test_following_the_runs_gives_what_the_course_gave():
    values = runs(1, effects=[0, 0, 0, 0, 0, 50.0])
    *_, (last, _) = rehearse(values[None], (5, 10), margin=0.001)
    recorded = values[:, :10].copy()
    recorded[-1, 5:] = np.nan
    np.testing.assert_allclose(follow(recorded, (5, 10), margin=0.001, most=10).p, last.p[0])


def test_no_false_claims_under_looks():
    studies = 600
    values = np.random.default_rng(2).standard_normal((studies, 4, 20))
    *_, (last, _) = rehearse(values, (5, 8, 12, 20), margin=MARGIN)
    rate = (holm_adjusted(last.p) <= 0.05).any(axis=-1).mean()
    assert rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)


def test_expected_trials_fall_with_the_effect():
    small, large = (expected([0, e, e, e], [1, 1, 1, 1], (5, 20), margin=0.01, studies=50) for e in (0.1, 9.0))
    assert small[-1][1] > large[-1][1] == large[0][1] == 20
    assert large[-1][2] == 3


@pytest.mark.parametrize("looks", [(), (5, 5), (8, 5), (0, 5)])
def test_looks_must_grow(looks):
    with pytest.raises(ValueError, match="growing numbers of seeds"):
        shares(looks)


def test_many_families_at_once_are_adjusted_as_one_by_one():
    p = np.random.default_rng(3).uniform(size=(20, 7)) ** 3
    np.testing.assert_allclose(holm_adjusted(p), [holm_adjusted(row) for row in p])
