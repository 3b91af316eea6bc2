"""What a study found: every table that a report tells of, derived from the ledger alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from studies.design.plan import Plan
from studies.findings.answer import Sentence, answer
from studies.findings.costs import memory_front, rounds_frame, speed_contrasts, speed_front
from studies.findings.details import details
from studies.findings.effects import contrasts_frame, effects_frame
from studies.findings.fronts import Front, find_front
from studies.findings.looks import look_at
from studies.findings.tables import cells_frame, runs_frame
from studies.findings.tuning import Tuning, find_tuning
from studies.findings.variance import interacting_factors, variance_table
from studies.ledger.ledger import Ledger
from studies.statistics.diagnosis import warning
from studies.statistics.families import by_cell
from studies.trial.provenance import anywhere

ARITHMETIC = ("dtype", "attention", "compile")
FROM = "merged_from"
"""The field of a record that says which results it was taken over from by `merge`."""


@dataclass(frozen=True)
class Findings:
    """Tables, fronts, and the sentences written from them."""

    folder: str
    plan: Plan
    runs: pd.DataFrame
    cells: pd.DataFrame
    contrasts: pd.DataFrame
    effects: pd.DataFrame
    speeds: pd.DataFrame
    speed_front: pd.DataFrame | None
    memory_front: pd.DataFrame | None
    variance: pd.DataFrame | None
    sentences: Sequence[Sentence]
    details: Sequence[Sentence]
    provenance: dict[str, str]
    warning: str = ""
    tuning: Tuning | None = None
    search: Front | None = None


def find(ledger: Ledger) -> Findings:
    """Read the storage and compute everything.

    Raises:
        LedgerError: nothing was run yet.
    """
    plan = ledger.plan
    runs = runs_frame(ledger, plan)
    cells, variance = cells_frame(plan, runs), variance_table(plan, runs)
    looks = look_at(ledger, plan, runs)
    contrasts = contrasts_frame(plan, runs, looks)
    effects = effects_frame(plan, contrasts, interacting_factors(variance))
    rounds = rounds_frame(plan, ledger.measurement)
    search = find_front(ledger, plan, cells)
    tuning = find_tuning(ledger, plan, runs, looks)
    front, speeds = speed_front(plan, runs, rounds), speed_contrasts(plan, rounds)
    return Findings(
        folder=ledger.name,
        plan=plan,
        runs=runs,
        cells=cells,
        contrasts=contrasts,
        effects=effects,
        speeds=speeds,
        speed_front=front,
        memory_front=memory_front(plan, runs, cells),
        variance=variance,
        sentences=[*answer(plan, cells, contrasts, effects, speeds), *told_of(tuning, search)],
        details=details(plan, runs, cells, contrasts, variance, front),
        warning=" ".join(filter(None, (noise_warning(plan, runs), mixed_warning(runs)))),
        tuning=tuning,
        search=search,
        provenance=provenance_facts(runs, of_all_runs(ledger)),
    )


def told_of(*searched: Tuning | Front | None) -> list[Sentence]:
    """What searches have to say."""
    return [sentence for one in searched if one for sentence in one.sentences]


def noise_warning(plan: Plan, runs: pd.DataFrame) -> str:
    """What to beware of where the runs scatter as no rule can hold; empty where they do not."""
    complete = runs[runs["status"] == "complete"]
    values, _ = by_cell(complete, plan.compares.metric, "seed") if len(complete) else (pd.DataFrame(), None)
    return (warning(values.to_numpy().T) if min(values.shape) > 1 else None) or ""


def of_all_runs(ledger: Ledger) -> dict[str, Any]:
    """What the last run was; of machines, every one that worked on the study."""
    last: dict[str, Any] = ledger.notes("provenance") or {}
    runs: list[dict[str, Any]] = ledger.notes("runs") or [last]
    names = dict.fromkeys(name for run in runs for name in run.get("machine", {}))
    values = {name: dict.fromkeys(str(run.get("machine", {}).get(name, "?")) for run in runs) for name in names}
    return {**last, "machine": {name: ", ".join(found) for name, found in values.items()}}


def mixed_warning(runs: pd.DataFrame) -> str:
    """Which arms were trained in more than one arithmetic; empty where none was."""
    complete = runs[runs["status"] == "complete"]
    kinds = complete.groupby("cell")[[name for name in ARITHMETIC if name in complete]].nunique()
    mixed = [str(cell) for cell in kinds.index[(kinds > 1).any(axis=1)]]
    if not mixed:
        return ""
    listed = ", ".join(f"`{cell}`" for cell in mixed[:3]) + (f" and {len(mixed) - 3} more" if len(mixed) > 3 else "")
    return f"Trials of {listed} were computed in more than one arithmetic (runs.csv: {', '.join(ARITHMETIC)})."


def provenance_facts(runs: pd.DataFrame, run: dict[str, Any]) -> dict[str, str]:
    """What made the numbers; several values where trials were made at several commits."""
    facts = {"command": anywhere(str(run.get("command", "?"))), "workers": str(run.get("workers", "?"))}
    facts |= {"images": run["images"]} if run.get("images") else {}
    facts |= {name: str(value) for name, value in run.get("machine", {}).items()}
    complete = runs[runs["status"] == "complete"]
    for name in ("commit", "dirty", "vit_ablate", "torch", "python", "device", "threads", *ARITHMETIC):
        if name in complete:
            facts[name] = ", ".join(sorted({str(value) for value in complete[name].unique()}))
    if FROM in complete and (counts := complete[FROM].value_counts()).size:
        facts["merged"] = ", ".join(f"{count} trials from {place}" for place, count in counts.items())
    if "started_at" in complete and len(complete):
        facts["trials started"] = f"{complete['started_at'].min()} to {complete['started_at'].max()}"
    return facts
