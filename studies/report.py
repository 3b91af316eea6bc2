"""From the ledger to a results folder: tables, figures, a README and a page that answer the study's question."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from studies.design import Plan
from studies.embedded import benches
from studies.figures import accuracy_figure, effects_figure, save_figures, speed_figure
from studies.findings import Findings, find
from studies.galleries import draw_galleries, kept_galleries
from studies.html import page
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
from studies.tables import write, write_tables


@dataclasses.dataclass(frozen=True)
class Published:
    """What was written, for whoever shows it next."""

    folder: Path
    plan: Plan
    runs: pd.DataFrame
    cells: pd.DataFrame
    contrasts: pd.DataFrame


def publish(ledger: Ledger, galleries: bool = False) -> Published:
    """Rebuild everything in the results folder from the storage.

    Args:
        ledger: of the study.
        galleries: draw the pictures of baseline and best arm where they are missing; some 8 s an arm.

    Raises:
        LedgerError: nothing was run yet.
    """
    found = find(ledger)
    plan, cells = found.plan, found.cells
    write_tables(ledger.folder, found.runs, cells, found.contrasts)
    text = _readme(found, save_figures(ledger.folder, _figures(found)))
    write(ledger.folder, "README.md", lambda path: path.write_text(text, encoding="utf-8"))
    facts = json.dumps(found.provenance, indent=2)
    write(ledger.folder, "provenance.json", lambda path: path.write_text(facts + "\n", encoding="utf-8"))
    if galleries:
        draw_galleries(ledger, plan, cells)
    html = page(found, benches(ledger.folder.parent), kept_galleries(ledger, plan, cells))
    write(ledger.folder, "report.html", lambda path: path.write_text(html, encoding="utf-8"))
    return Published(ledger.folder, plan, found.runs, cells, found.contrasts)


def _figures(found: Findings) -> dict[str, Figure]:
    figures = {"accuracy": accuracy_figure(found.plan, found.runs, found.cells)}
    if len(found.effects):
        figures["effects"] = effects_figure(found.plan, found.effects)
    if found.cells["train_images_per_second"].notna().any():
        figures["speed"] = speed_figure(found.plan, found.cells)
    return figures


def _readme(found: Findings, figures: list[str]) -> str:
    plan, runs, cells = found.plan, found.runs, found.cells
    n = int(cells["n"].max())
    template = Environment(
        loader=PackageLoader("studies"), undefined=StrictUndefined, trim_blocks=True, autoescape=False
    ).get_template("results.md.j2")
    return template.render(
        plan=plan,
        folder=found.folder,
        sentences=found.sentences,
        num_cells=len(plan.cells),
        complete=int((runs["status"] == "complete").sum()),
        failed=int((runs["status"] == "failed").sum()),
        n=n,
        smallest_p=f"{smallest_p(n):.2g}",
        arms=arms_table(plan, cells),
        effects=effects_table(found.effects),
        contrasts=contrasts_table(found.contrasts[found.contrasts["factor"] == "cell"]),
        failures=failures_table(runs, cells),
        fixed=fixed_table(plan),
        memory=", ".join(sorted(set(cells["gpu_memory_source"].dropna()))) or "not measured",
        provenance=key_values(found.provenance | {"command": f"`{found.provenance['command']}`"}),
        figures=figures,
    )
