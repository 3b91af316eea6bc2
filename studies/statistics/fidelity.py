"""Whether short runs may stand for long ones: how alike they rank the arms, and how alike they judge pairs."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import pandas as pd
from scipy import stats

from studies.statistics.judging import Pair, judge_pairs
from studies.statistics.question import Question

SETTLED = ("better", "worse")


@dataclass(frozen=True)
class Fidelity:
    """Short against long runs of the same arms.

    Args:
        arms: that have results in both.
        tau: Kendall's rank correlation (tau-b) of the arms' means; NaN where it is not defined.
        low: lower bound of its 95 % interval, over arms of this kind; NaN below five arms.
        high: upper bound.
        decided: pairs of arms of which the long runs call one better.
        ordered: of these, those whose means stand in the same order in the short runs.
        called: pairs of which the short runs call one better.
        confirmed: of these, those that the long runs call so, too.
        contradicted: of these, those of which the long runs call the other one better.
    """

    arms: int
    tau: float
    low: float
    high: float
    decided: int
    ordered: int
    called: int
    confirmed: int
    contradicted: int


def fidelity(short: pd.DataFrame, long: pd.DataFrame, question: Question) -> Fidelity:
    """Compare two tables of values, seeds by arms; NaN where a run has no value.

    The interval of tau is that of Fieller, Hartley and Pearson (1957): atanh(tau) +- 1.96 sqrt(0.437 / (n - 4)).
    It takes the arms for a sample of such arms; seeds' luck is in tau itself, which noise pulls towards 0. Pairs are
    judged as everywhere here, all pairs of the short runs as one family, and all of the long runs as another.

    Raises:
        ValueError: fewer than two arms have values in both.
    """
    arms = [arm for arm in long if arm in short and short[arm].notna().any() and long[arm].notna().any()]
    if len(arms) < 2:
        raise ValueError(f"{len(arms)} arms have results in both: ranks need two")
    means = _means(short[arms]), _means(long[arms])
    pairs = [Pair(a, b) for a, b in itertools.combinations(arms, 2)]
    judged = [[one.verdict for one in judge_pairs(table[arms], None, pairs, question)] for table in (short, long)]
    sign = 1.0 if question.higher_is_better else -1.0
    decided = ordered = called = confirmed = contradicted = 0
    for pair, quick, full in zip(pairs, *judged, strict=True):
        if full in SETTLED:
            decided += 1
            ordered += int(sign * (means[0][pair.a] - means[0][pair.b]) * (1 if full == "better" else -1) > 0)
        if quick in SETTLED:
            called += 1
            confirmed += int(full == quick)
            contradicted += int(full in SETTLED and full != quick)
    tau = round(float(stats.kendalltau(*means).statistic), 12)  # else 1 is 0.9999999999999999
    low, high = tau_interval(tau, len(arms))
    return Fidelity(len(arms), tau, low, high, decided, ordered, called, confirmed, contradicted)


def _means(values: pd.DataFrame) -> pd.Series[float]:
    """Over the seeds that every arm has, so that no arm is judged by another's luck; over all where there is none."""
    whole = values.dropna()
    return (whole if len(whole) else values).mean()


def tau_interval(tau: float, arms: int) -> tuple[float, float]:
    """95 % bounds of Kendall's tau of so many arms; NaN below five arms or without a tau."""
    if arms < 5 or math.isnan(tau):
        return math.nan, math.nan
    if abs(tau) >= 1:
        return tau, tau
    reach = 1.959964 * math.sqrt(0.437 / (arms - 4))
    return math.tanh(math.atanh(tau) - reach), math.tanh(math.atanh(tau) + reach)
