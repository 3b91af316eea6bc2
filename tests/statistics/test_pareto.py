from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from studies.statistics import pareto
from studies.statistics.pareto import front_probability, on_front


def tables(accuracy, cost, seeds=8, rounds=6, sd=0.001, cost_sd=0.01):
    rng = np.random.default_rng(0)
    arms = [f"arm{i}" for i in range(len(accuracy))]
    shared = 0.01 * rng.standard_normal((seeds, 1))
    accuracies = np.array(accuracy) + shared + sd * rng.standard_normal((seeds, len(arms)))
    costs = np.array(cost) * np.exp(cost_sd * rng.standard_normal((rounds, len(arms))))
    return pd.DataFrame(accuracies, columns=arms), pd.DataFrame(costs, columns=arms)


def test_on_front_by_hand():
    accuracy, cost = np.array([0.9, 0.95, 0.94, 0.99]), np.array([1.0, 2.0, 3.0, 4.0])
    assert on_front(accuracy, cost).tolist() == [True, True, False, True]


def test_equal_arms_do_not_dominate_each_other():
    assert on_front(np.array([0.9, 0.9, 0.9]), np.array([1.0, 1.0, 2.0])).tolist() == [True, True, False]


def test_a_missing_arm_is_not_on_the_front():
    assert on_front(np.array([np.nan, 0.9]), np.array([1.0, 2.0])).tolist() == [False, True]


def test_the_front_is_never_empty():
    rng = np.random.default_rng(0)
    assert on_front(rng.random((500, 12)), rng.random((500, 12))).any(axis=1).all()


def test_many_seeds_are_counted_with_the_same_result(monkeypatch):
    accuracy, cost = tables([0.90, 0.901, 0.93, 0.93], [1.0, 1.01, 2.0, 3.0], seeds=12)
    accuracy.iloc[3, 1], accuracy["arm3"] = np.nan, accuracy["arm2"]
    picked = front_probability(accuracy, cost)
    monkeypatch.setattr(pareto, "MANY", 5)
    pd.testing.assert_frame_equal(front_probability(accuracy, cost), picked)


def test_clear_arms_are_certain():
    found = front_probability(*tables([0.90, 0.95, 0.93, 0.99], [1.0, 2.0, 3.0, 4.0]))
    assert found["on_front"].tolist() == [True, True, False, True]
    assert found["probability"].tolist() == [1.0, 1.0, 0.0, 1.0]
    assert found["cost"].tolist() == pytest.approx([1, 2, 3, 4], rel=0.02)


def test_a_close_arm_is_uncertain():
    # arm1 costs more and is as accurate as arm0: its noise decides
    found = front_probability(*tables([0.95, 0.95], [1.0, 2.0], seeds=8))
    assert found["probability"].iloc[0] == 1.0
    assert 0.0 < found["probability"].iloc[1] < 1.0


def test_the_probability_is_about_one_half_on_average_for_equal_arms():
    rng = np.random.default_rng(1)
    found = [
        front_probability(pd.DataFrame(rng.normal(0.95, 0.001, (6, 2))), pd.DataFrame([[1.0, 2.0]]), draws=200, seed=i)[
            "probability"
        ].iloc[1]
        for i in range(200)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


def test_what_seeds_share_cancels():
    accuracy, cost = tables([0.950, 0.955], [1.0, 2.0], sd=0.0001)
    assert accuracy.std().min() > 0.005  # far more than the difference
    assert front_probability(accuracy, cost)["probability"].iloc[1] == 1.0


def test_speed_is_the_other_way_round():
    accuracy, cost = tables([0.90, 0.95, 0.93], [1.0, 2.0, 3.0])
    found = front_probability(accuracy, 1 / cost, higher_is_cheaper=True)
    assert found["probability"].tolist() == [1.0, 1.0, 0.0]
    assert found["cost"].tolist() == pytest.approx([1, 1 / 2, 1 / 3], rel=0.02)


def test_an_exact_cost_is_one_row_and_columns_may_be_in_any_order():
    accuracy, _ = tables([0.90, 0.95], [1.0, 2.0])
    found = front_probability(accuracy, pd.DataFrame([{"arm1": 20.0, "arm0": 10.0}]))
    assert found.loc["arm1", "cost"] == pytest.approx(20.0)


def test_failed_trials_and_arms():
    accuracy, cost = tables([0.90, 0.95, 0.97], [1.0, 2.0, 3.0])
    accuracy.loc[2, "arm0"] = np.nan
    accuracy["arm2"] = np.nan
    found = front_probability(accuracy, cost)
    assert found["probability"].tolist() == [1.0, 1.0, 0.0]
    assert not found.loc["arm2", "on_front"]


def test_one_seed_has_no_probability():
    found = front_probability(*tables([0.90, 0.95], [1.0, 2.0], seeds=1))
    assert found["probability"].isna().all()
    assert found["on_front"].all()


def test_reproducible_without_touching_numpy():
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    one, other = (front_probability(*tables([0.95, 0.9501], [1.0, 2.0])) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    assert np.array_equal(np.random.get_state()[1], state)


def test_errors():
    accuracy, cost = tables([0.9, 0.95], [1.0, 2.0])
    with pytest.raises(ValueError, match="arms differ"):
        front_probability(accuracy, cost[["arm0"]])
    with pytest.raises(ValueError, match="positive"):
        front_probability(accuracy, -cost)
