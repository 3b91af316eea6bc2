from __future__ import annotations

import math

import numpy as np
import pytest

from studies.statistics.seed_variance import split_seed_variance


def simulated(training_sd, seeds=8, examples=2_000, seed=0):
    """Every seed shifts the chances of all examples; each example has a difficulty of its own."""
    rng = np.random.default_rng(seed)
    difficulty = rng.choice([0.02, 0.5, 0.98], size=examples, p=[0.02, 0.08, 0.9])
    # a shift of the undecided 8 % moves the accuracy by 0.08 of it
    shift = training_sd / 0.08 * rng.standard_normal((seeds, 1))
    chance = np.where(difficulty == 0.5, np.clip(difficulty + shift, 0, 1), difficulty)
    return rng.random((seeds, examples)) < chance


@pytest.mark.parametrize("training_sd", [0.0, 0.002, 0.006])
def test_recovers_the_truth_on_average(training_sd):
    splits = [split_seed_variance(simulated(training_sd, seed=i)) for i in range(300)]
    estimates = np.array([s.training for s in splits])
    error = estimates.std() / math.sqrt(len(splits))
    assert estimates.mean() == pytest.approx(training_sd**2, abs=4 * error)
    covered = np.mean([s.training_low <= training_sd**2 <= s.training_high for s in splits])
    assert covered > 0.9


def test_by_hand():
    # accuracies 1, 0.5; example 0 never varies, example 1 has variance 1/2 over the two seeds
    found = split_seed_variance([[True, True], [True, False]])
    assert (found.seeds, found.examples, found.total, found.finite_test_set) == (2, 2, 0.125, 0.125)
    assert found.training == 0.0
    assert found.share_finite == 1.0


def test_only_the_test_set():
    found = split_seed_variance(np.random.default_rng(0).random((400, 1_000)) < 0.9)
    assert found.finite_test_set == pytest.approx(0.09 / 1_000, rel=0.02)
    assert found.share_finite == pytest.approx(1.0, abs=0.2)
    assert found.training_low < 1e-6


def test_only_training():
    # a seed gets every example right, or every example wrong
    found = split_seed_variance(np.repeat([[True], [False], [True], [False]], 1_000, axis=1))
    assert found.total == pytest.approx(1 / 3)
    assert found.training == pytest.approx(1 / 3)
    assert found.share_finite == pytest.approx(0.001)


def test_errors_that_all_seeds_share_add_no_variance():
    found = split_seed_variance(np.tile(np.arange(100) < 90, (5, 1)))
    assert (found.total, found.finite_test_set, found.training) == (0.0, 0.0, 0.0)
    assert math.isnan(found.share_finite)


def test_too_little_to_split():
    with pytest.raises(ValueError, match=r"shape \(1, 5\)"):
        split_seed_variance(np.ones((1, 5), bool))
    with pytest.raises(ValueError, match=r"shape \(5,\)"):
        split_seed_variance(np.ones(5, bool))
