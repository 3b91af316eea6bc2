"""Run a study and read what it found, without a command line."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import sys
from pathlib import Path

import studies.catalog  # noqa: F401  registers the studies
from studies.design.expand import expand
from studies.design.study import STUDIES, Study
from studies.ledger.folder import ResultsFolder
from studies.report.publishing import publish
from studies.report.saved_study import Results, load_results
from studies.running.effort import BRIEF, FULL
from studies.running.processes import ProcessExecutor
from studies.running.runner import Runner


class UnguardedScriptError(RuntimeError):
    """No worker starts, most likely as the script that starts them, which they import, does so again."""

    def __init__(self) -> None:
        below = 'in a script, call studies.run below `if __name__ == "__main__":`'
        super().__init__(f"a worker process ended as it started; workers import the script that starts them: {below}")


def run(
    study: str | Study,
    results: str | Path = "results",
    *,
    seeds: int | None = None,
    quick: bool = False,
    device: str = "cpu",
    workers: int = 1,
) -> Results:
    """Train what is not finished of a study, and return what it found; calling it again trains nothing twice.

    Args:
        study: a name that ``vit-ablate list`` shows, or a declaration of one's own.
        results: the folder of all results.
        seeds: per arm; by default the study's.
        quick: the same table from less training.
        device: ``cpu``, ``cuda`` or ``mps``.
        workers: processes, one torch thread each, spread over the GPUs of ``cuda``; a script needs
            ``if __name__ == "__main__":`` around the call.

    Raises:
        UnknownNameError: no such study.
        DesignError: it cannot be expanded.
        UnguardedScriptError: no worker starts: a script calls it outside of its main part.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # a worker that imports the script
        raise UnguardedScriptError
    declared = STUDIES[study] if isinstance(study, str) else study
    declared = declared.as_quick() if quick else declared
    made = expand(declared if seeds is None else dataclasses.replace(declared, seeds=seeds), device)
    folder = ResultsFolder(Path(results) / made.folder)
    executor = _that_starts(ProcessExecutor(workers, device))
    ledger = folder.ledger(create=True)
    Runner(made, ledger, folder, executor, BRIEF if quick else FULL).run()
    publish(ledger, folder)
    return load_results(folder.path)


def _that_starts(executor: ProcessExecutor) -> ProcessExecutor:
    """Ask a worker, where a script is run: not in a notebook, which no worker imports."""
    try:
        if hasattr(sys.modules["__main__"], "__file__"):
            executor.submit(os.getpid).result()
    except executor.worker_died as error:
        raise UnguardedScriptError from error
    return executor
