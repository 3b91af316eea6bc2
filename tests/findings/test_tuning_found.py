import dataclasses

import numpy as np
import pandas as pd

from studies.design.tuned import tuned_pairs, with_tuned
from studies.findings.tuning import arms_frame, sentences
from told import ALTERNATING, BASE, runs_of, study_of

TRIALS = pd.DataFrame({"cell": ["cls/fixed", "mean/fixed"], "state": "complete", "reason": None})


def found(arms):
    plan = dataclasses.replace(study_of({"pooling": ("cls", "mean")}), seeds=list(range(8)))
    rates = {"cls": {"learning_rate": 0.01}, "mean": {"learning_rate": 0.02}}
    plan = with_tuned(plan, rates)
    runs = runs_of(plan, arms)
    frame = arms_frame(plan, runs, TRIALS, ["learning_rate"], tuned_pairs(plan))
    return frame, {one.topic: one.text for one in sentences(plan, frame, tuned_pairs(plan))}


def test_a_verdict_that_flips_is_told():
    noise = 1e-4 * ALTERNATING
    arms = {"cls/fixed": BASE, "mean/fixed": BASE - 0.01 + noise, "cls/tuned": BASE, "mean/tuned": BASE + 0.01 + noise}
    frame, said = found(arms)
    assert frame["fixed_verdict"].dropna().tolist() == ["worse"]
    assert frame["tuned_verdict"].dropna().tolist() == ["better"]
    assert frame["flips"].tolist() == [False, True]
    assert np.allclose(frame["made_difference"], [0.0, 0.02], atol=1e-12)
    assert said["Flips"] == (
        "Against `cls/fixed`, `mean/fixed` is worse at the declared recipe (−1.00 points) and better where both are "
        "tuned (+1.00)."
    )
    assert "`mean/fixed` by +2.00" in said["Tuning"]
    assert (frame.loc[1, "learning_rate_fixed"], frame.loc[1, "learning_rate_tuned"]) == (3e-3, 0.02)


def test_no_flip_is_told_too():
    noise = 1e-4 * ALTERNATING
    arms = {name: BASE + noise * i for i, name in enumerate(("cls/fixed", "mean/fixed", "cls/tuned", "mean/tuned"))}
    frame, said = found(arms)
    assert not frame["flips"].any()
    assert said["Flips"] == "No verdict against `cls/fixed` is another one when every arm is tuned."


def test_an_arm_without_results_is_not_compared():
    arms = {"cls/fixed": BASE, "mean/fixed": BASE * np.nan, "cls/tuned": BASE, "mean/tuned": BASE}
    frame, said = found(arms)
    assert frame.loc[1, "made_n"] == 0
    assert "nan" not in said["Tuning"]
