"""How far the number of decided arms is luck: what other seeds would have decided, were the observed truth."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import ArrayLike

from studies.statistics.holm import holm_adjusted
from studies.statistics.moderated import compare, moderate
from studies.statistics.question import Question

STUDIES = 400
MOST_SEEDS = 50
"""With more, the count hardly scatters, and simulating them takes long."""
RANGE = (0.05, 0.95)


def decided_range(values: ArrayLike, question: Question, share: float = 1.0) -> tuple[int, int] | None:
    """Between which numbers of decided arms nine of ten repetitions would fall; None below two seeds or above 50.

    A parametric bootstrap (Efron and Tibshirani 1993, chapter 6.5): repetitions have moderated variances, normal
    noise, and as truth the observed differences, less what of their size is noise (James and Stein 1961), so that
    arms that only scatter are not taken for different.

    Args:
        values: shaped ``(arms, seeds)``, the baseline first; seeds that some arm lacks are left out.
        question: margin and error rate.
        share: of the error rate that this look may spend.
    """
    runs = np.asarray(values, dtype=np.float64)
    runs = runs[:, np.isfinite(runs).all(axis=0)]
    arms, seeds = runs.shape
    if not 2 <= seeds <= MOST_SEEDS or arms < 2:
        return None
    rng = np.random.default_rng(zlib.crc32(runs.tobytes()))
    noise = rng.standard_normal((STUDIES, arms, seeds)) * np.sqrt(moderate(runs).variance)[:, None]
    observed = compare(runs)
    signal = max(0.0, 1 - float(np.sum(observed.error**2) / max(np.sum(observed.difference**2), 1e-300)))
    truth = signal * (runs.mean(axis=1) - runs[0].mean())
    found = compare(truth[:, None] + noise)
    p = (np.minimum(1.0, one / share) for one in (found.p(), found.equivalence_p(question.margin)))
    decided = np.any([holm_adjusted(one) <= question.alpha for one in p], axis=0).sum(axis=-1)
    low, high = np.quantile(decided, RANGE)
    return int(low), int(high)
