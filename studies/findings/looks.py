"""How often a study was looked at while it grew: kept in its ledger, and paid for in its p values.

Whoever runs five seeds, reads the table and runs three more has had two chances of a false claim. Every reading of
the tables that finds new trials is a look, and spends a share of the error rate that depends on how far the study had
come (`statistics.looks`). ``--look-once N`` plans a single look at N seeds, which may spend it all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from studies.design.plan import Plan
from studies.ledger.ledger import Ledger
from studies.statistics.judging import Look
from studies.statistics.looks import spent

NOTE = "looks"
PLANNED = "planned looks"
"""``{"most": N}``, and ``"once": true`` for a single look at N seeds."""


def look_at(ledger: Ledger, plan: Plan, runs: pd.DataFrame) -> list[Look]:
    """All looks at a study, the present one last; kept in the ledger if it finds anything new."""
    kept: list[dict[str, Any]] = ledger.notes(NOTE) or []
    present = _units(plan, runs)
    if not any(present.values()):
        return []
    last = {cell: seeds_of(text) for cell, text in kept[-1]["seeds"].items()} if kept else {}
    if not kept or any(seeds - last.get(cell, frozenset()) for cell, seeds in present.items()):
        come = how_far(runs, present, last)
        planned = ledger.notes(PLANNED) or {}
        kept = [*kept, {"spent": total_spent(come, planned, kept), "seeds": {c: ranges(s) for c, s in present.items()}}]
        if ledger.writable:
            ledger.note(NOTE, kept)
    return looks_of(kept)


def plan_looks(ledger: Ledger, most: int, once: bool = False) -> bool:
    """Plan looks up to ``most`` seeds, or one look there; False if somebody has looked already: too late."""
    if ledger.notes(NOTE):
        return (ledger.notes(PLANNED) or {}).get("most") == most
    ledger.note(PLANNED, {"most": most, "once": once})
    return True


def looks_of(kept: Sequence[Mapping[str, Any]]) -> list[Look]:
    """As the ledger keeps them: each look's share is what the spending grew by."""
    before, found = 0.0, []
    for one in kept:
        units = {cell: seeds_of(text) for cell, text in one["seeds"].items()}
        found.append(Look(one["spent"] - before, units))
        before = one["spent"]
    return found


def how_far(runs: pd.DataFrame, present: Mapping[str, frozenset[int]], last: Mapping[str, frozenset[int]]) -> float:
    """Seeds that are over, failures included, of the arms that still grow: a mean, so that half a block counts half."""
    over = runs[runs["status"].isin(["complete", "failed"])].groupby("cell")["seed"].nunique()
    growing = [cell for cell, seeds in present.items() if seeds - last.get(cell, frozenset())]
    return float(over.reindex(growing).fillna(0).mean())


def total_spent(come: float, planned: Mapping[str, Any], kept: Sequence[Mapping[str, Any]]) -> float:
    """The share of the error rate that is spent with this look, all earlier ones included.

    Args:
        come: seeds.
        planned: what was planned before the first look, ``PLANNED``; empty if nothing.
        kept: looks before.
    """
    before = kept[-1]["spent"] if kept else 0.0
    if planned.get("once"):
        return max(before, float(come >= planned["most"]))
    return max(before, spent(come, planned.get("most")))


def ranges(seeds: Iterable[int]) -> str:
    """``{0, 1, 2, 7} -> "0-2,7"``."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][1] + 1:
            parts[-1][1] = seed
        else:
            parts.append([seed, seed])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def seeds_of(text: str) -> frozenset[int]:
    """The inverse of `ranges`."""
    bounds = [part.split("-") for part in text.split(",") if part]
    return frozenset(seed for ends in bounds for seed in range(int(ends[0]), int(ends[-1]) + 1))


def _units(plan: Plan, runs: pd.DataFrame) -> dict[str, frozenset[int]]:
    complete = runs[runs["status"] == "complete"]
    by_cell = {str(cell): frozenset(map(int, seeds)) for cell, seeds in complete.groupby("cell")["seed"]}
    return {cell.name: by_cell.get(cell.name, frozenset()) for cell in plan.runnable}
