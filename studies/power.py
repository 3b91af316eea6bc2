"""What a number of seeds can detect, and how many seeds would settle a question."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from scipy import optimize, special, stats

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


@functools.cache
def _critical(n: int, tail: float) -> Floats:
    """Critical values of a t test in units of the true standard error, one per sd that it may estimate."""
    return np.asarray(stats.t.isf(tail, n - 1) * _sd_factors(n))


def _t_power(effect: float, n: int, alpha: float) -> float:
    """Power of the two-sided paired t test, averaged over the sd that the test will estimate."""
    return float(special.ndtr(effect * math.sqrt(n) - _critical(n, alpha / 2)).mean())


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
    to 17 points too much power; beyond, by the power of the t test, which the sign-flip test approaches.
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
        optimize.bisect(lambda d: _sign_flip_power(d, n, alpha) - power, 0.5 * by_t, 3.0 * by_t, xtol=0.002 * by_t)
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
    critical = _critical(n, alpha)
    root = math.sqrt(n) / sd
    inside = special.ndtr((margin - difference) * root - critical) - special.ndtr(
        -(margin + difference) * root + critical
    )
    return float(np.maximum(inside, 0.0).mean())


def _detects_by_t(n: int, difference: float, sd: float, alpha: float, power: float) -> bool:
    if difference == 0 or smallest_p(n) > alpha:
        return False
    return sd == 0 or _t_power(abs(difference) / sd, n, alpha) >= power


def seeds_needed(difference: float, sd: float, margin: float, alpha: float = 0.05, power: float = POWER) -> float:
    """The fewest pairs that settle a comparison, were the observed difference and sd the truth.

    Settled: better, worse or equivalent with probability ``power``. NaN where the sd is unknown, infinite
    beyond 100,000.
    """
    if math.isnan(sd):
        return math.nan

    def equivalent(n: int) -> bool:
        return equivalence_power(difference, sd, n, margin, alpha) >= power

    n = _first(lambda n: equivalent(n) or _detects_by_t(n, difference, sd, alpha, power))
    # the sign-flip test is the weaker one where its p takes few values
    while n <= SIMULATED_UP_TO and sd > 0 and not equivalent(int(n)):
        if _sign_flip_power(abs(difference) / sd, int(n), alpha) >= power:
            break
        n += 1
    return n


def _first(holds: Callable[[int], bool]) -> float:
    """The smallest n >= 2 from which a condition holds, by doubling and halving; infinite if beyond reach."""
    low, high = 1, 2
    while not holds(high):
        low, high = high, 2 * high
        if high > MOST_SEEDS:
            return math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return float(high)
