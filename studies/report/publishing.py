"""From the ledger to a results folder: tables, figures, a README and a page that answer the study's question."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bench.files import write
from studies.design.plan import Plan
from studies.findings.answer import Sentence
from studies.findings.findings import Findings, find
from studies.findings.tables import write_tables
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.portable import notes_of
from studies.report.figures import figures_of, save_figures
from studies.report.front_figure import front_figure
from studies.report.galleries import draw_galleries, kept_galleries
from studies.report.page import page
from studies.report.readme import readme_text
from studies.report.tracebacks import write_tracebacks
from studies.report.tuning_figure import tuning_figure


@dataclasses.dataclass(frozen=True)
class Published:
    """What was rebuilt, for whoever shows it next."""

    folder: Path
    plan: Plan
    runs: pd.DataFrame
    cells: pd.DataFrame
    contrasts: pd.DataFrame
    sentences: Sequence[Sentence] = ()


def publish(
    ledger: Ledger, folder: ResultsFolder, galleries: bool = False, source: ResultsFolder | None = None
) -> Published:
    """Rebuild everything in the results folder from the storage.

    Args:
        ledger: of the study.
        folder: to write.
        galleries: draw the pictures of baseline and best arm where they are missing; some 8 s an arm.
        source: where the study lies with its weights, if it is another folder.

    Raises:
        LedgerError: nothing was run yet.
    """
    found = find(ledger)
    plan, cells = found.plan, found.cells
    write_tables(folder.path, found.runs, cells, found.contrasts)
    write_tracebacks(ledger, folder, found.runs)
    if found.tuning:
        write(folder.path, "tuning.csv", partial(found.tuning.trials.to_csv, index=False))
    if found.search:
        write(folder.path, "search.csv", partial(found.search.trials.to_csv, index=False))
    text = readme_text(found, save_figures(folder.path, _figures(found)))
    write(folder.path, folder.readme.name, lambda path: path.write_text(text, encoding="utf-8"))
    facts = json.dumps(found.provenance, indent=2)
    write(folder.path, folder.provenance.name, lambda path: path.write_text(facts + "\n", encoding="utf-8"))
    told = json.dumps(notes_of(ledger))
    write(folder.path, folder.notes.name, lambda path: path.write_text(told + "\n", encoding="utf-8"))
    if galleries:
        draw_galleries(folder, plan, cells, source or folder)
    html = page(found, kept_galleries(folder, plan, cells), folder.path)
    write(folder.path, folder.page.name, lambda path: path.write_text(html, encoding="utf-8"))
    return Published(folder.path, plan, found.runs, cells, found.contrasts, found.sentences)


def tabulate(ledger: Ledger, folder: ResultsFolder) -> Published:
    """The tables of a folder that cannot be written, which is left as it is.

    Raises:
        LedgerError: nothing was run yet.
    """
    found = find(ledger)
    return Published(folder.path, found.plan, found.runs, found.cells, found.contrasts, found.sentences)


def _figures(found: Findings) -> dict[str, Figure]:
    figures = figures_of(found.plan, found.runs, found.cells, found.contrasts, found.effects)
    if found.tuning:
        figures["tuning"] = tuning_figure(found.plan, found.cells, found.tuning.trials)
    if found.search:
        figures["front"] = front_figure(found.cells, found.search.trials)
    return figures
