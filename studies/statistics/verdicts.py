"""A contrast of two arms, and the one rule that turns it into a word.

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

from studies.statistics.holm import holm_adjusted
from studies.statistics.images import over_images
from studies.statistics.intervals import sd_of
from studies.statistics.moderated import Differences, compare
from studies.statistics.paired_tests import Floats, differences_of, exact_sign_flip_p
from studies.statistics.power import detectable_difference, seeds_needed
from studies.statistics.question import ALPHA, MARGIN, Question

Verdict = Literal["better", "worse", "equivalent", "undecided"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
SETTLED: tuple[Verdict, ...] = ("better", "worse", "equivalent")
OPPOSITE: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Arm a against arm b on paired seeds. Differences are a - b, in the unit of the metric.

    Args:
        n: complete pairs.
        dropped: incomplete pairs, left out.
        difference: mean of a - b.
        low: lower bound of the interval of the test that speaks: same standard error, same degrees of freedom.
        high: upper bound of it.
        error: the standard error of the difference.
        df: its degrees of freedom.
        sd: standard deviation of the paired differences.
        d_z: effect size, ``difference / sd`` (Cohen 1988); infinite where equal differences have no spread.
        p_superiority: share of seeds on which a is the larger, ties count half.
        p: two-sided, of this contrast alone.
        p_looks: p adjusted for the looks taken at the study while it grew; equals p for one planned look.
        p_holm: p_looks adjusted within the family; equals it while the family is this contrast alone.
        p_equivalence: p of two one-sided tests against ``margin``, adjusted for looks.
        p_equivalence_holm: the same, adjusted within the family.
        p_sign_flip: `exact_sign_flip_p`.
        detectable: smallest true difference found with 80 % power at ``alpha / family_size``.
        seeds_needed: pairs that settle it with 80 % power, were difference and spread the truth; n if settled.
        looks: how often the study had been looked at, this time included.
        share: of the error rate that the last look at this contrast may spend; 1 for one planned look.
        image_error: standard error that the choice of test images adds; NaN where not known.
        low_images: lower bound of the interval over new seeds and new images.
        high_images: upper bound.
        verdict_images: the verdict over new seeds and new images of this kind; empty where not known.
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
    error: float
    df: float
    sd: float
    d_z: float
    p_superiority: float
    p: float
    p_looks: float
    p_holm: float
    p_equivalence: float
    p_equivalence_holm: float
    p_sign_flip: float = math.nan
    detectable: float = math.nan
    seeds_needed: float = math.nan
    looks: int = 1
    share: float = 1.0
    image_error: float = math.nan
    low_images: float = math.nan
    high_images: float = math.nan
    verdict_images: Verdict | Literal[""] = ""
    margin: float = MARGIN
    alpha: float = ALPHA
    family_size: int = 1
    higher_is_better: bool = True
    verdict: Verdict = "undecided"

    def reversed(self) -> Contrast:
        """b against a."""
        return dataclasses.replace(
            self,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
            d_z=-self.d_z,
            p_superiority=1 - self.p_superiority,
            low_images=-self.high_images,
            high_images=-self.low_images,
            verdict=OPPOSITE.get(self.verdict, self.verdict),
            verdict_images=OPPOSITE.get(self.verdict_images, self.verdict_images) if self.verdict_images else "",
        )


def contrast(
    a: ArrayLike,
    b: ArrayLike,
    margin: float = MARGIN,
    *,
    alpha: float = ALPHA,
    higher_is_better: bool = True,
) -> Contrast:
    """Compare two arms whose values are paired by position: one seed, one position. The plain paired t test.

    A pair with NaN on either side is dropped and counted. The verdict is that of a family of one; several
    contrasts belong to one family: see `as_family`, and `families.contrasts_against`, which also lets the arms
    lend each other what they know of their spread.

    Equal differences (zero sd) are legal: the interval has no width, d_z is 0 or infinite, and p values stop at
    what n signs can give, so no spread is never taken for certainty.

    Args:
        a: values of one arm, in the unit of the metric.
        b: values of the other, in the same order of seeds.
        margin: in the same unit; the default is 0.2 points of accuracy.
        alpha: the error rate.
        higher_is_better: False for a loss, a time or a memory.

    Raises:
        ValueError: two lengths, a negative margin, or an alpha outside (0, 1).
    """
    question = Question(margin=margin, alpha=alpha, higher_is_better=higher_is_better)
    differences = differences_of(a, b)
    found = compare(np.stack([np.zeros(len(differences)), differences]))
    return judged(described(differences, np.size(a), question, found, 0))


def described(differences: Floats, attempted: int, question: Question, found: Differences, place: int) -> Contrast:
    """A contrast without its family: what ``found`` says at ``place`` of these paired differences ``(n,)``."""
    n, sd = len(differences), sd_of(differences)
    low, high = (float(bound[place]) for bound in found.interval(question.alpha))
    p, p_equivalence = float(found.p()[place]), float(found.equivalence_p(question.margin)[place])
    mean = float(differences.mean()) if n else math.nan
    return Contrast(
        n=n,
        dropped=attempted - n,
        difference=mean,
        low=low,
        high=high,
        error=float(found.error[place]),
        df=float(found.df[place]),
        sd=sd,
        d_z=_effect_size(mean, sd),
        p_superiority=float(np.mean((np.sign(differences) + 1) / 2)) if n else math.nan,
        p=p,
        p_looks=p,
        p_holm=p,
        p_equivalence=p_equivalence,
        p_equivalence_holm=p_equivalence,
        p_sign_flip=exact_sign_flip_p(differences, question.alpha),
        margin=question.margin,
        alpha=question.alpha,
        higher_is_better=question.higher_is_better,
    )


def decide(p_holm: float, p_equivalence_holm: float, better: bool, alpha: float) -> Verdict:
    """The verdict of a difference, from its family's adjusted p values. The first line that holds decides.

    1. ``equivalent``: two one-sided tests place the difference within the margin. It comes first: a difference smaller
       than what was declared to matter makes no winner, however significant.
    2. ``better`` or ``worse`` (a than b): the moderated t test rejects.
    3. ``undecided``: neither could be shown. It says nothing about the difference; ``detectable`` says what
       would have been found, and ``seeds_needed`` what would settle it.

    An interval may leave 0 outside and the verdict still be ``undecided``: its promise is the whole family's.
    """
    if p_equivalence_holm <= alpha:
        return "equivalent"
    if p_holm <= alpha:
        return "better" if better else "worse"
    return "undecided"


def as_family(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts as one declared family: Holm-adjusted p values, and what follows from them.

    Holm (1979). Adjusted are the p of a difference and that of equivalence, each on its own, so that
    neither kind of false claim occurs in more than ``alpha`` of the families. A contrast without data stays
    in the family with p = 1: failures must not make the others look better.
    """
    contrasts = list(contrasts)
    if not contrasts:
        return []
    p, equivalence = (holm_adjusted([getattr(c, name) for c in contrasts]) for name in ("p_looks", "p_equivalence"))
    sized = [
        dataclasses.replace(c, p_holm=float(own), p_equivalence_holm=float(equal), family_size=len(contrasts))
        for c, own, equal in zip(contrasts, p, equivalence, strict=True)
    ]
    return _over_images([judged(c) for c in sized])


