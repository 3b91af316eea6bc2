"""Identical arms under different names: how many pairs does each rule call different?"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from studies.design.plan import Plan
from studies.statistics.families import by_cell
from studies.statistics.holm import holm_adjusted
from studies.statistics.moderated import compare
from studies.statistics.paired_tests import sign_flip_p

REPLICA = "replica"
"""The field that tells identical arms apart."""


def pairs_called_different(plan: Plan, runs: pd.DataFrame) -> str:
    """One sentence for a study that varies nothing but the replica; empty for others."""
    if list(plan.factors) != [REPLICA]:
        return ""
    values, _ = by_cell(runs[runs["status"] == "complete"], plan.compares.metric, "seed")
    table = values.dropna().to_numpy().T
    arms, seeds = table.shape
    if seeds < 2 or arms < 2:
        return ""
    pairs = list(itertools.combinations(range(arms), 2))
    apart = np.array([table[a] - table[b] for a, b in pairs])
    rules = {
        "moderated t": compare(table, pairs).p(),
        "plain paired t": np.array([compare(table[[a, b]]).p()[0] for a, b in pairs]),
        "sign flip": sign_flip_p(apart),
    }
    alpha = plan.compares.alpha
    said = ", ".join(
        f"{name}: {(p <= alpha).sum()} alone and {(holm_adjusted(p) <= alpha).sum()} as one family"
        for name, p in rules.items()
    )
    return (
        f"All {arms} arms are identical but for their random streams, so that each of {len(pairs)} pairs called "
        f"different is a false claim. Over {seeds} seeds each rule calls different, {said}; {alpha * len(pairs):.1f} "
        "are expected where each pair is tested alone."
    )
