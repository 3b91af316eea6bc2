"""Trials that failed: what is told of each, and the traceback of its error as a file of the results folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bench.files import write_text
from studies.ledger.folder import ResultsFolder


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


def write_tracebacks(traces: Mapping[tuple[str, int], str], folder: ResultsFolder, runs: pd.DataFrame) -> None:
    """One file a failed trial that left one; files of trials that have run since are removed.

    Args:
        traces: by the trial's hash and the number of the attempt.
        folder: where they are written.
        runs: with the names of the files.
    """
    found = runs[runs["traceback"].notna()] if "traceback" in runs else runs[:0]
    for _, run in found.iterrows():
        head = f"{run['cell']}, seed {run['seed']}, attempt {run['attempt']}: {run['failure']}\n\n"
        write_text(folder.tracebacks, run["traceback"], head + traces[run["trial"], run["attempt"]])
    for file in folder.tracebacks.glob("*.txt"):
        if file.name not in set(found["traceback"] if len(found) else ()):
            file.unlink(missing_ok=True)
