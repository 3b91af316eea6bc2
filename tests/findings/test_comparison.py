import shutil

import pandas as pd
import pytest

import tiny
from studies.findings.comparison import compare_results
from studies.findings.saved import ExportError


def test_a_run_compared_with_itself_has_not_changed(runs):
    found = compare_results(runs("a"), runs("b"))
    assert not found.worse
    assert found.changed == {}
    assert (found.arms["difference"] == 0).all()
    assert found.identical
    assert (found.trials, found.equal, found.unpaired) == (80, 80, 0)


def test_a_drop_in_accuracy_is_found_and_a_rise_is_not_worse(runs):
    a, b = runs("a"), runs("b", accuracy=-0.01, commit="bbb")
    found = compare_results(a, b)
    assert found.worse
    assert set(found.arms["verdict"]) == {"worse"}
    assert found.changed == {"commit": ("aaa", "bbb")}
    assert not compare_results(b, a).worse


def test_a_slower_program_is_found_on_the_same_hardware_only(runs):
    a = runs("a")
    assert compare_results(a, runs("slow", speed=0.7)).worse
    elsewhere = compare_results(a, runs("elsewhere", speed=0.7, cpu="Other"))
    assert elsewhere.speed is None
    assert not elsewhere.worse
    assert not [name for name in elsewhere.arms if "ratio" in name]


def test_a_missing_arm_is_named(runs):
    a, b = runs("a"), runs("b")
    for name in ("runs", "cells"):
        frame = pd.read_csv(b / f"{name}.csv")
        frame[frame["cell"] != "arm3"].to_csv(b / f"{name}.csv", index=False)
    assert compare_results(a, b).only == ["arm3"]


@pytest.mark.parametrize("other", [{"speed": 1.01}, {"commit": "bbb"}, {"accuracy": 1e-9}, {"content": "other"}])
def test_what_differs_in_anything_is_not_identical(runs, other):
    assert not compare_results(runs("a"), runs("b", **other)).identical


def test_trials_of_one_run_only_are_counted_and_not_identical(runs):
    a, b = runs("a"), runs("b")
    frame = pd.read_csv(b / "runs.csv")
    frame[frame["seed"] < 7].to_csv(b / "runs.csv", index=False)
    found = compare_results(a, b)
    assert (found.trials, found.equal, found.unpaired, found.identical) == (56, 56, 24, False)


def test_one_trial_of_other_bits_shows_in_its_arm_alone(runs):
    a, b = runs("a"), runs("b")
    frame = pd.read_csv(b / "runs.csv")
    frame.loc[3, "test_loss"] += 1e-12  # accuracies stay: other bits all the same
    frame.to_csv(b / "runs.csv", index=False)
    found = compare_results(a, b)
    assert (found.trials, found.equal) == (80, 79)
    assert list(found.arms[~found.arms["equal"]]["arm"]) == ["arm0"]


def test_arms_of_one_name_and_another_content_are_named(runs):
    assert compare_results(runs("a"), runs("b", content="other")).redeclared == [f"arm{i}" for i in range(8)]


def test_nothing_in_common_and_missing_provenance_are_refused(runs):
    a, b = runs("a"), runs("b")
    (b / "provenance.json").unlink()
    with pytest.raises(ExportError, match=r"provenance\.json"):
        compare_results(a, b)
    frame = pd.read_csv(a / "runs.csv")
    frame["cell"] = "other " + frame["cell"]
    shutil.copy(a / "provenance.json", b)
    frame.to_csv(b / "runs.csv", index=False)
    with pytest.raises(ExportError, match="no arm in common"):
        compare_results(a, b)


def test_a_baseline_that_lost_30_points_is_found_from_five_seeds(runs, capsys):
    """One arm of eight, the others as they were."""
    a, b = runs("a"), runs("b")
    for folder in (a, b):
        frame = pd.read_csv(folder / "runs.csv").query("seed < 5")
        if folder == b:
            frame.loc[frame["cell"] == "arm0", "test_accuracy"] -= [0.30, 0.31, 0.29, 0.30, 0.305]
        frame.to_csv(folder / "runs.csv", index=False)
    found = compare_results(a, b)
    assert dict(zip(found.arms["arm"], found.arms["verdict"], strict=True))["arm0"] == "worse"
    assert (found.arms["verdict"] == "worse").sum() == 1
    assert compare_results(b, a).arms["verdict"].tolist().count("better") == 1
    assert tiny.vit_ablate("compare", str(a), str(b)) == 1
    assert "worse" in capsys.readouterr().out


def test_a_change_of_speed_is_said_in_percent_not_in_logarithms(runs, capsys):
    assert tiny.vit_ablate("compare", str(runs("a")), str(runs("slow", speed=0.7))) == 1
    assert "train images per second over all 8 arms: −30.0 %: worse" in " ".join(capsys.readouterr().out.split())


def test_the_command_exits_with_1_when_it_got_worse(runs, capsys):
    a, b = runs("a"), runs("b", accuracy=-0.01)
    assert tiny.vit_ablate("compare", str(a), str(b)) == 1
    assert "worse" in capsys.readouterr().out
    assert tiny.vit_ablate("compare", str(a), str(a)) == 0
    assert "identical: 80 trials of 8 arms" in capsys.readouterr().out
