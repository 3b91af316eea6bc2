"""What a number of seeds can detect, and how many seeds would settle a question."""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy import optimize, stats

from studies.paired import Floats, sign_flip_p, smallest_p

POWER = 0.8
SIMULATED = 2_000
SIMULATED_UP_TO = 16  # seeds
MOST_SEEDS = 100_000


@functools.cache
def _sd_factors(n: int) -> Floats:
    """Quantiles of (estimated sd / true sd) with n normal values: 400 equally likely ones."""
    middles = (np.arange(400) + 0.5) / 400
    return np.asarray(np.sqrt(stats.chi2.ppf(middles, n - 1) / (n - 1)))


def _t_power(effect: float, n: int, alpha: float) -> float:
    """Power of the two-sided paired t test, averaged over the sd that the test will estimate."""
    critical = stats.t.isf(alpha / 2, n - 1) * _sd_factors(n)
    return float(stats.norm.cdf(effect * math.sqrt(n) - critical).mean())


@functools.cache
def _normal_samples(n: int) -> Floats:
    return np.random.default_rng(n).standard_normal((SIMULATED, n))


def _sign_flip_power(effect: float, n: int, alpha: float) -> float:
    if n > SIMULATED_UP_TO:
        return _t_power(effect, n, alpha)
    return float(np.mean(sign_flip_p(_normal_samples(n) + effect) <= alpha * (1 + 1e-9)))


@functools.cache
def required_effect(n: int, alpha: float = 0.05, power: float = POWER) -> float:
    """The true d_z (mean over sd of the paired differences) that n pairs detect with ``power``.

    Normal differences, the two-sided sign-flip test at level ``alpha``. Up to 16 pairs by running that test
    on 2,000 simulated samples (fixed seed), since its p takes few values there and the t formula promises up
    to 15 points too much power; beyond, by the power of the t test, which the sign-flip test approaches.
    Infinite where no difference, however large, could reach ``alpha``.
    """
    if smallest_p(n) > alpha:
        return math.inf
    if alpha >= power:
        return 0.0
    by_t = float(optimize.brentq(lambda d: _t_power(d, n, alpha) - power, 0.0, 100.0))
    if n > SIMULATED_UP_TO:
        return by_t
    return float(
        optimize.bisect(
            lambda d: _sign_flip_power(d, n, alpha) - power, 0.5 * by_t, 3.0 * by_t, xtol=0.002 * by_t
        )
    )


def detectable_difference(n: int, sd: float, alpha: float = 0.05, power: float = POWER) -> float:
    """The smallest true difference found with ``power``, in the unit of ``sd`` (of paired differences).

    The observed sd stands for the true one, so with few pairs this is itself a rough figure. NaN where the
    sd is unknown.
    """
    effect = required_effect(n, alpha, power)
    if math.isnan(sd) or math.isinf(effect):
        return math.nan if n < 2 else effect
    return effect * sd


def equivalence_power(difference: float, sd: float, n: int, margin: float, alpha: float = 0.05) -> float:
    """Power of `paired.equivalence_p` at a true difference: Owen's formula (Phillips 1990)."""
    if n < 2 or 2.0**-n > alpha:
        return 0.0
    if sd == 0:
        return float(abs(difference) < margin)
    critical = stats.t.isf(alpha, n - 1) * _sd_factors(n)
    root = math.sqrt(n) / sd
    inside = stats.norm.cdf((margin - difference) * root - critical) - stats.norm.cdf(
        -(margin + difference) * root + critical
    )
    return float(np.maximum(inside, 0.0).mean())


def _detects(n: int, difference: float, sd: float, alpha: float, power: float) -> bool:
    if difference == 0 or smallest_p(n) > alpha:
        return False
    if sd == 0:
        return True
    effect = abs(difference) / sd
    # the t test is the more powerful of the two, and the cheaper to ask
    return _t_power(effect, n, alpha) >= 0.95 * power and _sign_flip_power(effect, n, alpha) >= power


def _settles(n: int, difference: float, sd: float, margin: float, alpha: float, power: float) -> bool:
    if equivalence_power(difference, sd, n, margin, alpha) >= power:
        return True
    return _detects(n, difference, sd, alpha, power)


def seeds_needed(difference: float, sd: float, margin: float, alpha: float = 0.05, power: float = POWER) -> float:
    """The fewest pairs that settle a comparison, were the observed difference and sd the truth.

    Settled: better, worse or equivalent with probability ``power``. NaN where the sd is unknown, infinite
    beyond 100,000.
    """
    if math.isnan(sd):
        return math.nan
    low, high = 1, 2
    while not _settles(high, difference, sd, margin, alpha, power):
        low, high = high, 2 * high
        if high > MOST_SEEDS:
            return math.inf
    while high - low > 1:
        middle = (low + high) // 2
        settled = _settles(middle, difference, sd, margin, alpha, power)
        low, high = (low, middle) if settled else (middle, high)
    return float(high)
