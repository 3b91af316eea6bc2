"""What a study found: every table that a report tells of, derived from the ledger alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from studies.answer import Sentence, answer
from studies.design import Plan
from studies.front import memory_front, rounds_frame, speed_contrasts, speed_front
from studies.ledger import Ledger
from studies.tables import cells_frame, contrasts_frame, effects_frame, runs_frame


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
    sentences: Sequence[Sentence]
    provenance: dict[str, str]


def find(ledger: Ledger) -> Findings:
    """Read the storage and compute everything.

    Raises:
        LedgerError: nothing was run yet.
    """
    plan = ledger.plan
    runs = runs_frame(ledger, plan)
    cells, contrasts = cells_frame(plan, runs), contrasts_frame(plan, runs)
    effects, rounds = effects_frame(plan, contrasts), rounds_frame(plan, ledger.measurement)
    front = speed_front(plan, runs, rounds)
    return Findings(
        folder=ledger.folder.name,
        plan=plan,
        runs=runs,
        cells=cells,
        contrasts=contrasts,
        effects=effects,
        speeds=speed_contrasts(plan, rounds),
        speed_front=front,
        memory_front=memory_front(plan, runs, cells),
        sentences=answer(plan, runs, cells, contrasts, effects, front),
        provenance=provenance_facts(runs, ledger.notes("provenance") or {}),
    )


def provenance_facts(runs: pd.DataFrame, run: dict[str, Any]) -> dict[str, str]:
    """What made the numbers; several values where trials were made at several commits."""
    facts = {"command": str(run.get("command", "?")), "workers": str(run.get("workers", "?"))}
    facts |= {name: str(value) for name, value in run.get("machine", {}).items()}
    complete = runs[runs["status"] == "complete"]
    for name in ("commit", "dirty", "vit_ablate", "torch", "python", "device", "threads", "dtype"):
        if name in complete:
            facts[name] = ", ".join(sorted({str(value) for value in complete[name]}))
    if "started_at" in complete and len(complete):
        facts["trials started"] = f"{complete['started_at'].min()} to {complete['started_at'].max()}"
    return facts
