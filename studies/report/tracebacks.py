"""Trials that failed: what is told of each, and the traceback of its error as a file of the results folder."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.files import write_text
from studies.findings.tables import searched_traceback
from studies.ledger.folder import ResultsFolder
from studies.ledger.found import searches
from studies.ledger.ledger import Ledger


@dataclass(frozen=True)
class Failure:
    """A failed trial.

    Args:
        arm: its name.
        seed: of it.
        kind: as ``--retry`` takes it; empty in tables of a version that did not tell.
        reason: one line.
        file: the traceback, as a path in the results folder; empty where no error was raised, as of a killed worker.
    """

    arm: str
    seed: int
    kind: str
    reason: str
    file: str


def failures(runs: pd.DataFrame) -> list[Failure]:
    """In the order of the table of runs."""
    failed = runs[runs["status"] == "failed"].reindex(columns=["cell", "seed", "failure", "reason", "traceback"])
    place = ResultsFolder.TRACEBACKS
    rows = failed.astype(object).where(failed.notna(), "").to_dict("records")
    return [
        Failure(
            row["cell"], row["seed"], row["failure"], row["reason"], row["traceback"] and f"{place}/{row['traceback']}"
        )
        for row in rows
    ]


def write_tracebacks(ledger: Ledger, folder: ResultsFolder, runs: pd.DataFrame) -> None:
    """One file a failed trial that left one, trials of searches among them; files of trials that ran since go.

    Args:
        ledger: of the study.
        folder: where they are written.
        runs: with the names of the files.
    """
    texts = {**_of_runs(ledger, runs), **_of_searches(ledger)}
    for name, text in texts.items():
        write_text(folder.tracebacks, name, text)
    for file in folder.tracebacks.glob("*.txt"):
        if file.name not in texts:
            file.unlink(missing_ok=True)


def _of_runs(ledger: Ledger, runs: pd.DataFrame) -> dict[str, str]:
    """By the name of the file."""
    found, traces = runs[runs["traceback"].notna()] if "traceback" in runs else runs[:0], ledger.traces()
    return {
        run["traceback"]: f"{run['cell']}, seed {run['seed']}, attempt {run['attempt']}: {run['failure']}\n\n"
        f"{traces[run['trial'], run['attempt']]}"
        for run in found.to_dict("records")
    }


def _of_searches(ledger: Ledger) -> dict[str, str]:
    """By the name of the file, which `tuning.csv` or `search.csv` has, too."""
    return {
        name: f"search of {about['arm']}, trial {one.number}, {one.settings}: {one.reason}\n\n{one.trace}"
        for about, found in searches(ledger)
        for one in found
        if (name := searched_traceback(about["arm"], one))
    }
