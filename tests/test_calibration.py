"""The fast version of `studies.calibration`: fixed seed, tolerances from the binomial error of its size."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from studies.calibration import ALPHA, COLUMNS, NOISES, calibrate, simulate, true_sd
from studies.contrasts import contrasts_against
from studies.paired import sign_flip_p

STUDIES = 300


@pytest.fixture(scope="module")
def table():
    return calibrate(STUDIES, noises=("test set", "test set, skewed"))


def standard_errors(row, arms=24):
    # arms of one study share its seeds, so studies, not intervals, are the independent trials
    rate = min(max(row.expected, 0.01), 0.99)
    return 4 * math.sqrt(rate * (1 - rate) / STUDIES) / (math.sqrt(arms / 4) if "coverage" in row.quantity else 1)


def test_every_promise_holds_within_the_error_of_the_simulation(table):
    required = table[table["required"]]
    assert len(required) >= 2 * 4 * 7
    for row in required.itertuples():
        error = standard_errors(row)
        assert row.low - error <= row.observed <= row.high + error, row


def test_the_table_is_complete(table):
    assert list(table.columns) == COLUMNS
    assert set(table["seeds"]) == {3, 5, 10, 20}
    families = table[table["quantity"] == "false positives, family-wise"]
    assert len(families) == 8
    assert (families["observed"] <= ALPHA + 4 * math.sqrt(ALPHA * (1 - ALPHA) / STUDIES)).all()
    assert set(table.loc[table["quantity"].str.startswith("power, "), "seeds"]) == {10, 20}


def test_three_and_five_seeds_claim_nothing(table):
    few = table[(table["seeds"] <= 5) & table["quantity"].str.startswith("false positives")]
    assert (few["observed"] == 0).all()


def test_rows_do_not_depend_on_each_other():
    one = calibrate(20, seeds=(10,), noises=("stress: heavy tails",))
    all_of_them = calibrate(20, seeds=(5, 10), noises=("normal", "stress: heavy tails"))
    same = all_of_them.query("noise == 'stress: heavy tails' and seeds == 10").reset_index(drop=True)
    pd.testing.assert_frame_equal(one, same)
    assert one["required"].tolist() == one["quantity"].str.startswith("false").tolist()


@pytest.mark.parametrize("noise", NOISES)
def test_the_simulated_truth(noise):
    values = simulate(noise, np.array([0.0, 0.01]), 2, 20_000, np.random.default_rng(0))
    assert values.mean(axis=(0, 2)) == pytest.approx([0.97, 0.98], abs=1e-4)
    assert (values[:, 1] - values[:, 0]).std() == pytest.approx(true_sd(noise), rel=0.05)
    assert values[:, 0].std() == pytest.approx(0.0015, rel=0.05)


def test_accuracies_are_counts():
    values = simulate("test set", np.zeros(3), 4, 10, np.random.default_rng(0)) * 10_000
    assert values == pytest.approx(np.round(values))


def test_the_tables_claim_what_the_calibration_counts():
    accuracy = simulate("test set", np.zeros(24), 10, 10, np.random.default_rng(7))
    counted = sign_flip_p(accuracy[:, 1:] - accuracy[:, :1]).min(axis=1) <= ALPHA / 23
    claimed = []
    for study in accuracy:
        rows = [{"cell": arm, "seed": seed, "acc": v} for (arm, seed), v in np.ndenumerate(study)]
        table = contrasts_against(pd.DataFrame(rows), 0, "acc", margin=0.0)
        claimed.append(table["verdict"].isin(["better", "worse"]).any())
    assert claimed == counted.tolist()


def test_unknown_noise():
    with pytest.raises(ValueError, match="unknown noise pink; choices: normal, test set"):
        calibrate(1, noises=("pink",))
