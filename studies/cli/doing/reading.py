"""`publish` and `compare`."""

from __future__ import annotations

from pathlib import Path

from studies.cli.console import out, say
from studies.cli.doing.gating import Wanted, judge_change
from studies.cli.tables import comparison_lines, comparison_table
from studies.findings.comparison import compare_results
from studies.report.releasing import release


def publish_folder(folder: Path, to: Path, force: bool) -> None:
    """`publish`."""
    say(f"published: {release(folder, to, force)}")


def print_comparison(a: Path, b: Path, wanted: Wanted) -> None:
    """The table, the lines below it, and the exit code of `gating.judge_change`."""
    found = compare_results(a, b)
    if not wanted.as_json:
        out.print(comparison_table(found))
        for line in comparison_lines(found):
            say(line)
    judge_change(found, f"{a.name} -> {b.name}" if a.name != b.name else f"{a} -> {b}", wanted)
