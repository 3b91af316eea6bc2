"""From the ledger to a results folder: tables, figures and a README that answers the study's question."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from studies.design import Plan
from studies.figures import accuracy_figure, effects_figure, save_figures, speed_figure
from studies.ledger import Ledger
from studies.markdown import (
    arms_table,
    contrasts_table,
    effects_table,
    failures_table,
    fixed_table,
    key_values,
)
from studies.paired import smallest_p
from studies.tables import cells_frame, contrasts_frame, effects_frame, runs_frame, write, write_tables


@dataclasses.dataclass(frozen=True)
class Published:
    """What was written, for whoever shows it next."""

    folder: Path
    plan: Plan
    runs: pd.DataFrame
    cells: pd.DataFrame
    contrasts: pd.DataFrame


def publish(ledger: Ledger) -> Published:
    """Rebuild everything in the results folder from the storage.

    Raises:
        LedgerError: nothing was run yet.
    """
    plan = ledger.plan
    runs = runs_frame(ledger, plan)
    cells = cells_frame(plan, runs)
    contrasts = contrasts_frame(plan, runs)
    published = Published(ledger.folder, plan, runs, cells, contrasts)
    write_tables(ledger.folder, runs, cells, contrasts)
    effects = effects_frame(plan, contrasts)
    figures = {"accuracy": accuracy_figure(plan, runs, cells)}
    if len(effects):
        figures["effects"] = effects_figure(plan, effects)
    if cells["train_images_per_second"].notna().any():
        figures["speed"] = speed_figure(plan, cells)
    names = save_figures(ledger.folder, figures)
    text = _readme(published, effects, ledger.notes("provenance") or {}, names)
    write(ledger.folder, "README.md", lambda path: path.write_text(text, encoding="utf-8"))
    return published


def _readme(published: Published, effects: pd.DataFrame, run: dict[str, Any], figures: list[str]) -> str:
    plan, runs, cells = published.plan, published.runs, published.cells
    complete = int((runs["status"] == "complete").sum())
    failed = int((runs["status"] == "failed").sum())
    n = int(cells["n"].max())
    template = Environment(
        loader=PackageLoader("studies"), undefined=StrictUndefined, trim_blocks=True, autoescape=False
    ).get_template("results.md.j2")
    return template.render(
        plan=plan,
        folder=published.folder.name,
        num_cells=len(plan.cells),
        complete=complete,
        failed=failed,
        n=n,
        smallest_p=f"{smallest_p(n):.2g}",
        arms=arms_table(plan, cells),
        effects=effects_table(effects),
        contrasts=contrasts_table(published.contrasts[published.contrasts["factor"] == "cell"]),
        failures=failures_table(runs, cells),
        fixed=fixed_table(plan),
        memory=", ".join(sorted(set(cells["gpu_memory_source"].dropna()))) or "not measured",
        provenance=key_values(_provenance(runs, run)),
        figures=figures,
    )


def _provenance(runs: pd.DataFrame, run: dict[str, Any]) -> dict[str, str]:
    """What made the numbers; several values where trials were made at several commits."""
    facts = {"command": f"`{run.get('command', '?')}`", "workers": str(run.get("workers", "?"))}
    facts |= {name: str(value) for name, value in run.get("machine", {}).items()}
    complete = runs[runs["status"] == "complete"]
    for name in ("commit", "dirty", "vit_ablate", "torch", "python", "device", "threads", "dtype"):
        if name in complete:
            facts[name] = ", ".join(sorted({str(value) for value in complete[name]}))
    if "started_at" in complete and len(complete):
        facts["trials started"] = f"{complete['started_at'].min()} to {complete['started_at'].max()}"
    return facts
