import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from studies.answer import answer
from studies.design import Study, expand
from studies.front import rounds_frame, speed_contrasts, speed_front
from studies.phrases import probability, signed
from studies.recipe import Recipe
from studies.tables import LEAD, MEASURED, METRICS, cells_frame, contrasts_frame, effects_frame
from studies.trial import pack
from vit import PRESETS

ALTERNATING = np.array([1, -1, 1, -1, 1, -1, 1, -1.0])
BASE = 0.97 + 0.001 * np.arange(8)


def told(arms, factors=None, speeds=None, correct=None):
    """The sentences by topic, of arms given as accuracies by seed; NaN is a failed trial."""
    factors = factors or {"pooling": tuple(arms)}
    study = Study(name="s", question="?", base=PRESETS["tiny"], recipe=Recipe(), factors=factors)
    plan = expand(study, "cpu")
    levels = {cell.name: cell.levels for cell in plan.cells}
    rows = [
        {"cell": name, **levels[name], "seed": seed, "status": "failed" if np.isnan(value) else "complete"}
        | {"test_accuracy": value, "test_correct": correct[name][seed] if correct else None}
        for name, values in arms.items()
        for seed, value in enumerate(values)
    ]
    columns = dict.fromkeys([*LEAD, *factors, *METRICS, *MEASURED, "num_tokens", "params", "flops", "test_correct"])
    runs = pd.DataFrame(rows).reindex(columns=list(columns))
    cells, contrasts = cells_frame(plan, runs), contrasts_frame(plan, runs)
    measured = {c.content_hash: {"train_rounds": speeds[c.name]} for c in plan.cells} if speeds else {}
    front = speed_front(plan, runs, rounds_frame(plan, measured))
    found = answer(plan, runs, cells, contrasts, effects_frame(plan, contrasts), front)
    assert all(sentence.text.endswith(".") and "nan" not in sentence.text for sentence in found)
    return {sentence.topic: sentence.text for sentence in found}


def test_better():
    found = told({"cls": BASE, "mean": BASE + 0.01 + 0.0003 * ALTERNATING})
    assert "highest mean test accuracy of 2 arms is that of `mean`, 98.35 %" in found["Highest mean"]
    assert (
        "it is better than the baseline `cls` by 1.00 points (95 % interval +0.97 to +1.03, n = 8, p = 0.0078"
        in (found["Highest mean"])
    )
    assert "it is better (`pooling` mean instead of cls +1.00 points" in found["Main effects"]


def test_worse_is_told_of_the_next_after_a_leading_baseline():
    found = told({"cls": BASE, "mean": BASE - 0.01 + 0.0003 * ALTERNATING})
    assert found["Highest mean"].startswith(
        "No arm has a higher mean test accuracy than the baseline `cls` with 97.35 %"
    )
    assert "the next of 2 arms, `mean`, is worse than it by 1.00 points" in found["Highest mean"]
    assert "it is worse" in found["Main effects"]


def test_equivalent_makes_no_winner():
    found = told({"cls": BASE, "mean": BASE + 0.0003 + 0.0003 * ALTERNATING})
    assert "it is equivalent to the baseline `cls` within ±0.2 points (+0.03 points" in found["Highest mean"]
    assert "better" not in " ".join(found.values())


def test_no_detectable_difference_says_what_was_missed_and_what_would_settle_it():
    found = told({"cls": BASE, "mean": BASE + 0.001 + 0.006 * ALTERNATING})
    assert "it is not detectably different from the baseline `cls` (+0.10 points" in found["Highest mean"]
    assert "points would have shown with 80 % probability); about" in found["Highest mean"]
    assert "better" not in " ".join(found.values())


def test_underpowered_declares_no_winner_however_large_the_difference():
    found = told({"cls": BASE[:5], "mean": BASE[:5] + 0.05 + 0.003 * ALTERNATING[:5]})
    assert (
        "underpowered: no outcome of 5 pairs could have passed the test, so no winner is declared"
        in (found["Highest mean"])
    )
    assert "about 6 seeds would settle it" in found["Highest mean"]
    assert "it is underpowered" in found["Main effects"]
    assert "better" not in " ".join(found.values())


def test_one_seed_gives_no_interval_no_probability_and_no_noise():
    speeds = {"cls": [100.0] * 3, "mean": [150.0] * 3}
    found = told({"cls": [0.97], "mean": [0.99]}, speeds=speeds)
    assert "it is +2.00 points from the baseline `cls` (n = 1), but underpowered" in found["Highest mean"]
    assert "one seed cannot tell how many would settle it" in found["Highest mean"]
    assert "interval" not in " ".join(found.values())
    assert "means of one seed, which give no probability" in found["Accuracy and speed"]
    assert found["Noise"].startswith("One seed per arm leaves unknown")


