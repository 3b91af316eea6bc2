"""The command that referees anybody's runs: judge."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from studies.cli.console import app
from studies.cli.options import Json


class Form(StrEnum):
    """How the table is printed."""

    md = "md"
    csv = "csv"
    latex = "latex"
    html = "html"
    json = "json"


@app.command()
def judge(
    runs: Annotated[
        Path, typer.Argument(help="A table of runs: CSV, Parquet or JSON lines.", metavar="RUNS", dir_okay=False)
    ],
    arm: Annotated[str | None, typer.Option(help="Column of what is compared.", show_default="found by name")] = None,
    metric: Annotated[str | None, typer.Option(help="Column of values.", show_default="found by name")] = None,
    seed: Annotated[str | None, typer.Option(help="Column that pairs runs.", show_default="found by name")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Arm to compare the others with.", show_default="all pairs")
    ] = None,
    factor: Annotated[
        list[str] | None, typer.Option(help="Column of levels; arms that differ in one are compared. Repeatable.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Column of data sets, each judged by itself.")] = None,
    lower_is_better: Annotated[bool, typer.Option("--lower-is-better", help="For a loss, a time, a memory.")] = False,
    margin: Annotated[
        float | None,
        typer.Option(help="What does not matter: points, or the metric's unit.", show_default="0.2 points"),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Error rate of all comparisons together.")] = 0.05,
    form: Annotated[Form, typer.Option("--format", help="Printed as such.")] = Form.md,
    as_json: Json = False,
    fail_if_worse: Annotated[
        bool, typer.Option("--fail-if-worse", help="Exit code 1 if an arm is worse; 4 if too few seeds tell.")
    ] = False,
) -> None:
    """Say of anybody's runs which arms are better, worse or equivalent, and what is open."""
    from studies.cli.doing.judging import Referee, print_verdicts

    referee = Referee(arm, metric, seed, baseline, tuple(factor or ()), dataset, lower_is_better, margin, alpha)
    print_verdicts(runs, referee, Form.json.value if as_json else form.value, fail_if_worse)
