"""Paired differences of arms with moderated variances, for one study or for thousands at once.

Each arm's variance is taken from what remains of its runs after arm and seed means, and shrunk towards what the
other arms say (Smyth 2004). A difference has the sum of both variances, with Satterthwaite's degrees of freedom.
Two arms alone give exactly the plain paired t test. What is ours, chosen by simulation (`simulation`):

- Seed effects are means weighted by 1 / variance: one collapsed run is else taken for a bad seed of all arms
  (power with 24 arms, 5 seeds, 3 % collapsed runs: 0.52 instead of 0.03; 18 instead of 15 decided contrasts of the
  default study). A single arm never has more than half of the weight.
- The prior counts (n - 2) / n of its degrees of freedom, at most (1 - 1 / arms) / 2 of those of the other arms.
- A louder arm than the prior expects goes back to its own variance, by 1/2 + 1.5 / arms of the way, and the prior's
  degrees of freedom then count for it in proportion, prior / own.
- Of Satterthwaite's degrees of freedom above those of the arm that has fewer, 1 / n is left out.

Largest family-wise error over normal noise of equal, seen and 10 : 1 spread at 3 to 20 seeds, and mean power to
find half a point (`theta`: the way back; 3,000 to 5,000 studies a row, so about 0.01 uncertain):

| variant | 3 and 6 arms: error, power | 24 arms: error, power |
|---|---|---|
| plain paired t | .054 .541 | .052 .307 |
| no way back (theta 0), 0.3 of Satterthwaite's | .054 .606 | .070 .511 |
| theta 0.5 | .060 .625 | .042 .521 |
| theta 0.75 | .057 .617 | .040 .512 |
| theta 1 | .054 .610 | .040 .503 |
| theta 1, prior at most a third | .051 .600 | .040 .498 |

Hence theta falls and the cap rises with the number of arms. Half the prior's degrees of freedom without the last
two steps and with plain seed means reaches .113 (3 seeds, 3 arms, loud baseline) and .066 with 24 arms; full
moderation .22. As built, with 20,000 studies a row: at most .051 in all noises that are required (normal, skewed,
heavy-tailed, test set, collapsed runs; equal, seen and 10 : 1 spread), and .174 under skew with 10 : 1 spread, where
the plain paired t has .139: no rule here holds that, and `diagnosis` warns.

One contrast's plain 95 % interval covers at least 94.7 % in all required noises but one: a baseline ten times louder
than every other arm, 24 arms: 89 % at 3 seeds, 93 % at 5, 94 % at 10 (all share one estimate; family-wise .04).

Averaged contrasts add the variances of their arms over squared counts. That arms vary independently once the seed
is out was checked on the default study: the seeds' differences between averaged levels scatter 1.02 (pooling), 1.00
(positions) and 1.28 (chunking, 4 degrees of freedom) times as much as independent arms would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from studies.statistics.squeeze import Floats, fit_prior

SWEEPS = 3  # of seed effects, each with the weights that the one before found
REFITS = 4  # of arm and seed means, where runs are missing
SMALLEST = 1e-5  # of the median variance: what an arm whose runs happen to agree is held for
ROUNDING = 1e-12  # relative to the values compared


@dataclass(frozen=True)
class Arms:
    """How arms scatter between seeds once the seeds' common effects are taken out; all shaped ``(..., arms)``.

    Args:
        variance: of one run, moderated; where the arm's own is larger, most or all of the way back to it.
        df: what it is worth.
        own: the arm's own variance.
        own_df: what that is worth: about n - 1.
    """

    variance: Floats
    df: Floats
    own: Floats
    own_df: Floats


@dataclass(frozen=True)
class Differences:
    """Estimates of contrasts; all shaped ``(..., contrasts)``, NaN where two arms share no seed.

    Args:
        difference: a - b, averaged over the contrast's pairs of arms.
        error: its standard error; 0 where nothing scattered.
        df: degrees of freedom; NaN where nothing tells the error.
        n: seeds that both arms completed, of the contrast's pair that has fewest.
    """

    difference: Floats
    error: Floats
    df: Floats
    n: NDArray[np.int_]

    def p(self, null: ArrayLike = 0.0) -> Floats:
        """Two-sided p of "the true difference is ``null``"; 1 where nothing can be said."""
        return self._tail(-np.abs(self.difference - np.asarray(null, dtype=np.float64)), 1.0)

    def equivalence_p(self, margin: float) -> Floats:
        """p of "the true difference is ``margin`` or more in size": two one-sided tests (Schuirmann 1987)."""
        return self._tail(np.abs(self.difference) - margin, 0.5)

    def interval(self, level: ArrayLike = 0.05) -> tuple[Floats, Floats]:
        """Lower and upper bound that exclude exactly those differences whose p is below ``level``."""
        known = np.where(np.isfinite(self.df), self.df, 1.0)
        half = special.stdtrit(known, 1 - np.asarray(level) / 2) * self.error
        half = np.where(np.isfinite(self.df), half, np.nan)
        return self.difference - half, self.difference + half

    def _tail(self, distance: Floats, smallest: float) -> Floats:
        """p at a distance (negative: beyond the null) in the difference's unit; sides by ``smallest``.

        Equal differences carry no estimate of noise: p stops at what n signs could give, 2^(1-n) for two
        sides and 2^-n for one.
        """
        sides = 2 * smallest
        known = np.isfinite(self.df)
        error = np.where(known & (self.error > 0), self.error, 1.0)
        p = sides * special.stdtr(np.where(known, self.df, 1.0), distance / error)
        signs = np.where(distance < 0, smallest * 2.0 ** (1.0 - self.n), 1.0)
        return np.asarray(np.where(known, np.where(self.error > 0, p, signs), 1.0))


def compare(values: ArrayLike, pairs: ArrayLike | None = None) -> Differences:
    """Contrasts between arms that share seeds.

    A seed's common effect leaves each difference, since a pair counts the seeds that both its arms
    completed. An averaged contrast (a level of a factor against another) is the mean of its pairs, whose
    arms must all be different: their variances add.

    Args:
        values: shaped ``(..., arms, seeds)``; NaN where a run failed or never ran.
        pairs: indices (a, b) of arms, shaped ``(contrasts, 2)``, or ``(contrasts, averaged, 2)`` with -1
            where a contrast averages fewer pairs. By default every other arm against arm 0.

    Raises:
        ValueError: values or pairs of another shape, or an index without an arm.
    """
    runs = np.asarray(values, dtype=np.float64)
    if runs.ndim < 2 or runs.shape[-2] < 2:
        raise ValueError(f"values {runs.shape} must be shaped (..., arms, seeds) with at least 2 arms")
    chosen = _pairs(pairs, runs.shape[-2])
    present = np.isfinite(runs)
    if runs.shape[-2] == 2:  # what only one arm ran tells nothing of their difference
        present = np.broadcast_to(present.all(axis=-2, keepdims=True), runs.shape)
    return _combined(runs, present, chosen, moderate(runs, present))


def _pairs(pairs: ArrayLike | None, arms: int) -> NDArray[np.int_]:
    if pairs is None:
        pairs = [(a, 0) for a in range(1, arms)]
    chosen = np.asarray(pairs, dtype=np.int_)
    chosen = chosen[:, None, :] if chosen.ndim == 2 else chosen
    if chosen.ndim != 3 or chosen.shape[-1] != 2:
        raise ValueError(f"pairs {chosen.shape} must be shaped (contrasts, 2) or (contrasts, averaged, 2)")
    if chosen.size and (chosen.max() >= arms or chosen.min() < -1):
        raise ValueError(f"pairs names arm {chosen.max()} or {chosen.min()}; there are arms 0 to {arms - 1}")
    return chosen


def moderate(values: ArrayLike, present: NDArray[np.bool_] | None = None) -> Arms:
    """The arms' variances, each shrunk to what the others say.

    Args:
        values: shaped ``(..., arms, seeds)``, at least 2 arms; NaN where a run is missing.
        present: which values count; by default those that are finite.
    """
    runs = np.asarray(values, dtype=np.float64)
    there = np.isfinite(runs) if present is None else present
    rounding = (ROUNDING * np.max(np.abs(runs), initial=0.0, where=there)) ** 2
    # complete tables need no mask of their own size
    mask = np.ones((*there.shape[:-1], 1)) if there.all() else there.astype(np.float64)
    centred = _centred(np.where(there, runs, 0.0), mask)
    n = mask.mean(axis=-1) * runs.shape[-1]
    trust = np.clip((n - 2) / np.maximum(n, 1), 0.0, 1.0)
    few = 1 / np.maximum((n > 1).sum(axis=-1, keepdims=True), 2)
    weight = np.ones(n.shape)
    for _ in range(SWEEPS):
        own, own_df = _own(centred, mask, weight)
        own = np.where(own > rounding, np.maximum(own, SMALLEST * _typical(own)), 0.0)
        prior = fit_prior(own, own_df)
        others = own_df.sum(axis=-1, keepdims=True) - own_df
        prior_df = np.minimum(trust * prior.df[..., None], (1 - few) / 2 * others)
        total = np.maximum(prior_df + own_df, 1e-300)
        shrunk = (prior_df * prior.variance[..., None] + own_df * own) / total
        weight = np.where(n > 0, 1 / np.maximum(shrunk, 1e-300), 0.0)
        # one arm that is the seed's effect by itself would have no noise left
        weight = np.minimum(weight, weight.sum(axis=-1, keepdims=True) - weight)
    loudness = np.maximum(own, 1e-300) / np.maximum(prior.variance[..., None], 1e-300)
    variance = shrunk + np.minimum(0.5 + 1.5 * few, 1.0) * np.maximum(own - shrunk, 0.0)
    return Arms(variance, own_df + prior_df / np.maximum(loudness, 1.0), own, own_df)


def _centred(runs: Floats, mask: Floats) -> Floats:
    """Runs less the means of their arm, and, where some are missing, of their seed too (0 where missing)."""
    if mask.shape[-1] == 1:
        return np.asarray(runs - runs.mean(axis=-1, keepdims=True)) if runs.shape[-1] else runs
    centred = runs
    for _ in range(REFITS):
        for axis in (-2, -1):  # the arm's mean is taken out last
            count = np.maximum(mask.sum(axis=axis, keepdims=True), 1)
            centred = (centred - centred.sum(axis=axis, keepdims=True) / count) * mask
    return np.asarray(centred)


def _own(centred: Floats, mask: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Each arm's variance and degrees of freedom; seed effects are weighted means over the arms."""
    weighted = mask * weight[..., None]
    total = np.maximum(weighted.sum(axis=-2), 1e-300)
    seed = np.einsum("...a,...as->...s", weight, centred) / total
    residual = centred - seed[..., None, :]
    if mask.shape[-1] > 1:
        residual = residual * mask
        residual -= residual.sum(axis=-1, keepdims=True) / np.maximum(mask.sum(axis=-1, keepdims=True), 1) * mask
    n = mask.mean(axis=-1) * centred.shape[-1]
    kept = (mask - weighted / total[..., None, :] * mask).sum(axis=-1) / np.maximum(mask.sum(axis=-1), 1)
    df = np.maximum(n - 1, 0.0) * kept
    squares = np.einsum("...as,...as->...a", residual, residual)
    return np.where(df > 0, squares / np.maximum(df, 1e-300), 0.0), df


