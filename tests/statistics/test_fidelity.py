"""Ranks and verdicts of short runs against long ones, on values whose truth is known."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from studies.statistics.fidelity import fidelity, tau_interval
from studies.statistics.question import ACCURACY, Question

SEEDS = 0.0004 * np.array([1.0, -1.0, 0.5, -0.5, 0.2])


def values(means: dict[str, float]) -> pd.DataFrame:
    """Five seeds of every arm around its mean, each with luck of its own."""
    return pd.DataFrame({arm: mean + np.roll(SEEDS, i) for i, (arm, mean) in enumerate(means.items())})


LONG = values({"a": 0.95, "b": 0.96, "c": 0.97, "d": 0.98, "e": 0.99})


def test_equal_ranks_and_verdicts_are_perfect():
    found = fidelity(values({"a": 0.5, "b": 0.6, "c": 0.7, "d": 0.8, "e": 0.9}), LONG, ACCURACY)
    assert (found.arms, found.tau, found.low, found.high) == (5, 1.0, 1.0, 1.0)
    assert (found.decided, found.ordered, found.called, found.confirmed, found.contradicted) == (10, 10, 10, 10, 0)


def test_two_arms_in_the_wrong_order_are_one_contradiction():
    found = fidelity(values({"a": 0.5, "b": 0.6, "c": 0.7, "d": 0.9, "e": 0.8}), LONG, ACCURACY)
    assert found.tau == pytest.approx(0.8)
    assert (found.decided, found.ordered, found.called, found.confirmed, found.contradicted) == (10, 9, 10, 9, 1)


def test_one_seed_has_ranks_but_no_verdicts():
    found = fidelity(LONG.iloc[:1] - 0.3, LONG, ACCURACY)
    assert (found.ordered, found.called, found.confirmed) == (10, 0, 0)


def test_what_the_long_runs_leave_open_is_neither_confirmed_nor_contradicted():
    found = fidelity(values({"a": 0.5, "b": 0.9}), values({"a": 0.97, "b": 0.97}), ACCURACY)
    assert (found.decided, found.called, found.confirmed, found.contradicted) == (0, 1, 0, 0)


def test_of_a_loss_the_lower_is_better():
    loss = Question(metric="test_loss", higher_is_better=False)
    found = fidelity(-LONG, -LONG, loss)
    assert (found.tau, found.decided, found.ordered, found.confirmed) == (1.0, 10, 10, 10)


def test_only_arms_with_results_in_both_count():
    short = LONG.assign(e=np.nan, z=0.1).drop(columns="d")
    assert fidelity(short, LONG, ACCURACY).arms == 3
    with pytest.raises(ValueError, match="1 arms have results in both: ranks need two"):
        fidelity(LONG[["a"]], LONG, ACCURACY)


def test_the_interval_of_tau_covers():
    """Bivariate normal arms with tau = 2 / pi * asin(rho): nominal coverage is 95 %."""
    rho, arms = 0.6, 20
    truth = 2 / math.pi * math.asin(rho)
    generator = np.random.default_rng(0)
    drawn = generator.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=(1000, arms))
    bounds = [tau_interval(float(stats.kendalltau(*one.T).statistic), arms) for one in drawn]
    covered = np.mean([low <= truth <= high for low, high in bounds])
    assert 0.93 <= covered <= 0.98


def test_a_seed_that_some_arms_lack_moves_no_rank():
    easy = pd.DataFrame(LONG.iloc[:1].to_numpy() + 0.5, columns=LONG.columns, index=[9]).assign(e=np.nan)
    assert fidelity(pd.concat([LONG, easy]), LONG, ACCURACY).tau == 1.0


def test_few_arms_have_no_interval():
    assert all(math.isnan(bound) for bound in tau_interval(0.5, 4))
    assert all(math.isnan(bound) for bound in tau_interval(math.nan, 40))
