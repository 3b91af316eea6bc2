"""Rebuild a results folder and show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.text import Text

import studies.catalog  # noqa: F401  registers the studies
from studies.cli.console import UsageError, busy, is_styled, out, say
from studies.cli.tables import ranked_table, title_of
from studies.data import load
from studies.design.expand import expand
from studies.design.for_data import on_data
from studies.design.plan import Plan
from studies.design.study import STUDIES
from studies.findings.importing import ledger_from
from studies.findings.saved import ExportError, read_table
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.report.publishing import Published, publish


def rebuild_report(folder: ResultsFolder, to: Path | None) -> None:
    """`report`, into the folder of the study or another one; refused before anything is computed.

    Raises:
        UsageError: it cannot be written.
        ForeignResultsError, ExportError: there are tables only, and not enough in them.
    """
    place = ResultsFolder(to) if to is not None else folder
    if not place.writable:
        raise UsageError(f"{place.path} is there to be read only: name a folder that you can write with --to")
    if folder.holds_study:
        show(folder.ledger(), place, galleries=True, source=folder)
        return
    plan = None if folder.notes.exists() else plan_of_catalog(folder)
    with ledger_from(folder, plan) as ledger:
        show(ledger, place, galleries=True, source=folder)


def plan_of_catalog(folder: ResultsFolder) -> Plan | None:
    """Of tables that were written before they kept their declaration: the study of their name, if there is one.

    Raises:
        ExportError: it was looked at while it grew; when, only that declaration would tell.
    """
    contrasts = read_table(folder.path, "contrasts")
    if "looks" in contrasts and (looks := contrasts["looks"].max()) > 1:
        raise ExportError(
            f"{folder.path} was looked at {looks:.0f} times while it grew, and has no {folder.notes.name}, which tells "
            f"when: verdicts made anew would be too certain; `vit-ablate table {folder.path}` shows those that it has"
        )
    runs = read_table(folder.path, "runs")
    complete = runs[runs["status"] == "complete"]
    name, dataset = str(runs["study"].iloc[0]), str(runs["dataset"].iloc[0])
    if name not in STUDIES or not len(complete):
        return None
    study = STUDIES[name]
    plan = expand(study if study.dataset == dataset else on_data(study, load(dataset)), str(complete["device"].iloc[0]))
    return replace(plan, seeds=sorted({int(seed) for seed in runs["seed"]}))


def show(
    ledger: Ledger, folder: ResultsFolder, galleries: bool = False, source: ResultsFolder | None = None
) -> Published:
    """Write the results folder and print the ranked arms; ``source`` is where the weights lie, if elsewhere."""
    with busy("writing tables, figures and the report"):
        published = publish(ledger, folder, galleries, source)
    show_published(published)
    return published


def show_published(published: Published) -> None:
    """Print the ranked arms and where the rest is."""
    out.print(ranked_table(title_of(published.plan), published.cells, is_styled()))
    for sentence in published.sentences:
        out.print(Text.assemble((f"{sentence.topic}. ", "bold"), sentence.text.replace("`", "")))
    say(f"tables and figures: {published.folder}/README.md and report.html")
