"""Looking at a study while it grows, without looking until something shines.

Each look at n seeds may spend a share of the error rate, given by n alone: that of a look is what `spent`
grows since the look before. A contrast's p for all looks is the smallest of p / share over its looks
(Bonferroni over looks), and Holm over the full declared family does the rest. So the promise holds under
any stop, Ctrl-C included: a stop only leaves claims out. Arms that are decided get no new seeds and keep
what was said; their later looks do not exist.

Planned looks spend in proportion to seeds. On studies like the default one (24 arms, effects and spreads as
seen) looks at 5, 8, 12, 20, 30 decide 22.3 of 23 contrasts from 242 trials, a fixed design needs 560 for
that (0.43); up to 20 seeds it is 21.3 from 207 against 375 (0.55). Spending with the square root of the
seeds decides 22.0 from 239, with their square 22.5 from 255. Without a plan n / (n + 1.5) is spent by n
seeds: 77 % at the first look at five, which decides as many of the default study's contrasts as one planned
look, and something is always left.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studies.statistics.holm import holm_adjusted
from studies.statistics.moderated import compare
from studies.statistics.squeeze import Floats

LOOKS = (5, 8, 12, 20, 30)
UNPLANNED = 1.5  # seeds at which half of the error would be spent where no last look was planned
GROWTH = 1.0  # power of the share of the planned seeds that is spent with them


@dataclass(frozen=True)
class Looked:
    """What all looks so far say; everything shaped ``(..., contrasts)``.

    Args:
        p: of a difference, adjusted for looks, not yet for the family.
        equivalence_p: likewise, of a difference as large as the margin.
        difference: at the last look at which the contrast had gained seeds. Where that look decided, the
            estimate is on average too large.
        low: of the repeated confidence interval of that look (Jennison and Turnbull 1989): over all looks
            together it misses the truth at most in ``alpha`` of the studies.
        high: likewise.
        n: seeds that both arms completed.
    """

    p: Floats
    equivalence_p: Floats
    difference: Floats
    low: Floats
    high: Floats
    n: NDArray[np.int_]

    def decided(self, alpha: float = 0.05) -> NDArray[np.bool_]:
        """Which contrasts are better, worse or equivalent, family and looks accounted for."""
        return (holm_adjusted(self.p) <= alpha) | (holm_adjusted(self.equivalence_p) <= alpha)


def spent(n: float, most: int | None = None) -> float:
    """The share of the error rate that looks at up to ``n`` seeds may have spent together, 0 to 1.

    Args:
        n: seeds.
        most: the number of seeds of the last look, where one was planned before the first; else something
            is kept for any look to come.
    """
    if most is None:
        return float(n / (n + UNPLANNED))
    return float(min(1.0, n / most) ** GROWTH)


def shares(looks: Sequence[int], most: int | None = None) -> Floats:
    """The share of each look, shaped ``(looks,)``; together at most 1.

    Raises:
        ValueError: looks that do not grow from at least 1.
    """
    if list(looks) != sorted(set(looks)) or not looks or looks[0] < 1:
        raise ValueError(f"looks {tuple(looks)} must be growing numbers of seeds, for example {LOOKS}")
    return np.diff([0.0, *(spent(n, most) for n in looks)])


def follow(
    values: ArrayLike,
    looks: Sequence[int],
    *,
    margin: float,
    pairs: ArrayLike | None = None,
    alpha: float = 0.05,
    most: int | None = None,
) -> Looked:
    """The looks that were taken at a study, from its runs.

    Args:
        values: shaped ``(..., arms, seeds)``, NaN where a run failed or was never made.
        looks: numbers of seeds at which somebody looked, for example (5, 8); the seeds in order of running.
        margin: of equivalence.
        pairs: of `moderated.compare`.
        alpha: of the intervals.
        most: see `spent`. A single planned look is ``looks=(n,), most=n``: nothing is adjusted.
    """
    table = np.asarray(values, dtype=np.float64)
    state = None
    for n, share in zip(looks, shares(looks, most), strict=True):
        state = look(state, table[..., :n], float(share), margin=margin, pairs=pairs, alpha=alpha)
    assert state is not None  # shares() refuses no looks
    return state


def look(
    before: Looked | None,
    values: ArrayLike,
    share: float,
    *,
    margin: float,
    pairs: ArrayLike | None = None,
    alpha: float = 0.05,
) -> Looked:
    """One more look: contrasts without new seeds keep what was said, the others may spend ``share``.

    A look that may spend nothing says nothing new.
    """
    if before is not None and share <= 0:
        return before
    now = compare(values, pairs)
    low, high = now.interval(alpha * share)
    p, equivalence_p = (np.minimum(1.0, p / max(share, 1e-300)) for p in (now.p(), now.equivalence_p(margin)))
    if before is None:
        return Looked(p, equivalence_p, now.difference, low, high, now.n)
    fresh = now.n > before.n
    return Looked(
        np.where(fresh, np.minimum(before.p, p), before.p),
        np.where(fresh, np.minimum(before.equivalence_p, equivalence_p), before.equivalence_p),
        np.where(fresh, now.difference, before.difference),
        np.where(fresh, low, before.low),
        np.where(fresh, high, before.high),
        np.where(fresh, now.n, before.n),
    )


def going_on(looked: Looked, alpha: float = 0.05) -> NDArray[np.bool_]:
    """Which arms get new seeds, shaped ``(..., arms)``: those undecided, and the baseline (arm 0) with them.

    For contrasts of every arm against arm 0, in order.
    """
    open_ = ~looked.decided(alpha)
    return np.concatenate([open_.any(axis=-1, keepdims=True), open_], axis=-1)


def rehearse(
    values: Floats, looks: Sequence[int] = LOOKS, *, margin: float, alpha: float = 0.05
) -> Iterator[tuple[Looked, NDArray[np.int_]]]:
    """After each planned look: what was said, and the trials run so far, shaped ``(studies,)``.

    Args:
        values: what every arm would give if it ran to the end, shaped ``(studies, arms, seeds)``.
        looks: planned; seeds up to the last.
        margin: of equivalence.
        alpha: family-wise error rate.
    """
    runs = np.full(values.shape, np.nan)
    running = np.ones(values.shape[:-1], dtype=bool)
    state = None
    for (start, n), share in zip(itertools.pairwise((0, *looks)), shares(looks, looks[-1]), strict=True):
        runs[..., start:n] = np.where(running[..., None], values[..., start:n], np.nan)
        state = look(state, runs[..., :n], float(share), margin=margin, alpha=alpha)
        yield state, np.count_nonzero(np.isfinite(runs), axis=(-2, -1))
        running = running & going_on(state, alpha)


def expected(
    difference: ArrayLike,
    sd: ArrayLike,
    looks: Sequence[int] = LOOKS,
    *,
    margin: float,
    alpha: float = 0.05,
    studies: int = 200,
    seed: int = 0,
) -> list[tuple[int, float, float]]:
    """What running until decided would cost, were these the true differences: (seeds, trials, decided) per look.

    Normal noise; means over simulated studies. The estimates that it starts from are themselves uncertain.

    Args:
        difference: of every arm to the baseline (0 for itself, first), shaped ``(arms,)``.
        sd: of every arm between seeds, seed effects out, shaped ``(arms,)``.
        looks: planned.
        margin: of equivalence.
        alpha: family-wise error rate.
        studies: simulated.
        seed: of the generator.
    """
    centre, spread = np.asarray(difference, dtype=np.float64), np.asarray(sd, dtype=np.float64)
    noise = np.random.default_rng(seed).standard_normal((studies, len(centre), looks[-1]))
    values = centre[:, None] + spread[:, None] * noise
    course = rehearse(values, looks, margin=margin, alpha=alpha)
    return [
        (n, float(trials.mean()), float(state.decided(alpha).sum(axis=-1).mean()))
        for n, (state, trials) in zip(looks, course, strict=True)
    ]