def judged(contrast: Contrast) -> Contrast:
    """With verdict, and with detectable difference and seeds needed at the level of the family's first rejection."""
    c = contrast
    level = c.alpha * (c.share or 1.0) / c.family_size  # a look that may spend nothing waits for one that may
    verdict = decide(c.p_holm, c.p_equivalence_holm, (c.difference > 0) == c.higher_is_better, c.alpha)
    needed = float(c.n)
    if verdict not in SETTLED:
        needed = seeds_needed(c.difference, c.error, c.df, c.n, c.margin, level)
        needed = max(needed, c.n + 1.0) if needed == needed else math.nan
    detectable = detectable_difference(c.error, c.df, level)
    return dataclasses.replace(c, verdict=verdict, detectable=detectable, seeds_needed=needed)


def _over_images(family: list[Contrast]) -> list[Contrast]:
    """The same family with what the choice of images adds to every error, where that is known for all."""
    unknown = any(math.isnan(c.image_error) for c in family if c.n > 1) or all(c.n < 2 for c in family)
    if unknown or not all(c.share for c in family):  # a look that may spend nothing says nothing
        return family
    wide = over_images(
        *(np.array([getattr(c, name) for c in family]) for name in ("difference", "error", "df", "image_error", "n"))
    )
    shares = np.array([c.share for c in family])
    p = holm_adjusted(np.minimum(1.0, wide.p() / shares))
    equivalence = holm_adjusted(np.minimum(1.0, wide.equivalence_p(family[0].margin) / shares))
    low, high = wide.interval(family[0].alpha * shares)
    return [
        dataclasses.replace(
            c,
            low_images=float(low[i]),
            high_images=float(high[i]),
            verdict_images=decide(p[i], equivalence[i], (c.difference > 0) == c.higher_is_better, c.alpha),
        )
        for i, c in enumerate(family)
    ]


def _effect_size(difference: float, sd: float) -> float:
    if sd == 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / sd
