"""Finished trials of a results folder whose storage is elsewhere, for a storage of their own: their hashes tell them.

`run` trains the rest then, and `report` writes everything anew, with or without leave to write in that folder.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from studies.design.plan import Cell, Plan, Trial
from studies.findings.column import Row, records
from studies.findings.fronts import NEEDED, SEARCHED
from studies.findings.saved import ExportError, read_table, whole
from studies.findings.tables import LEAD, MEASURED
from studies.findings.words import plural
from studies.ledger.folder import ResultsFolder
from studies.ledger.ledger import Ledger
from studies.ledger.portable import ELSEWHERE, Adopted, adopt
from studies.training.compute import Compute

RESOLVED = tuple(field.name for field in dataclasses.fields(Compute))
"""What a recipe may leave to the rule, so that a record and its recipe may differ in them."""
MACHINE = ("cpu", "gpu", "cores", "memory_gib", "system")
MOST_NAMED = 4


class ForeignResultsError(ValueError):
    """Finished trials that are none of this study; the message says what differs."""


def notes_in(folder: ResultsFolder) -> dict[str, Any]:
    """The notes that lie beside the tables; of folders of earlier versions, on which machine they were made.

    Raises:
        ExportError: a file is damaged.
    """
    if folder.notes.exists():
        return _object_in(folder.notes)
    facts = _object_in(folder.provenance) if folder.provenance.exists() else {}
    machine = {name: facts[name] for name in MACHINE if name in facts}
    run = {**{name: facts.get(name, "?") for name in ("command", "workers")}, "machine": machine, "driver": ELSEWHERE}
    return {"provenance": run, "runs": [run]}


def _object_in(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no object")
    except (ValueError, UnicodeError) as error:
        raise ExportError(f"{file} is damaged: {error}") from None
    return found


def finished_in(folder: ResultsFolder, plan: Plan) -> list[Adopted]:
    """Every complete trial that the tables hold, as the plan's, and its record.

    Raises:
        ForeignResultsError: some are none of the plan's arms.
        ExportError: the tables are damaged.
    """
    table = _runs(folder)
    rows = records(table[table["status"] == "complete"])
    arms = {cell.content_hash: cell for cell in plan.runnable}
    if foreign := [row for row in rows if row["config_hash"] not in arms]:
        raise ForeignResultsError(
            f"{folder.path} holds {plural(len(rows), 'finished trial')}, and {len(foreign)} of them are not of this "
            f"study: {_why(foreign, plan)}. Give what they were made with, or another --results; "
            "--overwrite trains all anew and replaces them"
        )
    trials = [(Trial(arms[row["config_hash"]], int(row["seed"])), row) for row in rows]
    return [Adopted(trial, record_of(trial, row)) for trial, row in trials]


def record_of(trial: Trial, row: Row) -> dict[str, Any]:
    """The record from which a row was made; model and recipe, which the hash pins, are the trial's own."""
    asked = {**dataclasses.asdict(trial.setup.config), **dataclasses.asdict(trial.setup.recipe)}
    left_out = {*LEAD, *MEASURED, "config_hash", *asked} - {"seed", *RESOLVED}
    told = {str(name): _plain(value) for name, value in row.items() if name not in left_out}
    return asked | {name: value for name, value in told.items() if value is not None}


@contextmanager
def ledger_from(folder: ResultsFolder, plan: Plan | None = None) -> Iterator[Ledger]:
    """A storage that lasts as long as the block, with all that the folder's tables hold.

    Args:
        folder: with tables.
        plan: of folders that do not keep theirs.

    Raises:
        ForeignResultsError, ExportError: as `finished_in`, or there is no plan.
    """
    told = notes_in(folder)
    if plan is None:
        if "plan" not in told:
            raise ExportError(f"{folder.path} has no {folder.notes.name}, which has the declaration of its study")
        plan = Plan.from_json(told["plan"])
    with tempfile.TemporaryDirectory() as place:
        ledger = ResultsFolder(Path(place) / folder.path.resolve().name).ledger(create=True)
        ledger.plan = plan
        adopt(ledger, {**told, "plan": plan.to_json()}, finished_in(folder, plan))
        if not folder.notes.exists():  # medians stand for rounds
            ledger.add_measurement(_medians(read_table(folder.path, "runs")))
        if folder.table("search").exists():
            ledger.note(SEARCHED, _split(whole(folder.table("search"), NEEDED)))
        yield ledger


def _runs(folder: ResultsFolder) -> pd.DataFrame:
    """With curves and per-image outcomes, where they lie beside the table."""
    table = read_table(folder.path, "runs")
    if lost := {"trial", "config_hash"} - set(table):
        raise ExportError(f"{folder.table('runs')} is damaged: it has no column {min(lost)!r}")
    if not folder.parquet.exists():
        return table
    try:
        whole = pd.read_parquet(folder.parquet)
    except (ValueError, OSError) as error:  # of pyarrow, too
        raise ExportError(f"{folder.parquet} is damaged: {error}") from None
    return whole if list(whole.get("trial", ())) == list(table["trial"]) else table


def _split(table: pd.DataFrame) -> dict[str, Any]:
    """For JSON, and back by ``pd.DataFrame(**...)``."""
    found: dict[str, Any] = json.loads(table.to_json(orient="split", index=False, double_precision=15))
    return found


def _medians(runs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """What was measured of arms, by the hash of their cell."""
    rows = records(runs.drop_duplicates("config_hash"))
    return {str(row["config_hash"]): {name: _plain(row.get(name)) for name in MEASURED} for row in rows}


def _why(foreign: Sequence[Row], plan: Plan) -> str:
    """What differs between rows and the arms of the same names."""
    arms = {cell.name: cell for cell in plan.runnable}
    strangers = dict.fromkeys(str(row["cell"]) for row in foreign if row["cell"] not in arms)
    if strangers:
        more = f" and {len(strangers) - MOST_NAMED} more" if len(strangers) > MOST_NAMED else ""
        return f"it has no arm {', '.join([*strangers][:MOST_NAMED])}{more}"
    row = foreign[0]
    said = [f"{name} {theirs!r} there, {ours!r} here" for name, theirs, ours in _differing(row, arms[row["cell"]])]
    made = f"other images, plug-ins or versions (vit_ablate {row.get('vit_ablate')}, commit {row.get('commit')})"
    return f"{row['cell']} has {', '.join(said[:MOST_NAMED]) or made}"


def _differing(row: Row, cell: Cell) -> Iterator[tuple[str, Any, Any]]:
    ours = {**dataclasses.asdict(cell.config), **dataclasses.asdict(cell.recipe)}
    for name, value in ours.items():
        theirs = _plain(row.get(name))
        ruled = name in RESOLVED and value == "auto"
        if name in row and not ruled and (theirs or value) and theirs != value and _text(theirs) != _text(value):
            yield name, theirs, value


def _text(value: Any) -> str:
    """Of a tuple, whatever a table made of it."""
    return str(value).strip("()[]")


def _plain(value: Any) -> Any:
    """Of a table's cell, what JSON can say; None where it is empty."""
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)) else value
