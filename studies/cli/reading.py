"""Commands that read what was run: table, report, dashboard, publish, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studies.cli.console import UsageError, app
from studies.cli.known import check
from studies.cli.options import Json, MaybeStudy, Results, Storage, StudyOrFolder, WithChoices


@app.command(cls=WithChoices)
def table(
    study: StudyOrFolder,
    results: Results = Path("results"),
    kind: Annotated[str, typer.Option("--table", help="One of {table}.")] = "cells",
    form: Annotated[str | None, typer.Option("--format", help="One of {format}; printed as such.")] = None,
    as_json: Json = False,
    columns: Annotated[str | None, typer.Option(help="Columns, with commas between.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="CONDITION", help="Rows to keep: chunking=tiles, 'n>=5'; repeatable.")
    ] = None,
    sort: Annotated[str | None, typer.Option(metavar="COLUMN", help="Sort by it; -COLUMN for falling.")] = None,
    rename: Annotated[
        list[str] | None, typer.Option(metavar="OLD=NEW", help="Another name for a heading, arm or level; repeatable.")
    ] = None,
    digits: Annotated[int | None, typer.Option(min=0, max=6, help="Digits of accuracies and differences.")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Write tables and figures anew from the storage.")] = False,
    storage: Storage = None,
) -> None:
    """Print a table of a study, as it was written by the last run; nothing is rebuilt unless --rebuild."""
    check("table", kind)
    if form is not None:
        check("format", form)
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form}: give one of them")
    from studies.cli.doing.folders import folder_of

    folder = folder_of(results, study, storage)
    from studies.cli.doing.tabling import Said, WantedTable, print_table

    said = Said(rename or (), digits)
    form = "json" if as_json else form
    print_table(folder, WantedTable(kind, form, columns, where or (), sort, said), rebuild)


@app.command()
def report(
    study: StudyOrFolder,
    results: Results = Path("results"),
    to: Annotated[
        Path | None, typer.Option(help="Folder to write to.", file_okay=False, show_default="where the study lies")
    ] = None,
    storage: Storage = None,
) -> None:
    """Rebuild README.md and report.html of a study, with pictures of the baseline and the best arm."""
    from studies.cli.doing.folders import folder_of

    folder = folder_of(results, study, storage)
    from studies.cli.doing.showing import rebuild_report

    rebuild_report(folder, to)


@app.command()
def figures(
    study: StudyOrFolder,
    results: Results = Path("results"),
    to: Annotated[Path | None, typer.Option(help="Folder to write.", file_okay=False, show_default="here")] = None,
    form: Annotated[str, typer.Option("--format", help="One of pdf, svg, png.")] = "pdf",
    width: Annotated[str, typer.Option(metavar="3.25in|8cm", help="Width of the figures.")] = "8in",
) -> None:
    """Draw the figures of a study for a paper, from its tables alone; fonts of a PDF are embedded."""
    from studies.cli.doing.folders import folder_of

    folder = folder_of(results, study)
    from studies.cli.doing.drawing import draw_figures

    draw_figures(folder, to or Path(), form, width)


@app.command()
def dashboard(
    study: MaybeStudy = None,
    results: Results = Path("results"),
    storage: Storage = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of this machine; 0 takes a free one.")] = 8080,
) -> None:
    """Open a study in optuna-dashboard, in a browser, to be read only; by default the one written to last."""
    from studies.cli.doing.dashboard import open_dashboard

    open_dashboard(study, results, storage, port)


@app.command()
def publish(
    study: Annotated[str, typer.Argument(help="A study, or a folder of results such as bench-cpu.", metavar="STUDY")],
    results: Results = Path("results"),
    to: Annotated[
        Path | None,
        typer.Option(help="Folder of published results.", file_okay=False, show_default="RESULTS/published"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="In spite of changed sources or unfinished trials.")] = False,
) -> None:
    """Copy finished results to where git keeps them, if a committed source tree made them."""
    from studies.cli.doing.folders import PUBLISHED, folder_of

    folder = results / study if (results / study).is_dir() else folder_of(results, study).path
    from studies.cli.doing.reading import publish_folder

    publish_folder(folder, to or results / PUBLISHED, force)


@app.command("fidelity")
def fidelity_command(
    study: StudyOrFolder,
    long: Annotated[
        str | None, typer.Argument(help="The long run of the same arms.", metavar="[LONG]", show_default=False)
    ] = None,
    results: Results = Path("results"),
) -> None:
    """Say whether short runs rank and judge arms as long ones: a quick run, or a study that varies its budget."""
    from studies.cli.doing.believing import print_fidelity

    print_fidelity(results, study, long)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A results folder.", file_okay=False, metavar="RESULTS_A")],
    b: Annotated[Path, typer.Argument(help="Another run of the study.", file_okay=False, metavar="RESULTS_B")],
    max_drop: Annotated[
        float | None,
        typer.Option(min=0, max=100, metavar="POINTS", help="Points of accuracy that no arm may be shown to lose."),
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JUnit report.", dir_okay=False)] = None,
    github: Annotated[bool, typer.Option("--github", help="Add to the summary of a GitHub job.")] = False,
    as_json: Json = False,
) -> None:
    """Say what changed from A to B; exit code 1 if it got worse, 4 if there are too few seeds to judge.

    With --max-drop only accuracy decides: 0 where every arm is shown to lose less, 1 where one is shown to lose more.
    """
    from studies.cli.doing.gating import Wanted
    from studies.cli.doing.reading import print_comparison

    print_comparison(a, b, Wanted(max_drop, junit, github, as_json))
