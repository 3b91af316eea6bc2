"""`figures`."""

from __future__ import annotations

import re
from pathlib import Path

from studies.cli.console import UsageError, say
from studies.ledger.folder import ResultsFolder
from studies.report.saved_study import load_results

FORMS = ("pdf", "svg", "png")
INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27}
LEAST, MOST = 1.5, 30.0
"""Inches that a figure can have."""


def draw_figures(folder: ResultsFolder, to: Path, form: str, width: str) -> None:
    """Every figure of a study into a folder.

    Raises:
        UsageError: no such format, or a width that is none.
    """
    if form not in FORMS:
        raise UsageError(f"--format {form!r}: choices: {', '.join(FORMS)}")
    inches = inches_of(width)
    for name, picture in load_results(folder.path).figures(inches).items():
        say(str(picture.save(to / f"{name}.{form}")))


def inches_of(width: str) -> float:
    """``3.25in``, ``8cm``, ``80mm``, ``234pt`` in inches.

    Raises:
        UsageError: no length, or one that no figure has.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(in|cm|mm|pt)", width.strip())
    inches = float(found[1]) * INCHES[found[2]] if found else 0.0
    if not LEAST <= inches <= MOST:
        raise UsageError(
            f"--width {width!r}: write a length of {LEAST:g} to {MOST:g} inches, for example 3.25in or 8cm"
        )
    return inches
