"""`fidelity`."""

from __future__ import annotations

from pathlib import Path

from studies.cli.console import UsageError, out, say
from studies.cli.doing.folders import folder_of
from studies.cli.grid import Grid
from studies.findings.fidelity import BUDGETS, QUICK, between, full_of, of_study, said
from studies.statistics.fidelity import Fidelity


def print_fidelity(results: Path, study: str, long: str | None) -> None:
    """A row for every short run that a long one can be asked about.

    Raises:
        UsageError: there is none.
    """
    found = measured_fidelity(results, study, long)
    headers = ("short", "arms", "Kendall's τ", "95 % interval", "ordered alike", "verdicts that agree", "contradicted")
    rows = [
        (
            label,
            str(one.arms),
            f"{one.tau:.2f}",
            f"{one.low:.2f} to {one.high:.2f}",
            f"{one.ordered} of {one.decided}",
            f"{one.confirmed} of {one.called}",
            str(one.contradicted),
        )
        for label, one in found.items()
    ]
    out.print(Grid(headers, rows, "Do short runs rank and judge the arms as the long ones do?", right=(1, 2)))
    for label, one in found.items():
        say(f"{label}: {said(one)}")


def measured_fidelity(results: Path, study: str, long: str | None) -> dict[str, Fidelity]:
    """By what was short: a study's cheaper budgets against its dearest, a quick run, or one folder against another."""
    if long is not None:
        short, full = folder_of(results, study).path, folder_of(results, long).path
        return {short.name: between(short, full)}
    try:
        folder = folder_of(results, study).path
    except UsageError:
        folder = folder_of(results, f"{study}{QUICK}").path
    if found := of_study(folder):
        return found
    quick = folder if QUICK in folder.name else folder_of(results, f"{study}{QUICK}").path
    full_run = full_of(quick)
    if full_run is None:
        raise UsageError(
            f"{study} varies none of {', '.join(BUDGETS)}, and there is no full run beside {quick}: name two folders, "
            "short and long"
        )
    return {quick.name: between(quick, full_run)}
