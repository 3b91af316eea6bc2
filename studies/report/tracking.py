"""Curves and final metrics where people already look, TensorBoard and MLflow: every trial as soon as it is over.

What is there already is left alone, and a trial that ran again since takes the place of what it left before. So it
does not matter who finished a trial, nor how often a run was interrupted.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from studies.ledger.entries import Entry
from studies.ledger.folder import ResultsFolder, file_name
from studies.ledger.found import Found, searches
from studies.ledger.ledger import Ledger
from studies.trial.record import curve_of

FINAL = ("val_accuracy", "val_loss", "test_accuracy", "test_loss", "train_loss", "train_seconds", "wall_seconds")
MARK = "trial.json"
"""Beside the events of a trial that are whole."""
TRIAL, ATTEMPT, TUNING = "vit-ablate.trial", "vit-ablate.attempt", "vit-ablate.tuning"
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""With a server that is not there, where nobody says otherwise."""


@dataclass(frozen=True)
class Logged:
    """A trial that is over.

    Args:
        arm: its name.
        part: ``seed 3``, or ``trial 4`` of a search.
        trial: which it is, however often it ran.
        attempt: the id of this end of it, in the storage.
        state: ``complete``, ``failed`` or ``pruned``.
        record: what training left.
        reason: why it failed.
        facts: what it was trained with.
        tuning: whether a search asked for it.
    """

    arm: str
    part: str
    trial: str
    attempt: int
    state: str
    record: Mapping[str, Any]
    reason: str | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    tuning: bool = False

    @property
    def label(self) -> str:
        """What people read."""
        return f"{'tuning ' if self.tuning else ''}{self.arm} {self.part}"


def of_entry(arm: str, entry: Entry) -> Logged:
    """A trial of a seed."""
    facts = {"arm": arm, "seed": entry.seed}
    part = f"seed {entry.seed}"
    return Logged(arm, part, entry.content_hash, entry.trial_id, entry.state, entry.record, entry.reason, facts)


def of_search(arm: str, found: Found) -> Logged:
    """A trial of a search."""
    part, facts = f"trial {found.place + 1}", {"arm": arm, **found.settings}
    trial = f"search of {arm}, place {found.place}"
    return Logged(arm, part, trial, found.trial_id, found.state, found.record, found.reason, facts, tuning=True)


def all_of(ledger: Ledger) -> Iterator[Logged]:
    """Every trial that is over, of searches those that were trained, in the order of the storage."""
    names = {cell.content_hash: cell.name for cell in reversed(ledger.plan.runnable)}
    for entry in ledger.entries().values():
        if entry.state in ("complete", "failed") and entry.cell_hash in names:
            yield of_entry(names[entry.cell_hash], entry)
    for about, found in searches(ledger):
        for one in found:
            if one.over and "curve" in one.record:
                yield of_search(about["arm"], one)


class Writer(Protocol):
    """Writes trials that are over, in any order; again what is there already, which changes nothing."""

    def __init__(self, folder: ResultsFolder) -> None: ...

    def write(self, one: Logged) -> None:
        """Whole, or it is written again next time."""


class TensorBoard:
    """``logs/tensorboard/ARM/seed N``, one run a trial; of searches ``logs/tensorboard/tuning/ARM/trial N``."""

    def __init__(self, folder: ResultsFolder) -> None:
        self.home = folder.path / "logs" / "tensorboard"

    def write(self, one: Logged) -> None:
        """Events first, then the mark that says that they are whole."""
        place = (self.home / "tuning" if one.tuning else self.home) / file_name(one.arm) / one.part
        mark = {TRIAL: one.trial, ATTEMPT: one.attempt}
        if _read(place / MARK) == mark:
            return
        if place.exists():
            shutil.rmtree(place)
        place.mkdir(parents=True)
        _events(place, one)
        (place / MARK).write_text(json.dumps(mark))


def _events(place: Path, one: Logged) -> None:
    """Written here and at once: the writers that people use write in a thread of their own, whose errors nobody has."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter
    from torch.utils.tensorboard.summary import hparams, scalar, text

    final = {f"final/{name}": value for name, value in finals(one.record).items()}
    facts = {name: v if isinstance(v, (int, float, str)) else str(v) for name, v in one.facts.items()}
    told = [(scalar(f"epoch/{name}", value), epoch) for name, value, epoch in points(one.record)]  # type: ignore[no-untyped-call]
    told += [(summary, 0) for summary in hparams({**facts, "state": one.state}, final)]  # type: ignore[no-untyped-call]
    told += [(scalar(name, value), 0) for name, value in final.items()]  # type: ignore[no-untyped-call]
    told += [(text("reason", one.reason), 0)] if one.reason else []  # type: ignore[no-untyped-call]
    now = time.time()
    with (place / f"events.out.tfevents.{now:.0f}").open("wb") as file:
        records = RecordWriter(file)
        records.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        for summary, step in told:
            records.write(Event(wall_time=now, step=step, summary=summary).SerializeToString())


class MLflow:
    """One run a trial, in the experiment of the study, at ``MLFLOW_TRACKING_URI``; else ``logs/mlflow.db``."""

    def __init__(self, folder: ResultsFolder) -> None:
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            place = folder.path / "logs" / "mlflow.db"
            place.parent.mkdir(parents=True, exist_ok=True)
            uri = f"sqlite:///{place.absolute()}"
        self.client = MlflowClient(uri)
        known = self.client.get_experiment_by_name(folder.name)
        self.experiment = known.experiment_id if known else self.client.create_experiment(folder.name)
        self.runs, self.whole = defaultdict[str, list[str]](list), set[str]()
        for run in self._there():
            self.runs[run.data.tags.get(TRIAL, "")].append(run.info.run_id)
            if run.info.status in ("FINISHED", "FAILED"):
                self.whole.add(run.data.tags.get(ATTEMPT, ""))

    def write(self, one: Logged) -> None:
        """Its status last, which says that it is whole."""
        if str(one.attempt) in self.whole:
            return
        for run in self.runs.pop(one.trial, []):
            self.client.delete_run(run)
        self.runs[one.trial].append(self._run(one))
        self.whole.add(str(one.attempt))

    def _run(self, one: Logged) -> str:
        from mlflow.entities import Metric, Param

        tags = {TRIAL: one.trial, ATTEMPT: str(one.attempt), "mlflow.runName": one.label, TUNING: str(one.tuning)}
        tags |= {"reason": one.reason} if one.reason else {}
        run = self.client.create_run(self.experiment, tags=tags)
        began = run.info.start_time
        metrics = [Metric(f"epoch.{name}", value, began, epoch) for name, value, epoch in points(one.record)]
        metrics += [Metric(name, value, began, 0) for name, value in finals(one.record).items()]
        params = [Param(name, str(value)) for name, value in one.facts.items()]
        for begin in range(0, max(1, len(metrics)), 1000):  # most that one call takes
            self.client.log_batch(run.info.run_id, metrics[begin : begin + 1000], () if begin else params)
        self.client.set_terminated(run.info.run_id, "FAILED" if one.state == "failed" else "FINISHED")
        return str(run.info.run_id)

    def _there(self) -> Iterator[Any]:
        page = None
        while page != "":
            found = self.client.search_runs([self.experiment], max_results=1000, page_token=page)
            yield from found
            page = found.token or ""


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


WRITERS: dict[str, Callable[[ResultsFolder], Writer]] = {"tensorboard": TensorBoard, "mlflow": MLflow}
