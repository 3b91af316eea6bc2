"""What a careful reader asks next."""

import dataclasses

import numpy as np
import pytest
import torch

from studies.findings.costs import rounds_frame, speed_contrasts
from studies.findings.words import probability, signed
from studies.trial.record import pack
from told import ALTERNATING, BASE, Told, study_of


def test_the_arm_that_validation_chooses_is_told_with_its_verdict_on_test_images():
    said = Told({"cls": BASE, "mean": BASE + 0.01 + 0.0003 * ALTERNATING}).details["Highest on validation"]
    assert said.startswith("Of 2 arms `mean` has the highest mean validation accuracy; on test images 98.35 %")
    assert "better than the baseline `cls` by 1.00 points (95 % interval +0.97 to +1.03, n = 8, p < 0.001" in said


def test_a_baseline_that_validation_chooses_is_not_compared_with_itself():
    said = Told({"cls": BASE, "mean": BASE - 0.01}).details["Highest on validation"]
    assert said.endswith("n = 8). It is the baseline.")


def test_a_correction_for_a_family_is_told():
    arms = {"cls": BASE, "mean": BASE + 0.01 + 0.0003 * ALTERNATING, "map": BASE - 0.01 + 0.0003 * ALTERNATING}
    assert "after correction for 2 comparisons" in Told(arms).details["Highest on validation"]


def test_what_is_undecided_says_what_was_missed_and_what_would_settle_it():
    said = Told({"cls": BASE, "mean": BASE + 0.001 + 0.006 * ALTERNATING}).details["Highest on validation"]
    assert "undecided against the baseline `cls` (+0.10 points, 95 % interval −0.44 to +0.64, n = 8)" in said
    assert "points would have been found with 80 % probability; about" in said
    assert "better" not in said


def test_one_seed_gives_no_interval_no_probability_and_no_noise():
    speeds = {"cls": [100.0] * 3, "mean": [150.0] * 3}
    found = Told({"cls": [0.97], "mean": [0.99]}, speeds=speeds).details
    assert "undecided against the baseline `cls` (+2.00 points, n = 1)" in found["Highest on validation"]
    assert "one seed cannot tell how many would settle it" in found["Highest on validation"]
    assert "interval" not in " ".join(found.values())
    assert "means of one seed, which give no probability" in found["Accuracy and speed"]
    assert found["Noise"].startswith("One seed per arm leaves unknown")


def test_a_failed_baseline_leaves_nothing_to_compare_with():
    found = Told({"cls": BASE * np.nan, "mean": BASE, "map": BASE - 0.01}).details
    assert "not comparable with the baseline `cls`: no seed is complete in both" in found["Highest on validation"]


def test_failures_are_counted_beside_n():
    found = Told({"cls": BASE, "mean": np.where(np.arange(8) == 3, np.nan, BASE + 0.01)}).details
    assert "n = 7, 1 failed)" in found["Highest on validation"]


def test_a_single_factor_has_its_share_and_no_interaction():
    found = Told({"cls": BASE, "mean": BASE + 0.01 + 0.0003 * ALTERNATING}).details
    assert "`pooling` explains" in found["Variance"]
    assert "pairs of factors" not in found["Variance"]


def factorial(seeds, interaction):
    noise = np.random.default_rng(1).normal(0, 0.0005, (4, seeds))
    return {
        f"{depth}/{pooling}": 0.9 + 0.02 * i + 0.01 * j + interaction * i * j + noise[2 * i + j]
        for i, depth in enumerate((2, 3))
        for j, pooling in enumerate(("cls", "mean"))
    }


@pytest.mark.parametrize(
    ("interaction", "said"), [(0.02, "what one changes depends on the other"), (0, "no interaction")]
)
def test_interactions_are_told_as_far_as_they_are_detected(interaction, said):
    factors = {"depth": (2, 3), "pooling": ("cls", "mean")}
    found = Told(factorial(6, interaction), factors).details["Variance"]
    assert found.index("`depth` explains") < found.index("`pooling` explains")
    assert said in found
    alone = Told({name: values[:1] for name, values in factorial(6, interaction).items()}, factors).details["Variance"]
    assert "depends on" not in alone
    assert "with one seed these shares hold its luck" in alone


def test_without_speed_nothing_is_said_of_cost():
    found = Told({"cls": BASE, "mean": BASE}).details
    assert found["Accuracy and speed"].startswith("Speed was not measured")


def test_the_front_with_probabilities():
    speeds = {"cls": [100.0, 101, 99], "mean": [200.0, 202, 198], "map": [50.0, 51, 49]}
    arms = {"cls": BASE, "mean": BASE - 0.02, "map": BASE - 0.03}
    found = Told(arms, speeds=speeds).details["Accuracy and speed"]
    assert "are by the means `cls` (97.35 %, 100 images/s, probability > 0.99), `mean` (95.35 %, 200" in found
    assert "map" not in found
    slow = {name: [s / 5 for s in rounds] if name == "cls" else rounds for name, rounds in speeds.items()}
    found = Told({**arms, "mean": BASE + 0.02}, speeds=slow).details["Accuracy and speed"]
    assert "the baseline is not on it (probability < 0.01)" in found


def test_noise_is_split_into_training_and_test_set():
    random = np.random.default_rng(1)

    def outcomes(spread):
        return [pack(torch.from_numpy(random.random(2000) < 0.8 + s)) for s in spread * ALTERNATING]

    def noise(spread):
        return Told({"cls": BASE, "mean": BASE}, correct={n: outcomes(spread) for n in ("cls", "mean")}).details[
            "Noise"
        ]

    luck, training = noise(0.0), noise(0.1)
    share = [int(text.split("; ")[1].split(" %")[0]) if "; " in text else 100 for text in (luck, training)]
    assert share[0] > 60
    assert share[1] < 5
    assert "standard deviation of 10." in training
    assert "2,000 test images" in training


def test_speed_contrasts_are_ratios_on_paired_rounds():
    plan = study_of({"pooling": ("cls", "mean")})
    drift = np.array([1.0, 1.3, 0.8, 1.1])
    measured = {c.content_hash: {"train_rounds": (100 * (1 + i) * drift).tolist()} for i, c in enumerate(plan.cells)}
    row = speed_contrasts(plan, rounds_frame(plan, measured)).iloc[0]
    assert (row["ratio"], row["ratio_high"]) == pytest.approx((2.0, 2.0))
    no_baseline = dataclasses.replace(plan, baseline="gone")
    assert not len(speed_contrasts(no_baseline, rounds_frame(plan, measured)))


def test_numbers_in_words():
    assert [signed(v) for v in (-0.0031, 0.0, -0.00001, 0.012)] == ["−0.31", "0.00", "0.00", "+1.20"]
    assert [probability(v) for v in (0, 0.5, 1)] == ["< 0.01", "0.50", "> 0.99"]
