"""Commands that read what was run: table, report, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studies.cli.console import WORSE, Results, StudyOrFolder, app, folder_of, out, show, show_published
from studies.compared import comparison_lines, comparison_table
from studies.comparison import compare_results
from studies.export import DEFAULT_COLUMNS, FORMATS, TABLES, read_table, select, with_verdicts
from studies.ledger import Ledger
from studies.report import publish


@app.command()
def table(
    study: StudyOrFolder,
    results: Results = Path("results"),
    kind: Annotated[str, typer.Option("--table", help=f"One of {', '.join(TABLES)}.")] = "cells",
    form: Annotated[str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}; printed as such.")] = None,
    columns: Annotated[str | None, typer.Option(help="Columns, with commas between.")] = None,
    where: Annotated[list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Rows to keep; repeatable.")] = None,
    sort: Annotated[str | None, typer.Option(metavar="COLUMN", help="Sort by it; -COLUMN for falling.")] = None,
) -> None:
    """Rebuild the tables and figures of a study from its storage, and print one of them."""
    folder = folder_of(results, study)
    published = publish(Ledger(folder)) if (folder / "study.db").exists() else None
    if published and not (form or columns or where or sort or kind != "cells"):
        show_published(published)
        return
    wanted = columns.split(",") if columns else [*DEFAULT_COLUMNS[kind]]
    frame = read_table(folder, kind)
    if kind == "cells":
        frame = with_verdicts(frame, read_table(folder, "contrasts"))
        wanted += [] if columns else ["verdict"]
    chosen = select(select(frame, where=where or (), sort=sort), wanted)
    text = FORMATS[form or "md"](chosen, f"{folder.name}: {kind}")
    out.print(text, soft_wrap=True, highlight=False, markup=False, end="")


@app.command()
def report(
    study: StudyOrFolder,
    results: Results = Path("results"),
) -> None:
    """Rebuild README.md and report.html of a study, with pictures of the baseline and the best arm."""
    show(Ledger(folder_of(results, study)), galleries=True)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A results folder.", file_okay=False, metavar="RESULTS_A")],
    b: Annotated[Path, typer.Argument(help="Another run of the study.", file_okay=False, metavar="RESULTS_B")],
) -> None:
    """Say what changed from A to B; exit code 1 if an accuracy or a speed got significantly worse."""
    found = compare_results(a, b)
    out.print(comparison_table(found))
    for line in comparison_lines(found):
        out.print(line, soft_wrap=True, highlight=False, markup=False)
    if found.worse:
        raise typer.Exit(WORSE)
