"""What says which study is meant: a name, a file of one's own, or factors typed out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from studies.cli.console import UsageError
from studies.cli.known import check


class Design(StrEnum):
    """Which combinations of levels are run."""

    full = "full"
    one_at_a_time = "one-at-a-time"
    resolution_3 = "resolution-3"
    resolution_4 = "resolution-4"
    resolution_5 = "resolution-5"


StudyName = Annotated[
    str | None,
    typer.Argument(help="A study, see `vit-ablate list`, or a Python file that declares one.", metavar="[STUDY]"),
]
Factors = Annotated[
    list[str] | None,
    typer.Option(
        "--factor",
        metavar="NAME=LEVEL,LEVEL",
        help="A study of your own: vary a field of model or recipe, instead of STUDY's factors; repeatable.",
    ),
]
Baseline = Annotated[
    str | None, typer.Option(metavar="NAME=LEVEL,...", help="Levels of the baseline.", show_default="the study's")
]
DesignOption = Annotated[
    Design | None,
    typer.Option("--design", help="Combinations to run; fractions by their resolution.", show_default="the study's"),
]


def is_file(study: str) -> bool:
    """Whether what is typed for a study is a Python file; a study's name never ends like one."""
    return study.endswith(".py")


def check_study(study: str) -> None:
    """Refuse a study that is not known, and a file that is not there.

    Raises:
        UsageError: names the choices, or how to begin a file.
    """
    if not is_file(study):
        check("study", study)
    elif not Path(study).is_file():
        raise UsageError(f"there is no file {study}; `vit-ablate new {study}` writes one to start from")
