"""What a score says of predictions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from studies.training.score import score


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_accuracies_by_hand(pairs):
    labels, predicted = (torch.tensor(column) for column in zip(*pairs, strict=True))
    found = score(torch.nn.functional.one_hot(predicted, 4).float(), labels)
    by_class = [[p == real for real, p in pairs if real == label] for label in {real for real, _ in pairs}]
    assert found.accuracy == pytest.approx(sum(p == real for real, p in pairs) / len(pairs))
    assert found.balanced_accuracy == pytest.approx(sum(sum(c) / len(c) for c in by_class) / len(by_class))


def test_who_always_says_the_most_frequent_class_has_no_balanced_accuracy_to_speak_of():
    labels = torch.tensor([0] * 98 + [1] * 2)
    found = score(torch.tensor([[1.0, 0.0]]).expand(100, 2), labels)
    assert found.accuracy == pytest.approx(0.98)
    assert found.balanced_accuracy == pytest.approx(0.5)
