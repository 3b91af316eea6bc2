"""Speed, time and memory compared by ratio, on paired rounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studies.statistics.families import contrasts_against
from studies.statistics.question import Question
from studies.statistics.seeds_by_arms import require_columns
from studies.statistics.verdicts import Contrast, contrast

COST_MARGIN = 0.02


def cost_question(metric: str, higher_is_better: bool, margin: float = COST_MARGIN) -> Question:
    """A cost or speed compared by ratio; ``margin`` is relative: 0.02 means that 2 % do not matter."""
    return Question(metric=metric, margin=float(np.log1p(margin)), higher_is_better=higher_is_better, unit="percent")


def log_ratio_contrast(
    a: Sequence[float], b: Sequence[float], margin: float = COST_MARGIN, higher_is_better: bool = True
) -> Contrast:
    """Compare costs or speeds on paired rounds; differences are natural logarithms of a / b.

    A ratio is what speed and memory are compared by, and its logarithm is symmetric in a and b.

    Args:
        a: positive values, one per round; NaN where a round is missing.
        b: the same rounds of the other arm.
        margin: relative; 0.02 means that 2 % do not matter.
        higher_is_better: False for a time or a memory.

    Raises:
        ValueError: a value is not positive, or what `contrast` raises.
    """
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if np.any(left <= 0) or np.any(right <= 0):
        raise ValueError("speeds, times and memory must be positive to be compared by ratio")
    return contrast(np.log(left), np.log(right), float(np.log1p(margin)), higher_is_better=higher_is_better)


def cost_contrasts(
    runs: pd.DataFrame, baseline_cell: str, question: Question, *, unit: str = "round", family: str | None = None
) -> pd.DataFrame:
    """Speed or memory of every cell against the baseline on paired rounds.

    ``COLUMNS`` with differences as logarithms of the ratio, and ``ratio``, ``ratio_low``, ``ratio_high``.

    Args:
        runs: one row per cell and round, measured on one machine (ratios across hardware mean nothing).
        baseline_cell: a value of the column ``cell``.
        question: a `cost_question`; its metric is a column of positive values, for example images per second.
        unit: the column that pairs rows.
        family: its name; by default it names metric and baseline.

    Raises:
        ValueError: a value is not positive, or what `contrasts_against` raises.
    """
    metric = question.metric
    require_columns(runs, metric)
    values = pd.to_numeric(runs[metric], errors="coerce")
    if (values <= 0).any():
        raise ValueError(f"{metric} must be positive to be compared by ratio; lowest: {values.min():g}")
    logs = runs.assign(**{metric: np.log(values)})
    table = contrasts_against(logs, baseline_cell, question, unit=unit, family=family)
    for name, log_ratio in (("ratio", "difference"), ("ratio_low", "low"), ("ratio_high", "high")):
        table[name] = np.exp(table[log_ratio].astype(float))
    return table