def test_a_study_without_a_complete_trial_has_no_answer():
    assert list(told({"cls": [np.nan], "mean": [np.nan]})) == ["No answer yet"]


def test_an_arm_whose_trials_all_failed_is_not_compared():
    found = told({"cls": BASE, "mean": BASE * np.nan})
    assert "One arm has results, `cls`" in found["Highest mean"]
    assert "no seed complete in both" in found["Main effects"]


def test_a_failed_baseline_leaves_nothing_to_compare_with():
    found = told({"cls": BASE * np.nan, "mean": BASE, "map": BASE - 0.01})
    assert "not comparable with the baseline `cls`: no seed is complete in both" in found["Highest mean"]


def test_failures_are_counted_beside_n():
    found = told({"cls": BASE, "mean": np.where(np.arange(8) == 3, np.nan, BASE + 0.01)})
    assert "n = 7, 1 failed)" in found["Highest mean"]


def test_a_single_factor_has_its_share_and_no_interaction():
    found = told({"cls": BASE, "mean": BASE + 0.01 + 0.0003 * ALTERNATING})
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
    found = told(factorial(6, interaction), factors)["Variance"]
    assert found.index("`depth` explains") < found.index("`pooling` explains")
    assert said in found
    alone = told({name: values[:1] for name, values in factorial(6, interaction).items()}, factors)["Variance"]
    assert "depends on" not in alone
    assert "with one seed these shares hold its luck" in alone


def test_without_speed_nothing_is_said_of_cost():
    assert told({"cls": BASE, "mean": BASE})["Accuracy and speed"].startswith("Speed was not measured")


def test_the_front_with_probabilities():
    speeds = {"cls": [100.0, 101, 99], "mean": [200.0, 202, 198], "map": [50.0, 51, 49]}
    found = told({"cls": BASE, "mean": BASE - 0.02, "map": BASE - 0.03}, speeds=speeds)["Accuracy and speed"]
    assert "are by the means `cls` (97.35 %, 100 images/s, probability > 0.99), `mean` (95.35 %, 200" in found
    assert "map" not in found
    slow = {name: [s / 5 for s in rounds] if name == "cls" else rounds for name, rounds in speeds.items()}
    found = told({"cls": BASE, "mean": BASE + 0.02, "map": BASE - 0.03}, speeds=slow)["Accuracy and speed"]
    assert "the baseline is not on it (probability < 0.01)" in found


def test_noise_is_split_into_training_and_test_set():
    random = np.random.default_rng(1)

    def outcomes(spread):
        return [pack(torch.from_numpy(random.random(2000) < 0.8 + s)) for s in spread * ALTERNATING]

    luck = told({"cls": BASE, "mean": BASE}, correct={"cls": outcomes(0.0), "mean": outcomes(0.0)})["Noise"]
    training = told({"cls": BASE, "mean": BASE}, correct={"cls": outcomes(0.1), "mean": outcomes(0.1)})["Noise"]
    share = [int(text.split("; ")[1].split(" %")[0]) if "; " in text else 100 for text in (luck, training)]
    assert share[0] > 60
    assert share[1] < 5
    assert "standard deviation of 10." in training
    assert "2,000 test images" in training


def test_speed_contrasts_are_ratios_on_paired_rounds():
    plan = expand(
        Study(name="s", question="?", base=PRESETS["tiny"], recipe=Recipe(), factors={"pooling": ("cls", "mean")}),
        "cpu",
    )
    drift = np.array([1.0, 1.3, 0.8, 1.1])
    measured = {c.content_hash: {"train_rounds": (100 * (1 + i) * drift).tolist()} for i, c in enumerate(plan.cells)}
    row = speed_contrasts(plan, rounds_frame(plan, measured)).iloc[0]
    assert row["ratio"] == pytest.approx(2.0)
    assert row["ratio_high"] == pytest.approx(2.0)
    no_baseline = dataclasses.replace(plan, baseline="gone")
    assert not len(speed_contrasts(no_baseline, rounds_frame(plan, measured)))


def test_numbers_in_words():
    assert [signed(v) for v in (-0.0031, 0.0, -0.00001, 0.012)] == ["−0.31", "0.00", "0.00", "+1.20"]
    assert [probability(v) for v in (0, 0.5, 1)] == ["< 0.01", "0.50", "> 0.99"]
