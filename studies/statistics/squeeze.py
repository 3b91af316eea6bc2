"""What many arms' variances say about one another: the prior of empirical Bayes (Smyth 2004)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

FEWEST = 3  # arms; two tell no spread of spreads
CERTAIN = 1e6  # degrees of freedom that stand for "all arms have one variance"


@dataclass(frozen=True)
class Prior:
    """A scaled inverse chi-squared prior of the arms' variances; both shaped like the studies.

    Args:
        variance: what arms are shrunk to.
        df: its weight in degrees of freedom, at most ``CERTAIN``; 0 where fewer than ``FEWEST`` arms tell.
    """

    variance: Floats
    df: Floats


def trigamma_inverse(x: ArrayLike) -> Floats:
    """y with trigamma(y) = x > 0, by Newton's method on 1 / trigamma (Smyth 2004, appendix)."""
    values = np.clip(np.asarray(x, dtype=np.float64), 1e-7, 1e7)
    y = np.where(values > 5, 1 / np.sqrt(values), 0.5 + 1 / values)
    for _ in range(5):  # quadratic: 1e-10 after five steps, wherever x lies
        trigamma = special.zeta(2, y)
        y = y + trigamma * (1 - trigamma / values) / (-2 * special.zeta(3, y))
    return np.asarray(y)


def fit_prior(variance: Floats, df: Floats) -> Prior:
    """The prior whose moments the logarithms of the variances have (limma's ``fitFDist``).

    Args:
        variance: shaped ``(..., arms)``.
        df: their degrees of freedom, same shape; an arm with 0, or without variance, has no vote.
    """
    votes = (df > 0) & (variance > 0)
    arms = votes.sum(axis=-1)
    half = np.where(votes, df, 2.0) / 2
    centred = np.log(np.where(votes, variance, 1.0)) - special.digamma(half) + np.log(half)
    centre = _mean(centred, votes, arms)
    spread = ((centred - centre[..., None]) ** 2 * votes).sum(axis=-1) / np.maximum(arms - 1, 1)
    excess = spread - _mean(special.zeta(2, half), votes, arms)  # zeta(2, x) is trigamma
    differ = excess > 1e-6
    prior_df = np.where(differ, 2 * trigamma_inverse(np.where(differ, excess, 1.0)), CERTAIN)
    scale = np.exp(centre + special.digamma(prior_df / 2) - np.log(prior_df / 2))
    common = np.where(differ, scale, _mean(variance, votes, arms))
    return Prior(common, np.where(arms >= FEWEST, prior_df, 0.0))


def _mean(values: Floats, votes: NDArray[np.bool_], count: NDArray[np.int_]) -> Floats:
    return np.asarray((values * votes).sum(axis=-1) / np.maximum(count, 1))
