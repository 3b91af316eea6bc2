"""How much of the spread between seeds is training, and how much is the finite test set."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True)
class SeedVariance:
    """The variance of test accuracy between seeds and its two parts, in squared fractions.

    Args:
        seeds: rows that were given.
        examples: test examples.
        total: variance of the accuracies, on this test set.
        finite_test_set: what networks of exactly equal quality would show on so few examples.
        training: variance of the accuracy on unlimited test data; unbiased, so it can be negative.
        training_low: lower bound of a rough 95 % interval of it, at least 0.
        training_high: upper bound.
    """

    seeds: int
    examples: int
    total: float
    finite_test_set: float
    training: float
    training_low: float
    training_high: float

    @property
    def share_finite(self) -> float:
        """Share of the total that the finite test set explains, within [0, 1]; NaN without any variance."""
        return min(1.0, self.finite_test_set / self.total) if self.total > 0 else math.nan


def split_seed_variance(correct: ArrayLike, confidence: float = 0.95) -> SeedVariance:
    """Split the variance of accuracy between seeds of one arm (Jordan 2023, arXiv 2304.01910).

    With C[s, i] whether seed s gets example i right, and examples drawn independently from a distribution,
    the variance over seeds of the accuracy on m of them is, on average over test sets,

        total = mean_i Var_s(C[s, i]) / m  +  (1 - 1/m) * training

    where training is the variance over seeds of the accuracy on the whole distribution. Variances over seeds
    are estimated with k - 1 in the denominator, so each part is unbiased. The first part is below the
    binomial error (1 - error) / m, since examples that every seed gets wrong add nothing to it.

    The interval takes the chi-squared interval of ``total`` (k - 1 degrees of freedom) and holds the first
    part fixed, which m examples make precise; with few seeds it is wide, and says so.

    Args:
        correct: booleans ``(seeds, examples)``, the same examples in the same order for every seed.
        confidence: of the interval.

    Raises:
        ValueError: not two-dimensional, or fewer than 2 seeds or 2 examples.
    """
    right = np.asarray(correct)
    if right.ndim != 2 or right.shape[0] < 2 or right.shape[1] < 2:
        raise ValueError(f"correct has shape {right.shape}; it needs (seeds, examples), at least (2, 2)")
    k, m = right.shape
    total = float(right.mean(axis=1).var(ddof=1))
    finite = float(right.var(axis=0, ddof=1).mean()) / m
    tail = (1 - confidence) / 2
    bounds = [total * (k - 1) / float(stats.chi2.ppf(q, k - 1)) for q in (1 - tail, tail)]
    training, low, high = ((value - finite) / (1 - 1 / m) for value in (total, *bounds))
    return SeedVariance(k, m, total, finite, training, max(0.0, low), max(0.0, high))
