"""What a comparison is about: the metric, which direction is good, and how small a difference does not matter."""

from __future__ import annotations

import math
from dataclasses import dataclass

ALPHA = 0.05
MARGIN = 0.002
"""Of accuracy: 0.2 points."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One metric and the terms on which its differences are judged.

    Args:
        metric: a column of the table of runs.
        margin: differences smaller than this matter to nobody; in the unit of the metric.
        alpha: the error rate of a whole family of comparisons.
        higher_is_better: False for a loss, a time or a memory.
        unit: how differences are said: ``points`` of a fraction, ``percent`` of a ratio whose logarithm is
            compared, or any other word for the metric's own unit.

    Raises:
        ValueError: a negative margin, or an alpha outside (0, 1).
    """

    metric: str = "test_accuracy"
    margin: float = MARGIN
    alpha: float = ALPHA
    higher_is_better: bool = True
    unit: str = "points"

    def __post_init__(self) -> None:
        if not (self.margin >= 0 and math.isfinite(self.margin)):
            raise ValueError(f"margin={self.margin!r} must be a finite number, 0 or more, in the unit of the values")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha={self.alpha!r} must lie between 0 and 1, for example {ALPHA}")


ACCURACY = Question()
"""Test accuracy, within 0.2 points, at 5 % for the family."""
