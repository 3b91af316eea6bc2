"""Curves and final metrics where people already look, TensorBoard and MLflow: derived from the ledger, trial by trial.

What is there already is left alone, and a trial that ran again since takes the place of what it left before. So it
does not matter who finished a trial, nor how often a run was interrupted.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from studies.ledger.entries import Entry
from studies.ledger.folder import ResultsFolder, file_name
from studies.ledger.ledger import Ledger
from studies.trial.record import curve_of

FINAL = ("val_accuracy", "val_loss", "test_accuracy", "test_loss", "train_loss", "train_seconds", "wall_seconds")
MARK = "trial.json"
"""Beside the events of a trial that are whole."""
TRIAL, ATTEMPT = "vit-ablate.trial", "vit-ablate.attempt"


def write_logs(ledger: Ledger, folder: ResultsFolder, kinds: list[str]) -> None:
    """Every trial that is over, complete or failed, to ``kinds``: of ``WRITERS``."""
    names = {cell.content_hash: cell.name for cell in ledger.plan.runnable}
    over = [e for e in ledger.entries().values() if e.state in ("complete", "failed") and e.cell_hash in names]
    for kind in kinds:
        WRITERS[kind](folder, [(names[entry.cell_hash], entry) for entry in over])


def to_tensorboard(folder: ResultsFolder, trials: list[tuple[str, Entry]]) -> None:
    """``logs/tensorboard/ARM/seed N``, one run a trial."""
    for arm, entry in trials:
        place = folder.path / "logs" / "tensorboard" / file_name(arm) / f"seed {entry.seed}"
        mark = {TRIAL: entry.content_hash, ATTEMPT: entry.trial_id}
        if _read(place / MARK) == mark:
            continue
        if place.exists():
            shutil.rmtree(place)
        _events(place, arm, entry)
        (place / MARK).write_text(json.dumps(mark))


def _events(place: Path, arm: str, entry: Entry) -> None:
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    with SummaryWriter(str(place)) as writer:
        for name, value, epoch in points(entry.record):
            writer.add_scalar(f"epoch/{name}", value, epoch)
        final = {f"final/{name}": value for name, value in finals(entry.record).items()}
        facts = {"arm": arm, "seed": entry.seed, "state": entry.state}
        for summary in hparams(facts, final):  # type: ignore[no-untyped-call]  # `add_hparams` makes another run
            writer.file_writer.add_summary(summary)
        for name, value in final.items():
            writer.add_scalar(name, value)
        if entry.reason:
            writer.add_text("reason", entry.reason)


def to_mlflow(folder: ResultsFolder, trials: list[tuple[str, Entry]]) -> None:
    """One run a trial, in the experiment of the study, at ``MLFLOW_TRACKING_URI``; else ``logs/mlflow.db``."""
    from mlflow import MlflowClient

    place = folder.path / "logs" / "mlflow.db"
    place.parent.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{place.absolute()}")
    known = client.get_experiment_by_name(folder.name)
    experiment = known.experiment_id if known else client.create_experiment(folder.name)
    there, page = list[Any](), None
    while page != "":
        found = client.search_runs([experiment], max_results=1000, page_token=page)
        there, page = [*there, *found], found.token or ""
    whole = {run.data.tags.get(ATTEMPT) for run in there if run.info.status in ("FINISHED", "FAILED")}
    for arm, entry in trials:
        if str(entry.trial_id) in whole:
            continue
        for run in there:
            if run.data.tags.get(TRIAL) == entry.content_hash:
                client.delete_run(run.info.run_id)
        _run(client, experiment, arm, entry)


def _run(client: Any, experiment: str, arm: str, entry: Entry) -> None:
    tags = {TRIAL: entry.content_hash, ATTEMPT: str(entry.trial_id), "mlflow.runName": f"{arm} seed {entry.seed}"}
    run = client.create_run(experiment, tags=tags | ({"reason": entry.reason} if entry.reason else {})).info.run_id
    client.log_param(run, "arm", arm)
    client.log_param(run, "seed", entry.seed)
    for name, value, epoch in points(entry.record):
        client.log_metric(run, f"epoch.{name}", value, step=epoch)
    for name, value in finals(entry.record).items():
        client.log_metric(run, name, value)
    client.set_terminated(run, "FINISHED" if entry.state == "complete" else "FAILED")


def points(record: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    """Name, value and epoch of everything on a learning curve."""
    for point in curve_of(record):
        for name, value in point.items():
            if name != "epoch" and value is not None:
                yield name, float(value), int(point["epoch"])


def finals(record: Mapping[str, Any]) -> dict[str, float]:
    """The final metrics of a record, as far as it came."""
    return {name: float(record[name]) for name in FINAL if record.get(name) is not None}


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


WRITERS: dict[str, Callable[[ResultsFolder, list[tuple[str, Entry]]], None]] = {
    "tensorboard": to_tensorboard,
    "mlflow": to_mlflow,
}
