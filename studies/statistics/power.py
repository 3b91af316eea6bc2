"""What a number of seeds can detect, and how many seeds would settle a question."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from scipy import optimize, special

from studies.statistics.paired_tests import Floats

Bounds = tuple[float, float]
POWER = 0.8
MOST_SEEDS = 100_000
FEWEST = 2


@functools.lru_cache(maxsize=4096)
def _critical(df: float, tail: float) -> Floats:
    """Critical values of a t test in units of the true standard error: one for each of 400 equally likely estimates."""
    middles = (np.arange(400) + 0.5) / 400
    return np.asarray(_t_above(tail, df) * np.sqrt(special.chdtri(df, 1 - middles) / df))


def _t_above(tail: float, df: float) -> float:
    """What Student's t exceeds with this probability, as ``scipy.stats`` has it, which takes half a second to load."""
    return -float(special.stdtrit(df, tail)) if tail > 0 else math.inf


def t_power(difference: float, error: float, df: float, alpha: float = 0.05) -> float:
    """Power of the two-sided t test at a true difference, averaged over the error that the test will estimate.

    Args:
        difference: in any unit.
        error: the true standard error, in the same unit.
        df: degrees of freedom of its estimate.
        alpha: level of the test.
    """
    if error == 0:
        return float(difference != 0)
    return float(special.ndtr(abs(difference) / error - _critical(df, alpha / 2)).mean())


def equivalence_power(difference: float, error: float, df: float, margin: float, alpha: float = 0.05) -> float:
    """Power of two one-sided t tests at a true difference: Owen's formula (Phillips 1990)."""
    if error == 0:
        return float(abs(difference) < margin)
    critical = _critical(df, alpha)
    inside = special.ndtr((margin - difference) / error - critical) - special.ndtr(
        -(margin + difference) / error + critical
    )
    return float(np.maximum(inside, 0.0).mean())


def detectable_difference(error: float, df: float, alpha: float = 0.05, power: float = POWER) -> float:
    """The smallest true difference that the t test finds with ``power``, in the unit of ``error``.

    The estimated error stands for the true one, so with few pairs this is itself a rough figure. NaN where the
    error is unknown.
    """
    if not (math.isfinite(error) and math.isfinite(df)):
        return math.nan
    return error * _required(round(df, 2), alpha, power)


@functools.lru_cache(maxsize=4096)
def _required(df: float, alpha: float, power: float) -> float:
    """The true difference, in standard errors, that is found with ``power``."""
    if alpha >= power:
        return 0.0
    if alpha <= 0:
        return math.inf
    highest = 10 * _t_above(alpha / 2, df) + 10
    return float(optimize.brentq(lambda effect: t_power(effect, 1.0, df, alpha) - power, 0.0, highest))


def seeds_needed(
    difference: float, error: float, df: float, n: int, margin: float, alpha: float = 0.05, power: float = POWER
) -> float:
    """The fewest pairs that settle a comparison, were the observed difference and spread the truth.

    Settled: better, worse or equivalent with probability ``power``. The error shrinks with the root of the pairs,
    its degrees of freedom grow with them. NaN where the error is unknown, infinite beyond 100,000.

    Args:
        difference: observed.
        error: its standard error from ``n`` pairs.
        df: of that error.
        n: pairs.
        margin: of equivalence.
        alpha: level of the test.
        power: wanted.
    """
    if n < FEWEST or not (math.isfinite(error) and math.isfinite(df)):
        return math.nan
    if alpha <= 0:
        return math.inf

    def settles(pairs: int) -> bool:
        if error == 0 and 2.0 ** (1 - pairs) > alpha:  # p stops at the signs
            return False
        then, worth = error * math.sqrt(n / pairs), round(df * (pairs - 1) / (n - 1), 2)
        found = t_power(difference, then, worth, alpha)
        return found >= power or equivalence_power(difference, then, worth, margin, alpha) >= power

    return _first(settles)


def seeds_range(low: float, high: float, error: float, df: float, n: int, margin: float, alpha: float) -> Bounds:
    """The fewest and the most of ``seeds_needed`` over true differences from ``low`` to ``high``, an interval.

    It is much wider than one thinks: seeds go with the inverse square of the difference.
    """
    halfway = [side * margin / 2 for side in (-1, 1) if low < side * margin / 2 < high]  # where most are needed
    needed = [seeds_needed(d, error, df, n, margin, alpha) for d in [*np.linspace(low, high, 9).tolist(), *halfway]]
    return max(min(needed), n + 1.0), max(*needed, n + 1.0)


def _first(holds: Callable[[int], bool]) -> float:
    """The smallest n >= 2 from which a condition holds, by doubling and halving; infinite if beyond reach."""
    low, high = 1, FEWEST
    while not holds(high):
        low, high = high, 2 * high
        if high > MOST_SEEDS:
            return math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return float(high)
