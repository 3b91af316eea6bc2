"""The arithmetic of paired differences, for one comparison or for thousands at once.

Every function takes differences shaped ``(..., n)``, one per seed on the last axis, in the unit of the
metric, and answers shaped ``(...)``. `verdicts` calls them with one row, `calibration`
with whole simulated studies: what is calibrated is what is reported.
"""

from __future__ import annotations

import functools
import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

ENUMERATED_UP_TO = 12  # pairs; one matrix product tries every flip for many comparisons at once
EXACT_UP_TO = 30
RANDOM_FLIPS = 10_000
FLIPS_AT_ONCE = 250  # thousands of seeds would else take gigabytes
ROUNDING = 1e-12  # relative to the values compared
CHUNK = 200_000  # sums held at once: what a cache holds


def smallest_p(n: int) -> float:
    """The smallest two-sided p that `sign_flip_p` can give for ``n`` pairs: 2^(1-n), at most 1.

    Beyond ``EXACT_UP_TO`` the number of random flips is the bound.
    """
    return float(min(1.0, 2.0 ** (1 - n) if n <= EXACT_UP_TO else 1 / (RANDOM_FLIPS + 1)))


@functools.cache
def flips(n: int) -> Floats:
    """Every pattern of n signs, shaped ``(n, 2^n)``."""
    bits = (np.arange(2**n)[None, :] >> np.arange(n)[:, None]) & 1
    return np.asarray(1.0 - 2.0 * bits, dtype=np.float64)


def _p_of_all_flips(size: Floats, observed: Floats) -> Floats:
    signs = flips(size.shape[1])[:, : 2 ** (size.shape[1] - 1)]  # one of each mirrored pair
    p = np.empty(len(size))
    step = max(1, CHUNK // signs.shape[1])
    for start in range(0, len(size), step):
        rows = slice(start, start + step)
        sums = size[rows] @ signs
        p[rows] = (np.abs(sums, out=sums) >= observed[rows, None]).mean(axis=1)
    return p


def _p_of_two_halves(size: Floats, observed: float) -> float:
    """All 2^n flips, without 2^n sums: those of each half, and how many pairs of them are large enough.

    Pagano and Tritchler (1983) give the idea; meeting in the middle is Horowitz and Sahni (1974).
    """
    half = len(size) // 2
    left, right = (np.sort(part @ flips(len(part))) for part in (size[:half], size[half:]))
    large = left.size * right.size - np.searchsorted(right, observed - left).sum()
    return min(1.0, float(2 * large / (left.size * right.size)))  # 2: as many are as small


def _p_of_random_flips(size: Floats, observed: float) -> float:
    rng = np.random.default_rng(zlib.crc32(size.tobytes()))
    draws = [min(FLIPS_AT_ONCE, RANDOM_FLIPS - done) for done in range(0, RANDOM_FLIPS, FLIPS_AT_ONCE)]
    sums = np.concatenate([(1.0 - 2.0 * rng.integers(0, 2, size=(k, len(size)))) @ size for k in draws])
    return float((np.count_nonzero(np.abs(sums) >= observed) + 1) / (RANDOM_FLIPS + 1))


def sign_flip_p(differences: ArrayLike) -> Floats:
    """Two-sided sign-flip p of "the difference is symmetric about 0" (Fisher 1935, section 21).

    Exact, from all 2^n flips, up to n = 30. Beyond, from ``RANDOM_FLIPS`` random ones with the +1 correction
    of Phipson and Smyth (2010, arXiv 1603.05766); their generator is seeded by the data, so that p is a
    function of the data alone and two contrasts do not share the luck of one draw. The flips act on the
    sorted absolute differences, which has the same distribution and makes p independent of the order of the
    seeds and of which arm is a.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = values.shape[-1]
    if n == 0:
        return np.ones(values.shape[:-1])
    rows = values.reshape(-1, n)
    size = np.sort(np.abs(rows), axis=1)
    # equal sums must count as equal, whatever the rounding
    observed = np.abs(rows.sum(axis=1)) - 1e-9 * size.sum(axis=1)
    if n <= ENUMERATED_UP_TO:
        p = _p_of_all_flips(size, observed)
    else:
        one = _p_of_two_halves if n <= EXACT_UP_TO else _p_of_random_flips
        p = np.array([one(*row) for row in zip(size, observed, strict=True)])
    return np.asarray(p.reshape(values.shape[:-1]))


def exact_sign_flip_p(differences: Floats, alpha: float) -> float:
    """`sign_flip_p` of one comparison; NaN where so few pairs cannot reach alpha, or too many to flip them all."""
    n = len(differences)
    return float(sign_flip_p(differences)) if smallest_p(n) <= alpha and n <= EXACT_UP_TO else float("nan")


def t_bounds(values: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper bound of the t interval of the mean; NaN below two values."""
    array = np.asarray(values, dtype=np.float64)
    n = array.shape[-1]
    if n < 2:
        nothing = np.full(array.shape[:-1], np.nan)
        return nothing, nothing
    half = special.stdtrit(n - 1, (1 + confidence) / 2) * array.std(axis=-1, ddof=1) / np.sqrt(n)
    mean = array.mean(axis=-1)
    return mean - half, mean + half


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
