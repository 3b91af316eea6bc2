"""What is said of a front that was searched and then trained anew."""

import pandas as pd
import pytest

from studies.findings.fronts import sentences


def told(searched: list[float], again: list[float], tested: list[float]) -> str:
    names = [f"trial-{i}" for i in range(len(searched))]
    trials = pd.DataFrame({"configuration": names, "val_accuracy": searched, "hypervolume": 1.0, "state": "complete"})
    cells = pd.DataFrame({"cell": names, "n": 3, "val_accuracy_mean": again, "test_accuracy_mean": tested})
    cells = cells.assign(test_accuracy_low=cells["test_accuracy_mean"], test_accuracy_high=cells["test_accuracy_mean"])
    importance = pd.DataFrame({"objective": [], "parameter": [], "importance": []})
    found = sentences(trials.assign(confirmed=True, on_front=True), cells, importance)
    return next(sentence.text for sentence in found if sentence.topic == "Confirmed")


def test_the_best_is_chosen_on_validation_though_the_test_set_likes_another():
    assert "most accurate there, `trial-1`, has 93.00 %" in told([0.95, 0.96], [0.94, 0.95], [0.94, 0.93])


@pytest.mark.parametrize(
    ("again", "words"), [(0.94, "1.00 points lower than the search saw"), (0.96, "1.00 points higher than the search")]
)
def test_what_became_of_chosen_accuracies_has_a_direction(again, words):
    assert words in told([0.95], [again], [0.9])
