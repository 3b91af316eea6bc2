"""`export`."""

from __future__ import annotations

from pathlib import Path

from studies.cli.console import busy, say
from studies.cli.doing.folders import folder_of
from studies.cli.doing.looking import target_of
from studies.findings.findings import find
from studies.ledger.folder import file_name
from studies.report.models.handing import hand_over, trained_of


def export_model(
    study: str | None, cell: str | None, weights: Path | None, results: Path, to: str, out: Path | None
) -> None:
    """Write an arm of a study, or a weights file, as a folder for another program, and say where."""
    target = target_of(study, cell, weights, results)
    with busy(f"writing {target.name} for {to}"):
        trained = trained_of(target.name, target.weights)
        found = None if study is None else find(folder_of(results, study).ledger())
        folder = out or target.weights.parent.parent / "models" / f"{file_name(target.name)}-{to}"
        paths = hand_over(trained, to, folder, found)
    for path in paths:
        say(str(path))
