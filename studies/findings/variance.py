"""Where the variance between trials comes from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from studies.design.plan import Plan
from studies.statistics.anova import factorial
from studies.statistics.question import ALPHA
from studies.statistics.seed_variance import SeedVariance, split_seed_variance
from studies.trial.record import unpack


def variance_table(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame | None:
    """`anova.factorial` over the factors that vary among complete trials; None where nothing can be split."""
    complete = runs[runs["status"] == "complete"]
    factors = [name for name in plan.factors if complete[name].astype(str).nunique() > 1]
    if not factors or len(complete) < 3 or complete["test_accuracy"].nunique() < 2:
        return None
    return factorial(complete, factors)


def interacting_factors(table: pd.DataFrame | None) -> list[str]:
    """Factors whose effect depends on another: an interaction's F test passes after Holm's correction."""
    if table is None:
        return []
    shown = table[table["term"].str.contains(":") & (table["p_holm"] <= ALPHA)]
    return sorted({name for term in shown["term"] for name in term.split(":")})


def seed_variances(runs: pd.DataFrame) -> Iterator[SeedVariance]:
    """Of every arm with two seeds or more whose right and wrong test images were kept."""
    if "test_correct" not in runs:
        return
    kept = runs[(runs["status"] == "complete") & runs["test_correct"].notna()]
    for _, arm in kept.groupby("cell", sort=False):
        if len(arm) > 1:
            yield split_seed_variance(np.stack([unpack(text).numpy() for text in arm["test_correct"]]))
