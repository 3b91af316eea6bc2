"""Intervals, contrasts on paired seeds, and the one rule that turns a contrast into a word.

Values are in the unit of their metric; accuracies are fractions in [0, 1], so 0.002 is 0.2 points.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from studies.paired import Floats, differences_of, equivalence_p, holm_adjusted, sign_flip_p, smallest_p, t_bounds
from studies.power import detectable_difference, seeds_needed

Verdict = Literal["better", "worse", "equivalent", "no detectable difference", "underpowered"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
SETTLED: tuple[Verdict, ...] = ("better", "worse", "equivalent")

MARGIN = 0.002
ALPHA = 0.05


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its t interval, in the unit of the values."""

    n: int
    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Arm a against arm b on paired seeds. Differences are a - b, in the unit of the metric.

    Args:
        n: complete pairs.
        dropped: incomplete pairs, left out.
        difference: mean of a - b.
        low: lower bound of its 95 % t interval.
        high: upper bound of it.
        sd: standard deviation of the differences.
        d_z: effect size, ``difference / sd`` (Cohen 1988); infinite where equal differences have no spread.
        p_superiority: share of seeds on which a is the larger, ties count half.
        p: two-sided sign-flip p.
        p_holm: p adjusted within the family; equals p while the family is this contrast alone.
        smallest_p: the smallest p that n pairs can give.
        smallest_p_holm: the smallest p_holm that this family can give for this contrast.
        p_equivalence: p of two one-sided t tests against ``margin``.
        p_equivalence_holm: the same, adjusted within the family.
        detectable: smallest true difference found with 80 % power at ``alpha / family_size``.
        seeds_needed: pairs that settle it with 80 % power, were difference and sd the truth; n if settled.
        margin: differences smaller than this do not matter to anyone.
        alpha: the family-wise error rate.
        family_size: contrasts in the declared family.
        higher_is_better: False for a loss, a time or a memory.
        verdict: see `decide`.
    """

    n: int
    dropped: int
    difference: float
    low: float
    high: float
    sd: float
    d_z: float
    p_superiority: float
    p: float
    p_holm: float
    smallest_p: float
    smallest_p_holm: float
    p_equivalence: float
    p_equivalence_holm: float
    detectable: float = math.nan
    seeds_needed: float = math.nan
    margin: float = MARGIN
    alpha: float = ALPHA
    family_size: int = 1
    higher_is_better: bool = True
    verdict: Verdict = "underpowered"


def interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean, standard deviation and t interval of the finite values.

    One value has no sd and no bounds (NaN); no value has no mean either. Colas et al. (arXiv 1806.08295,
    section 5): at small n a t interval holds where a bootstrap does not.

    Raises:
        ValueError: the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r} must lie between 0 and 1, for example 0.95")
    array = np.ravel(np.asarray(values, dtype=np.float64))
    array = array[np.isfinite(array)]
    low, high = t_bounds(array, confidence)
    mean = float(array.mean()) if len(array) else math.nan
    return Interval(len(array), mean, _sd(array), float(low), float(high))


def _sd(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _effect_size(difference: float, sd: float) -> float:
    if sd == 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / sd


def _check(margin: float, alpha: float) -> None:
    if not (margin >= 0 and math.isfinite(margin)):
        raise ValueError(f"margin={margin!r} must be a finite number, 0 or more, in the unit of the values")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha={alpha!r} must lie between 0 and 1, for example 0.05")


def contrast(
    a: ArrayLike,
    b: ArrayLike,
    margin: float = MARGIN,
    *,
    alpha: float = ALPHA,
    higher_is_better: bool = True,
) -> Contrast:
    """Compare two arms whose values are paired by position: one seed, one position.

    A pair with NaN on either side is dropped and counted. The verdict is that of a family of one; several
    contrasts belong to one family, see `holm`.

    Equal differences (zero sd) are legal: the interval has no width, d_z is 0 or infinite, and both p values
    stop at what n pairs can give, so no spread is never taken for certainty.

    Args:
        a: values of one arm, in the unit of the metric.
        b: values of the other, in the same order of seeds.
        margin: in the same unit; the default is 0.2 points of accuracy.
        alpha: the error rate.
        higher_is_better: False for a loss, a time or a memory.

    Raises:
        ValueError: two lengths, a negative margin, or an alpha outside (0, 1).
    """
    _check(margin, alpha)
    differences = differences_of(a, b)
    n, about = len(differences), interval(differences)
    p, p_equivalence = float(sign_flip_p(differences)), float(equivalence_p(differences, margin))
    alone = Contrast(
        n=n,
        dropped=np.size(a) - n,
        difference=about.mean,
        low=about.low,
        high=about.high,
        sd=about.sd,
        d_z=_effect_size(about.mean, about.sd),
        p_superiority=float(np.mean((np.sign(differences) + 1) / 2)) if n else math.nan,
        p=p,
        p_holm=p,
        smallest_p=smallest_p(n),
        smallest_p_holm=smallest_p(n),
        p_equivalence=p_equivalence,
        p_equivalence_holm=p_equivalence,
        margin=margin,
        alpha=alpha,
        higher_is_better=higher_is_better,
    )
    return _judged(alone)


def decide(contrast: Contrast) -> Verdict:
    """The verdict of a contrast, from its Holm-adjusted p values. The first line that holds decides.

    1. ``equivalent``: two one-sided paired t tests place the mean difference within the margin
       (``p_equivalence_holm <= alpha``). It comes first because a difference smaller than what was declared
       to matter makes no winner, however significant; and because it can be shown with too few seeds for 2.
    2. ``better`` or ``worse`` (a than b): the sign-flip test rejects (``p_holm <= alpha``).
    3. ``underpowered``: no outcome of these n pairs could have passed 2 in this family
       (``smallest_p_holm > alpha``); always so below two pairs. It says nothing about the difference.
    4. ``no detectable difference``: it could have passed, and did not. ``detectable`` says what was missed.

    With 5 seeds the smallest p is 0.0625, so better and worse are out of reach for any data. The paired t
    test would reach them (Colas et al., arXiv 1806.08295, prefer it at small n), but only by trusting that
    five numbers, whose shape nobody can check, are normal. We keep the t interval and d_z in view for the
    reader, let the distribution-free test speak the word, and print how many seeds it lacks: 6 for one
    contrast, 8 for a family of six, 10 for 24 arms against a baseline.
    """
    if contrast.p_equivalence_holm <= contrast.alpha:
        return "equivalent"
    if contrast.p_holm <= contrast.alpha:
        return "better" if (contrast.difference > 0) == contrast.higher_is_better else "worse"
    if contrast.n < 2 or contrast.smallest_p_holm > contrast.alpha:
        return "underpowered"
    return "no detectable difference"


def _judged(contrast: Contrast) -> Contrast:
    """With verdict, detectable difference and seeds needed at the level of the family's first rejection."""
    level = contrast.alpha / contrast.family_size
    verdict = decide(contrast)
    needed = float(contrast.n)
    if verdict not in SETTLED:
        needed = seeds_needed(contrast.difference, contrast.sd, contrast.margin, level)
        needed = max(needed, contrast.n + 1.0) if needed == needed else math.nan
    detectable = detectable_difference(contrast.n, contrast.sd, level)
    return dataclasses.replace(contrast, verdict=verdict, detectable=detectable, seeds_needed=needed)


def holm(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts as one declared family: Holm-adjusted p values, and what follows from them.

    Holm (1979). Adjusted are the sign-flip p and the equivalence p, each on its own, so that
    neither kind of false claim occurs in more than ``alpha`` of the families. A contrast without data stays
    in the family with p = 1: failures must not make the others look better.
    """
    contrasts = list(contrasts)
    if not contrasts:
        return []
    names = ("p", "smallest_p", "p_equivalence")
    columns = [holm_adjusted([getattr(c, name) for c in contrasts]) for name in names]
    return [
        _judged(
            dataclasses.replace(
                contrast,
                p_holm=float(p),
                smallest_p_holm=float(smallest),
                p_equivalence_holm=float(equivalence),
                family_size=len(contrasts),
            )
        )
        for contrast, p, smallest, equivalence in zip(contrasts, *columns, strict=True)
    ]
