import pandas as pd
import pytest

from studies.findings import published
from studies.findings.published import as_published, published_folder

NAME = "tiny-mnist-cpu"


@pytest.fixture(autouse=True)
def _no_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "REPOSITORY", tmp_path / "site-packages")


def test_without_published_results_nothing_is_said(runs):
    assert as_published(runs(NAME)) is None


def test_published_results_are_not_compared_with_themselves(runs):
    assert as_published(runs(f"published/{NAME}")) is None


def test_results_published_beside_a_run_come_before_those_of_the_checkout(runs, tmp_path):
    checkout = runs(f"site-packages/results/published/{NAME}")
    assert published_folder(tmp_path, NAME) == checkout
    assert published_folder(tmp_path, "other-mnist-cpu") is None
    beside = runs(f"published/{NAME}")
    assert published_folder(tmp_path, NAME) == beside


def test_equal_bits_are_said(runs):
    runs(f"published/{NAME}")
    said = as_published(runs(NAME, commit="bbb"))
    assert said.startswith("As published, equal bit for bit: 80 trials of 8 arms. Speed over all arms: train +0.0 %")


def test_noise_is_said_with_its_size_and_with_what_differs(runs):
    runs(f"published/{NAME}")
    said = as_published(runs(NAME, accuracy=1e-4, cpu="Other", torch="9"))
    assert said == (
        "As published within noise: over 8 arms (n = 10) test accuracy differs by +0.01 points (95 % interval +0.01 "
        "to +0.01), at most by +0.01 points (`arm0`). Bits differ in 80 of 80 trials; what differs: cpu (Abacus "
        "published, Other here), torch (None published, 9 here). Speeds are not compared: the hardware differs."
    )


def test_a_drop_is_not_noise_and_its_arms_are_named(runs):
    runs(f"published/{NAME}")
    said = as_published(runs(NAME, accuracy=-0.01))
    assert said.startswith("Not as published (`arm0` worse, `arm1` worse, `arm2` worse, and 5 more): over 8 arms")
    assert "although processor, versions and commit are called the same" in said


def test_two_arms_alone_with_a_shift_show_neither(runs):
    a, b = runs(f"published/{NAME}"), runs(NAME)
    for folder in (a, b):
        frame = pd.read_csv(folder / "runs.csv")
        frame = frame[(frame["cell"] < "arm2") & (frame["seed"] < 2)]
        if folder == b:
            frame["test_accuracy"] += [0.01, 0.02, -0.01, 0.0]
        frame.to_csv(folder / "runs.csv", index=False)
    assert as_published(b).startswith("Neither shown to be as published nor to differ: over 2 arms (n = 2)")


def test_a_slower_program_is_said(runs):
    runs(f"published/{NAME}")
    assert "train −30.0 % (worse), infer +0.0 %" in as_published(runs(NAME, speed=0.7))


def test_arms_that_were_declared_otherwise_are_not_compared(runs):
    runs(f"published/{NAME}", content="older")
    assert as_published(runs(NAME)) == (
        "Not compared with what was published: 8 arms of 8 were declared otherwise then."
    )


def test_fewer_seeds_and_arms_than_published_are_said(runs):
    runs(f"published/{NAME}")
    folder = runs(NAME)
    frame = pd.read_csv(folder / "runs.csv")
    frame[(frame["seed"] < 7) & (frame["cell"] != "arm3")].to_csv(folder / "runs.csv", index=False)
    said = as_published(folder)
    assert "equal bit for bit: 49 trials of 7 arms. Only in one of the two: arm3. 21 trials had no counterpart." in said


def test_published_results_that_cannot_be_read_are_no_traceback(runs):
    (runs(f"published/{NAME}") / "provenance.json").unlink()
    assert as_published(runs(NAME)).startswith("Not compared with what was published: ")
