"""Speed and memory compared by ratio on paired rounds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from studies.statistics.ratios import cost_contrasts, cost_question, log_ratio_contrast

FASTER = cost_question("speed", higher_is_better=True)
SLOWER = cost_question("speed", higher_is_better=False)


def rounds(ratio, sd=0.005, n=10):
    rng = np.random.default_rng(1)
    drift = np.exp(np.linspace(0, 0.3, n))  # the machine warms up under both arms alike
    base = 1000 * drift
    cells = {"base": base, "fast": ratio * base * np.exp(sd * rng.standard_normal(n))}
    return pd.DataFrame(
        [{"cell": c, "round": i, "speed": v} for c, values in cells.items() for i, v in enumerate(values)]
    )


def test_speed_is_compared_by_ratio_on_paired_rounds():
    found = cost_contrasts(rounds(1.2), "base", FASTER).iloc[0]
    assert found["ratio"] == pytest.approx(1.2, rel=0.01)
    assert found["ratio_low"] < 1.2 < found["ratio_high"]
    assert (found["n"], found["verdict"]) == (10, "better")
    slow = cost_contrasts(rounds(1.2), "base", SLOWER).iloc[0]
    assert slow["verdict"] == "worse"
    assert cost_contrasts(rounds(1.0), "base", FASTER).iloc[0]["verdict"] == "equivalent"


def test_costs_must_be_positive():
    with pytest.raises(ValueError, match="speed must be positive"):
        cost_contrasts(rounds(0.0), "base", FASTER)
    with pytest.raises(ValueError, match="must be positive"):
        log_ratio_contrast([1.0, 0.0], [1.0, 1.0])


def test_log_ratio_is_symmetric():
    a, b = [1.0, 2.0, math.nan], [2.0, 1.0, 1.0]
    assert log_ratio_contrast(a, b).difference == pytest.approx(0.0)
    assert log_ratio_contrast(a, b).dropped == 1
    assert log_ratio_contrast(a, b).margin == pytest.approx(math.log(1.02))


def test_a_clear_speed_is_decided_from_seven_rounds():
    found = cost_contrasts(rounds(1.77, sd=0.01, n=7), "base", FASTER).iloc[0]
    assert found["verdict"] == "better"
    assert 1.7 < found["ratio_low"] < found["ratio_high"] < 1.85
    assert found["ratio"] == pytest.approx(math.exp(found["difference"]))
