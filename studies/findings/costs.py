"""Speed and memory of the arms: paired rounds from the ledger, the Pareto front, and contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from studies.design.plan import Plan
from studies.statistics.families import COLUMNS
from studies.statistics.pareto import front_probability
from studies.statistics.ratios import cost_contrasts, cost_question


def rounds_frame(plan: Plan, measurement: Mapping[str, Any], kind: str = "train") -> pd.DataFrame:
    """Images per second, one row per round and one column per arm that was timed.

    An arm without kept rounds stands with its median alone.
    """
    rounds = {}
    for cell in plan.runnable:
        facts = measurement.get(cell.content_hash, {})
        values = facts.get(f"{kind}_rounds") or [facts.get(f"{kind}_images_per_second")]
        if all(values):
            rounds[cell.name] = pd.Series(values, dtype=float)
    return pd.DataFrame(rounds)


def speed_front(plan: Plan, runs: pd.DataFrame, rounds: pd.DataFrame) -> pd.DataFrame | None:
    """`pareto.front_probability` of test accuracy against training throughput, or None without either."""
    return _front(_accuracies(plan, runs), rounds, higher_is_cheaper=True)


def memory_front(plan: Plan, runs: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame | None:
    """The same against peak GPU memory, which has no spread, or None where it was not measured."""
    known = cells[cells["gpu_memory_mib"].notna()]
    memory = pd.DataFrame([known["gpu_memory_mib"].astype(float).tolist()], columns=known["cell"].tolist())
    return _front(_accuracies(plan, runs), memory, higher_is_cheaper=False)


def speed_contrasts(plan: Plan, rounds: pd.DataFrame) -> pd.DataFrame:
    """Throughput of every arm against the baseline's on paired rounds; empty without the baseline."""
    if plan.baseline not in rounds or len(rounds.columns) < 2:
        return pd.DataFrame(columns=[*COLUMNS, "ratio", "ratio_low", "ratio_high"])
    long = rounds.rename_axis("round").reset_index().melt("round", var_name="cell", value_name="images_per_second")
    return cost_contrasts(long, plan.baseline, cost_question("images_per_second", higher_is_better=True))


def _accuracies(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    """One row per seed, one column per arm with a complete trial, in the order of the plan."""
    complete = runs[runs["status"] == "complete"]
    wide = complete.assign(test_accuracy=complete["test_accuracy"].astype(float)).pivot(
        index="seed", columns="cell", values="test_accuracy"
    )
    return wide[[cell.name for cell in plan.cells if cell.name in wide]]


def _front(accuracy: pd.DataFrame, cost: pd.DataFrame, higher_is_cheaper: bool) -> pd.DataFrame | None:
    shared = [name for name in accuracy if name in cost]
    if not shared:
        return None
    return front_probability(accuracy[shared], cost[shared], higher_is_cheaper=higher_is_cheaper)
