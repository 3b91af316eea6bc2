"""`calibrate`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import typer

from bench.files import write, write_text
from studies.cli.console import WORSE, busy, out, say
from studies.report.calibration_page import calibration_page
from studies.report.markdown import markdown
from studies.statistics.calibration import calibrate
from studies.statistics.images_calibration import calibrate_images
from studies.statistics.looks_calibration import calibrate_looks

LOOKED_SHARE = 8
"""A study that is looked at while it grows takes about so many times as long to simulate."""


def prove_statistics(studies: int, results: Path) -> None:
    """Simulate, write the table and its page, and end with code 1 if a promise is broken."""
    with busy(f"simulating {studies:,} studies per condition"):
        looked = calibrate_looks(max(100, studies // LOOKED_SHARE))
        table = pd.concat([calibrate(studies), looked, calibrate_images(max(100, studies // 10))], ignore_index=True)
    folder = results / "calibration"
    write(folder, "calibration.csv", lambda path: table.to_csv(path, index=False))
    write_text(folder, "README.md", calibration_page(table, studies))
    broken = table[table["required"] & ~table["passed"]]
    say(f"{int(table['required'].sum())} promises, {len(broken)} broken: {folder}/README.md")
    if len(broken):
        out.print(markdown(broken.round(4)), soft_wrap=True)
        raise typer.Exit(WORSE)
