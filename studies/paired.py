"""The arithmetic of paired differences, for one comparison or for thousands at once.

Every function takes differences shaped ``(..., n)``, one per seed on the last axis, in the unit of the
metric, and answers shaped ``(...)``. `studies.statistics` calls them with one row, `studies.calibration`
with whole simulated studies: what is calibrated is what is reported.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

RANDOM_FLIPS = 10_000
ROUNDING = 1e-12  # relative to the values compared
CHUNK = 200_000  # sums held at once: what a cache holds


def smallest_p(n: int) -> float:
    """The smallest two-sided p that `sign_flip_p` can give for ``n`` pairs: 2^(1-n) up to 14, then 1/10,001."""
    return float(min(1.0, max(2.0 ** (1 - n), 1 / (RANDOM_FLIPS + 1))))


@functools.cache
def flips(n: int) -> Floats:
    """Sign patterns ``(n, f)``, all different, one of each mirrored pair, the one without any flip left out.

    All 2^(n-1) - 1 of them up to n = 14; beyond, ``RANDOM_FLIPS`` random ones from a generator of their own
    with a fixed seed, so that a p value is a function of the data alone.
    """
    rng = np.random.default_rng(n)
    counted = min(n - 1, 40)  # bits that tell patterns apart; more would not fit an integer
    codes = np.arange(1, 2**counted) if counted < 14 else 1 + rng.choice(2**counted - 1, RANDOM_FLIPS, False)
    bits = (codes[None, :] >> np.arange(counted + 1)[:, None]) & 1
    more = rng.integers(0, 2, size=(n - 1 - counted, len(codes)))
    return np.asarray(1.0 - 2.0 * np.concatenate([bits, more]), dtype=np.float64)


def _count_extreme(size: Floats, observed: Floats, signs: Floats) -> Floats:
    counts = np.empty(len(size))
    step = max(1, CHUNK // max(1, signs.shape[1]))
    for start in range(0, len(size), step):
        rows = slice(start, start + step)
        sums = size[rows] @ signs
        counts[rows] = np.count_nonzero(np.abs(sums, out=sums) >= observed[rows, None], axis=1)
    return counts


def sign_flip_p(differences: ArrayLike) -> Floats:
    """Two-sided sign-flip p of "the difference is symmetric about 0" (Fisher 1935, section 21).

    Exact, from all 2^n flips, up to n = 14 (one of each mirrored pair is enough: at most 8,192). Beyond, from
    ``RANDOM_FLIPS`` random ones with the +1 correction of Phipson and Smyth (2010, arXiv 1603.05766), drawn
    without repetition and without the data themselves. The flips act on the sorted absolute differences,
    which has the same distribution and makes p independent of the order of the seeds and of which arm is a.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = values.shape[-1]
    if n == 0:
        return np.ones(values.shape[:-1])
    rows = values.reshape(-1, n)
    size = np.sort(np.abs(rows), axis=1)
    # equal sums must count as equal, whatever the rounding
    observed = np.abs(rows.sum(axis=1)) - 1e-9 * size.sum(axis=1)
    signs = flips(n)
    p = (_count_extreme(size, observed, signs) + 1) / (signs.shape[1] + 1)
    return np.asarray(p.reshape(values.shape[:-1]))


def t_bounds(values: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper bound of the t interval of the mean; NaN below two values."""
    array = np.asarray(values, dtype=np.float64)
    n = array.shape[-1]
    if n < 2:
        nothing = np.full(array.shape[:-1], np.nan)
        return nothing, nothing
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * array.std(axis=-1, ddof=1) / np.sqrt(n)
    mean = array.mean(axis=-1)
    return mean - half, mean + half


def equivalence_p(differences: ArrayLike, margin: float) -> Floats:
    """p of "the mean difference is at least ``margin`` in size": two one-sided paired t tests.

    Schuirmann (1987); Lakens (2017). The larger of the two one-sided p values, and never below 2^-n, which
    is what a one-sided sign test could give for n pairs: n equal differences, or two that happen to agree,
    carry no estimate of the noise and must not pass for proof. 1 below two pairs.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = values.shape[-1]
    if n < 2:
        return np.ones(values.shape[:-1])
    room = margin - np.abs(values.mean(axis=-1))
    error = values.std(axis=-1, ddof=1) / np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = stats.t.sf(room / error, n - 1)
    return np.asarray(np.maximum(np.where(np.isnan(p), 1.0, p), 2.0**-n))


def differences_of(a: ArrayLike, b: ArrayLike) -> Floats:
    """a - b over complete pairs; what is only rounding becomes exactly 0, or exactly equal.

    Raises:
        ValueError: a and b are not two lists of one length.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.ndim != 1 or left.shape != right.shape:
        raise ValueError(
            f"a {left.shape} and b {right.shape} must be two lists of one length, paired by position; "
            "use NaN where a value is missing"
        )
    complete = np.isfinite(left) & np.isfinite(right)
    left, right = left[complete], right[complete]
    difference = left - right
    noise = ROUNDING * np.max(np.abs([left, right]), initial=0.0)
    difference[np.abs(difference) <= noise] = 0.0
    if len(difference) and np.ptp(difference) <= noise:
        difference[:] = difference.mean() if np.any(difference) else 0.0
    return np.asarray(difference)
