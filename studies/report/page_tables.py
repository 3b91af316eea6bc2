"""Tables that a page can sort and filter: which columns, and the chips that rows are filtered by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from studies.design.plan import Plan
from studies.findings.columns import (
    ARMS,
    CONTRASTS,
    SPEEDS,
    TERMS,
    TRIALS,
    Column,
    Row,
    family,
    pick,
    records,
    reported,
)
from studies.findings.fronts import Front, front_columns, importance_columns
from studies.findings.tuning import Tuning, arm_columns, trial_columns

MOST_TRIALS = 2_000


@dataclass(frozen=True)
class Chips:
    """What can be pressed to keep some rows: the levels, and which of them a row has."""

    levels: list[str]
    of: Callable[[Row], str]


@dataclass(frozen=True)
class PageTable:
    """A table of a page, its chips by name."""

    name: str
    caption: str
    columns: list[Column]
    rows: list[Row]
    chips: dict[str, Chips] = field(default_factory=dict)
    factors: tuple[str, ...] = ()

    @property
    def groups(self) -> list[str]:
        """What each group of chips is called in an address: a factor's is the same all over the page."""
        return [name if name in self.factors else f"{self.name}.{name}" for name in self.chips]


def arms(plan: Plan, cells: pd.DataFrame) -> PageTable:
    """Every arm, the highest mean first."""
    unknown = {"gpu_memory_mib"} if cells["gpu_memory_mib"].isna().all() else set()
    names = [name for name in reported(cells) if name not in unknown]
    return PageTable("arms", "Arms", pick(ARMS, *names), records(cells), _factors(plan), tuple(plan.factors))


def contrasts(frame: pd.DataFrame) -> PageTable:
    """Every comparison; chips by what is compared and by verdict."""
    names = ("comparison", "family", "difference", "interval", "verdict", "verdict_images", "n", "dropped")
    told = [name for name in ("detectable", "seeds_needed") if np.isfinite(frame[name].astype(float)).any()]
    columns = pick(CONTRASTS, *names, "p", "p_holm", *told)
    rows = records(frame.sort_values("difference", ascending=False))
    return PageTable(
        "contrasts", "Contrasts", columns, rows, {"family": _found(rows, family), "verdict": _found(rows, _verdict)}
    )


def speeds(frame: pd.DataFrame) -> PageTable:
    """Training throughput of every arm over the baseline's."""
    rows = records(frame.sort_values("ratio", ascending=False))
    return PageTable("speeds", "Training speed", list(SPEEDS.values()), rows, {"verdict": _found(rows, _verdict)})


def trials(plan: Plan, runs: pd.DataFrame) -> PageTable:
    """Every trial, up to ``MOST_TRIALS`` of them: a page of more does not scroll any more; ``runs.csv`` has all."""
    columns = [column for name, column in TRIALS.items() if name != "reason"]
    rows = records(runs.head(MOST_TRIALS).assign(baseline=runs["cell"] == plan.baseline))
    title = "Runs" if len(runs) <= MOST_TRIALS else f"Runs: the first {MOST_TRIALS:,} of {len(runs):,}, all in runs.csv"
    statuses = Chips(sorted(set(runs["status"])), lambda row: str(row["status"]))
    return PageTable("trials", title, columns, rows, _factors(plan) | {"status": statuses}, tuple(plan.factors))


def tuning(found: Tuning) -> list[PageTable]:
    """What tuning changed, and every trial of it."""
    changed, rows = records(found.arms), records(found.trials)
    chips = {"cell": _found(rows, lambda row: str(row["cell"])), "state": _found(rows, lambda row: str(row["state"]))}
    return [
        PageTable("tuning", "What tuning changed", arm_columns(found.settings), changed),
        PageTable("tuning-trials", "Tuning trials", trial_columns(found.settings), rows, chips),
    ]


def search(found: Front) -> list[PageTable]:
    """Every trial of a search for trade-offs, and what moved each objective."""
    rows = records(found.trials)
    states = {"state": _found(rows, lambda row: str(row["state"]))}
    tables = [PageTable("search", "Trials of the search", front_columns(found.settings), rows, states)]
    if len(found.importance):
        title = "What moved each objective over the sampled trials; no effect of an ablation"
        columns = importance_columns(found.importance)
        tables.append(PageTable("importance", title, columns, records(found.importance)))
    return tables


def variance(table: pd.DataFrame) -> PageTable:
    """The analysis of variance."""
    return PageTable("variance", "Analysis of variance", list(TERMS.values()), records(table))


def _factors(plan: Plan) -> dict[str, Chips]:
    return {name: _levels(name, levels) for name, levels in plan.factors.items()}


def _levels(name: str, levels: Iterable[Any]) -> Chips:
    return Chips([str(level) for level in levels], lambda row: str(row[name]))


def _found(rows: list[Row], of: Callable[[Row], str]) -> Chips:
    return Chips(list(dict.fromkeys(map(of, rows))), of)


def _verdict(row: Row) -> str:
    return str(row["verdict"])
