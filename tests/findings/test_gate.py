"""May B take A's place? Runs whose true change is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tiny
from studies.findings.comparison import compare_results
from studies.findings.gate import gate


@pytest.fixture
def changed(runs):
    """A, and a B whose accuracies moved: by noise, and by what ``drops`` says of an arm."""

    def write(noise=0.0005, seeds=5, **drops):
        a, b = runs("a"), runs("b")
        generator = np.random.default_rng(0)
        for folder in (a, b):
            frame = pd.read_csv(folder / "runs.csv").query(f"seed < {seeds}")
            if folder == b:
                frame["test_accuracy"] += generator.normal(0, noise, len(frame))
                for arm, drop in drops.items():
                    frame.loc[frame["cell"] == arm, "test_accuracy"] -= drop
            frame.to_csv(folder / "runs.csv", index=False)
        return a, b

    return write


def outcomes(found, max_drop):
    judged = gate(found, max_drop)
    return judged.outcome, {one.arm: one.outcome for one in judged.checked if one.outcome != "passed"}


def test_noise_passes_a_limit_above_it(changed):
    assert outcomes(compare_results(*changed()), 0.003) == ("passed", {})


def test_a_drop_beyond_the_limit_fails_its_arm_alone(changed):
    assert outcomes(compare_results(*changed(arm3=0.30)), 0.003) == ("failed", {"arm3": "failed"})


def test_a_drop_that_is_shown_but_smaller_than_the_limit_passes(changed):
    found = compare_results(*changed(arm3=0.01))
    assert dict(zip(found.arms["arm"], found.arms["verdict"], strict=True))["arm3"] == "worse"
    assert outcomes(found, 0.02) == ("passed", {})
    assert outcomes(found, None) == ("failed", {"arm3": "failed"})


def test_a_drop_as_large_as_the_limit_cannot_be_judged(changed):
    found = compare_results(*changed(noise=0.004, arm3=0.01))
    assert outcomes(found, 0.01)[1]["arm3"] == "cannot judge"
    assert "would tell" in next(one.why for one in gate(found, 0.01).checked if one.arm == "arm3")


@pytest.mark.parametrize("max_drop", [None, 0.003, 1.0])
def test_one_seed_is_never_a_pass(changed, max_drop):
    outcome, arms = outcomes(compare_results(*changed(seeds=1)), max_drop)
    assert (outcome, set(arms.values()), len(arms)) == ("cannot judge", {"cannot judge"}, 8)


def test_one_seed_that_is_identical_passes(changed):
    assert outcomes(compare_results(*changed(noise=0, seeds=1)), 0.003) == ("passed", {})


def test_an_arm_that_b_lost_is_never_a_pass_and_a_new_one_is_none_of_its_business(changed):
    a, b = changed()
    for name in ("runs", "cells"):
        frame = pd.read_csv(b / f"{name}.csv")
        frame[frame["cell"] != "arm3"].to_csv(b / f"{name}.csv", index=False)
    assert outcomes(compare_results(a, b), 0.003) == ("cannot judge", {"arm3": "cannot judge"})
    assert outcomes(compare_results(b, a), 0.003) == ("passed", {})


def test_an_arm_that_lost_exactly_the_limit_passes_no_more_often_than_the_error_rate(runs):
    found = compare_results(runs("a"), runs("b"))
    generator = np.random.default_rng(1)
    passes = 0
    for _ in range(20):
        noise = generator.normal(0, 0.002, (2, *found.before.shape))
        before, after = (found.before * 0 + values for values in noise)
        passes += gate(_as(found, before, after - 0.003), 0.003).checked[0].outcome == "passed"
    assert passes <= 5  # 1 is expected; more than 5 in one of 3,000 at most


def _as(found, before, after):
    """The same comparison over other values."""
    made = replace(found, before=before, after=after)
    return replace(made, judged=made.judged_against(0.0), arms=found.arms.assign(equal=False))


def test_the_command_says_each_outcome_by_its_exit_code(changed, capsys, tmp_path):
    a, b = changed(noise=0.004, arm3=0.30)
    assert tiny.vit_ablate("compare", str(a), str(b), "--max-drop", "0.3") == 1
    assert "failed: arm3 lost more than 0.3 points" in capsys.readouterr().out
    frame = pd.read_csv(b / "runs.csv")
    frame.loc[frame["cell"] == "arm3", "test_accuracy"] += 0.30
    frame.to_csv(b / "runs.csv", index=False)
    assert tiny.vit_ablate("compare", str(a), str(b), "--max-drop", "0.1") == 4
    assert "n too small to tell whether it lost 0.1 points" in capsys.readouterr().out
    assert tiny.vit_ablate("compare", str(a), str(b), "--max-drop", "5") == 0
    assert tiny.vit_ablate("compare", str(a), str(a), "--max-drop", "0") == 0
    assert tiny.vit_ablate("compare", str(a), str(b), "--max-drop", "-1") == 2
