"""The rule keeps its promise, on fewer studies than `nox -s calibration` takes."""

from __future__ import annotations

import numpy as np
import pytest

from studies.statistics.calibration import COLUMNS, calibrate
from studies.statistics.diagnosis import shape, suspicious, warning
from studies.statistics.noises import NOISES, simulate

STUDIES = 400


@pytest.fixture(scope="module")
def table():
    return calibrate(STUDIES, seeds=(3, 5), arms=(3, 24), noises=("unequal, as seen", "unequal 10 : 1, mixed"))


def test_every_required_row_holds_within_the_error_of_its_simulation(table):
    assert list(table.columns) == COLUMNS
    required = table[table["required"]]
    assert len(required) == 2 * 2 * 2 * 3
    assert required["passed"].all(), required[~required["passed"]]


def test_more_is_found_than_by_the_paired_t_test(table):
    power = table[(table["quantity"] == "power, half a point") & (table["arms"] == 24)]
    by_rule = power.groupby("rule")["observed"].mean()
    assert by_rule["moderated"] > by_rule["paired t"] + 0.05


def test_an_unknown_noise_is_named():
    with pytest.raises(ValueError, match="unknown noise loud; choices: normal"):
        calibrate(10, noises=("loud",))


@pytest.mark.parametrize("name", NOISES)
def test_arms_are_equal_on_average(name):
    values = simulate(NOISES[name], 400, 3, 4, np.random.default_rng(0))
    difference = (values[:, 1] - values[:, 2]).ravel()
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(400)


def alarms(name, arms=24, seeds=10):
    return suspicious(shape(simulate(NOISES[name], 300, arms, seeds, np.random.default_rng(1)))).mean()


def test_the_warning_comes_where_the_promise_breaks_and_not_elsewhere():
    assert alarms("stress: unequal, as seen, skewed") > 0.8
    assert max(alarms("normal"), alarms("unequal, as seen"), alarms("unequal 10 : 1, mixed")) < 0.03


def test_the_warning_is_one_sentence():
    values = simulate(NOISES["stress: unequal 10 : 1, mixed, skewed"], 1, 24, 20, np.random.default_rng(0))[0]
    assert warning(values).startswith("Some bad runs lie unusually far out")
    assert warning(np.random.default_rng(0).standard_normal((24, 5))) is None
    assert warning(np.ones((8, 5))) is None
    assert warning(np.ones((2, 1))) is None
