"""`dashboard`."""

from __future__ import annotations

from pathlib import Path

from studies.cli.console import UsageError, say
from studies.cli.doing.folders import folder_of
from studies.ledger.dashboard import dashboard
from studies.ledger.folder import ResultsFolder, folders
from studies.ledger.tally import studies_on


def open_dashboard(study: str | None, results: Path, storage: str | None, port: int) -> None:
    """Serve until Ctrl-C.

    Raises:
        UsageError: there is no such study, or none at all.
    """
    folder = folder_of(results, study, storage) if study else newest(results, storage)
    server, address = dashboard(folder, port)
    say(f"{folder.name} in optuna-dashboard, to be read only: {address} (Ctrl-C ends it)")
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def newest(results: Path, storage: str | None) -> ResultsFolder:
    """The study that was written to last; of a server, the only one there is.

    Raises:
        UsageError: there is none, or a server has several.
    """
    if storage:
        there = studies_on(storage)
        if len(there) != 1:
            raise UsageError(f"which study of the storage? choices: {', '.join(there) or 'none'}")
        return ResultsFolder(results / there[0], storage)
    found = [folder for folder in folders(results) if folder.storage.is_file()]
    if not found:
        raise UsageError(f"no study in {results}: start one with `vit-ablate run`")
    return max(found, key=lambda folder: folder.storage.stat().st_mtime)
