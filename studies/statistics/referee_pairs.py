"""One family of comparisons of arms, some paired by seed, some not, under one correction."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from studies.statistics.foresight import foresee
from studies.statistics.holm import holm_adjusted
from studies.statistics.moderated import Differences, compare
from studies.statistics.question import Question
from studies.statistics.unpaired import welch
from studies.statistics.verdicts import SETTLED, decide


@dataclass(frozen=True)
class Duel:
    """Arm a against arm b; ``level_a`` and ``level_b`` name them where one factor sets them apart, in ``setting``."""

    a: str
    b: str
    level_a: str = ""
    level_b: str = ""
    setting: str = ""


def judged_duels(runs: pd.DataFrame, duels: Sequence[Duel], question: Question, seeds: bool) -> pd.DataFrame:
    """Rows of `refereeing.COLUMNS` for one family.

    Args:
        runs: ``arm, seed, value``, one of each arm and seed; all arms, that they may lend each other their spread.
        duels: the family, not empty.
        question: metric, margin, error rate and direction.
        seeds: whether equal seeds of two arms make a pair.
    """
    summary = runs.groupby("arm", sort=False)["value"].agg(["count", "mean", "var"])
    places = {arm: i for i, arm in enumerate(summary.index)}
    pairs = np.array([[places[duel.a], places[duel.b]] for duel in duels])
    count, mean, variance = (summary[name].to_numpy() for name in summary)
    found, paired = _differences(runs, list(summary.index), pairs, seeds, welch(count, mean, variance, pairs))
    a, b = pairs.T
    return _judged(found, question).assign(
        a=[duel.level_a or duel.a for duel in duels],
        b=[duel.level_b or duel.b for duel in duels],
        setting=[duel.setting for duel in duels],
        paired=paired,
        **{"mean_a": mean[a], "mean_b": mean[b], "n_a": count[a], "n_b": count[b]},
    )


def _differences(
    runs: pd.DataFrame, arms: list[str], pairs: NDArray[np.int_], seeds: bool, apart: Differences
) -> tuple[Differences, NDArray[np.bool_]]:
    """Paired where at least half of the seeds of the arm that has fewer are shared, and where one run is all."""
    shared = runs[runs.duplicated("seed", keep=False)] if seeds else runs.iloc[:0]
    if not len(shared):
        return apart, np.zeros(len(pairs), dtype=bool)
    values = shared.pivot(index="arm", columns="seed", values="value").reindex(arms).to_numpy()
    together = compare(values, pairs)
    paired = (2 * together.n >= apart.n) & (together.n >= np.minimum(apart.n, 2))
    names = [field.name for field in dataclasses.fields(Differences)]
    mixed = {name: np.where(paired, getattr(together, name), getattr(apart, name)) for name in names}
    return Differences(**mixed), paired


def _judged(found: Differences, question: Question) -> pd.DataFrame:
    """The columns of a family: what `verdicts.as_family` says of one contrast at a time."""
    low, high = found.interval(question.alpha)
    p, equivalence = found.p(), found.equivalence_p(question.margin)
    p_holm, p_equivalence_holm = holm_adjusted(p), holm_adjusted(equivalence)
    better = (found.difference > 0) == question.higher_is_better
    verdict = [decide(*row, question.alpha) for row in zip(p_holm, p_equivalence_holm, better, strict=True)]
    undecided = np.array([word not in SETTLED for word in verdict])
    detectable, needed = foresee(found, undecided, question)
    return pd.DataFrame(
        {
            **{"n": found.n, "difference": found.difference, "low": low, "high": high, "p": p, "p_holm": p_holm},
            **{"verdict": verdict, "detectable": detectable, "seeds_needed": needed},
            **{"p_equivalence_holm": p_equivalence_holm, "family_size": len(found.n)},
            **{"error": found.error, "df": found.df},
            **{"margin": question.margin, "alpha": question.alpha, "higher_is_better": question.higher_is_better},
        }
    )
