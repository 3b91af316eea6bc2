"""What arms that cannot be take from a fraction: the balance of levels that its resolution rests on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from studies.design.designs import described
from studies.design.plan import Plan
from studies.design.tuned import RECIPE, TUNED


def design_lines(plan: Plan) -> list[str]:
    """Lines for people: what the design is, its resolution, and what arms that cannot be take from it."""
    if plan.objectives:
        return [f"design: a search over {', '.join(plan.search)}"]
    declared = {name: [level for level in levels if level != TUNED] for name, levels in plan.factors.items()}
    both = declared.pop(RECIPE, None) or declared != plan.factors
    return described(plan.design, declared) + lost(plan) + ["arms run as declared, and as tuned"] * bool(both)


def lost(plan: Plan) -> list[str]:
    """Of a fraction with arms that cannot be: which levels are gone, and which main effects overlap; else nothing."""
    missing = len(plan.cells) - len(plan.runnable)
    if not missing or not plan.is_fraction:
        return []
    kept = [cell.levels for cell in plan.runnable]
    gone = [
        f"no arm is left with {name}={level}"
        for name, levels in plan.factors.items()
        for level in levels
        if not any(arm[name] == level for arm in kept)
    ]
    share = f"{missing} of its {len(plan.cells)} combinations cannot be"
    return ["; ".join([f"{share}: {_resolution(kept, plan)}", *gone, "means of levels are not given"])]


def overlap(arms: Sequence[Mapping[str, Any]], a: str, b: str) -> float:
    """Cramér's V of two factors over arms: 0 where levels of one meet those of the other evenly, 1 where one says
    the other (Cramér, Mathematical Methods of Statistics, 1946)."""
    rows, columns = ({arm[name]: i for i, arm in enumerate(arms)} for name in (a, b))
    if min(len(rows), len(columns)) < 2:
        return 0.0
    counts = np.array([[sum(arm[a] == x and arm[b] == y for arm in arms) for y in columns] for x in rows])
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi2 / counts.sum() / (min(counts.shape) - 1)))


def _resolution(kept: Sequence[Mapping[str, Any]], plan: Plan) -> str:
    pairs = {pair: overlap(kept, *pair) for pair in itertools.combinations(plan.factors, 2)}
    mixed = {pair: found for pair, found in pairs.items() if found > 1e-9}
    if not mixed:
        return f"{plan.design} no longer holds, though main effects still do not overlap"
    (a, b), most = max(mixed.items(), key=lambda item: item[1])
    return (
        f"main effects overlap now (resolution II), in {len(mixed)} of {len(pairs)} pairs of factors, {a} and {b} most "
        f"(Cramér's V {most:.2f})"
    )