def _typical(own: Floats) -> Floats:
    """The median of the positive variances, 0 where there is none."""
    count = np.count_nonzero(own > 0, axis=-1)
    middle = np.sort(own, axis=-1)
    place = np.clip(own.shape[-1] - 1 - count // 2, 0, own.shape[-1] - 1)
    return np.asarray(np.take_along_axis(middle, place[..., None], axis=-1))


def _combined(runs: Floats, present: NDArray[np.bool_], chosen: NDArray[np.int_], arms: Arms) -> Differences:
    """The mean of each contrast's pairs, its error, and Satterthwaite's degrees of freedom."""
    a, b = chosen[..., 0], chosen[..., 1]
    both = present[..., a, :] & present[..., b, :]  # (..., contrasts, averaged, seeds)
    n = both.sum(axis=-1)
    apart = np.where(both, runs[..., a, :] - runs[..., b, :], 0.0).sum(axis=-1) / np.maximum(n, 1)
    usable = (n > 1) & (a >= 0) & (b >= 0)
    averaged = usable.sum(axis=-1)
    share = np.where(usable, 1.0, 0.0) / np.maximum(averaged, 1)[..., None]
    part = share**2 / np.maximum(n, 1)
    of_a, of_b = part * arms.variance[..., a], part * arms.variance[..., b]
    variance = (of_a + of_b).sum(axis=-1)
    worth_a, worth_b = np.maximum(arms.df[..., a], 1e-300), np.maximum(arms.df[..., b], 1e-300)
    doubt = (of_a**2 / worth_a + of_b**2 / worth_b).sum(axis=-1)
    # equal weights where nothing scatters: p then stops at the signs anyway
    df = np.where(variance > 0, variance**2 / np.maximum(doubt, 1e-300), 1.0)
    fewest = np.where(usable, n, np.iinfo(np.int64).max).min(axis=-1)
    known = averaged > 0
    seeds = np.where(known, fewest, n.max(axis=-1, initial=0))
    if runs.shape[-2] > 2:
        least = np.where(usable, np.minimum(worth_a, worth_b), np.inf).min(axis=-1)
        df = df - (df - np.minimum(least, df)) / np.maximum(seeds, 1)
    difference = np.where(known, (share * apart).sum(axis=-1), np.where(seeds > 0, apart[..., 0], np.nan))
    error = np.where(known, np.sqrt(variance), np.nan)
    return Differences(difference, error, np.where(known, df, np.nan), seeds)
