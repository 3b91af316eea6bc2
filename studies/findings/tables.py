"""Result tables, derived from the ledger alone: one row a trial, one row an arm, one row an effect."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.files import write
from studies.design.plan import Cell, Plan
from studies.findings.csv_file import write_csv
from studies.findings.growing_table import GrowingTable, uncollected
from studies.ledger.entries import Entry, LedgerError
from studies.ledger.folder import ResultsFolder, file_name
from studies.ledger.found import Found
from studies.ledger.ledger import Ledger
from studies.ledger.streaming import each
from studies.statistics.intervals import interval

METRICS = ("test_accuracy", "val_accuracy", "test_loss", "val_loss", "train_seconds")
WHERE_UNEQUAL = "test_balanced_accuracy"
"""A metric of trials on data whose classes are unequal."""
LEAD = ["study", "dataset", "trial", "cell", "seed", "status", "reason", "attempt"]
MEASURED = [
    "train_images_per_second",
    "train_images_per_second_iqr",
    "infer_images_per_second",
    "infer_images_per_second_iqr",
    "gpu_memory_mib",
    "gpu_reserved_mib",
    "gpu_memory_source",
]
NOT_IN_CSV = ["curve", "test_correct"]


def runs_frame(ledger: Ledger, plan: Plan) -> pd.DataFrame:
    """One row per trial of a plan, whatever became of it, and of further seeds of its cells that finished.

    Raises:
        LedgerError: the storage knows none of them.
    """
    cells: dict[str, list[Cell]] = {}
    for cell in plan.runnable:  # where tuning found nothing better, two arms are one training
        cells.setdefault(cell.content_hash, []).append(cell)
    kept = ledger.measurement
    measured = {name: _measured(kept.get(name, {})) for name in cells}
    traced, table, seeds = ledger.traces().keys(), GrowingTable(), set(plan.seeds)
    with uncollected():
        for entry, common in each(ledger):
            if entry.seed in seeds or entry.state in ("complete", "failed"):
                own = _own(entry)
                for cell in cells.get(entry.cell_hash, ()):
                    if (kind := (cell.name, id(common))) not in table.kinds:
                        known = {**cell.levels, **measured[entry.cell_hash], "config_hash": entry.cell_hash}
                        table.add_kind(kind, _shared(plan, cell, common, known), [*LEAD, *common, *own, *known])
                    table.add(kind, {**own, **_failed(cell, entry, (entry.content_hash, entry.attempt) in traced)})
    if not len(table):
        raise LedgerError(f"{ledger.name} holds no trial of its plan (an older declaration?): run the study again")
    frame = table.frame()
    for column in (*LEAD, *METRICS, *MEASURED):
        if column not in frame:
            frame[column] = None
    order = {cell.name: i for i, cell in enumerate(plan.cells)}
    frame = frame.sort_values(["cell", "seed"], key=lambda s: s.map(order) if s.name == "cell" else s)
    columns = [*LEAD, *plan.factors, *METRICS, *MEASURED]
    columns = list(dict.fromkeys(columns))
    return frame[[*columns, *[c for c in frame if c not in columns]]].reset_index(drop=True)


def cells_frame(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    """One row per arm, the best test accuracy first: n, mean, sd and 95 % t interval of every metric.

    An interval ends where the metric does: no accuracy is above 1, nothing below 0.
    """
    rows = [_cell_row(plan, cell, runs[runs["cell"] == cell.name]) for cell in plan.cells]
    frame = pd.DataFrame(rows)
    return frame.sort_values("test_accuracy_mean", ascending=False, na_position="last").reset_index(drop=True)


def write_tables(folder: Path, runs: pd.DataFrame, cells: pd.DataFrame, contrasts: pd.DataFrame) -> None:
    """``runs.csv``, ``runs.parquet`` (with curves and per-image outcomes), ``cells.csv``, ``contrasts.csv``."""
    flat = runs.drop(columns=[c for c in NOT_IN_CSV if c in runs])
    files = ResultsFolder(folder)
    for kind, frame in (("runs", flat), ("cells", cells), ("contrasts", contrasts)):
        write(folder, files.table(kind).name, partial(write_csv, frame))
    write(folder, files.parquet.name, partial(runs.astype(_plain(runs)).to_parquet, index=False))


def _own(entry: Entry) -> dict[str, Any]:
    """What a trial's row has for itself."""
    lead = {"trial": entry.content_hash, "seed": entry.seed, "status": entry.state}
    return {**lead, "reason": entry.reason, "attempt": entry.attempt, **entry.record}


def _shared(plan: Plan, cell: Cell, common: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What rows share; what is known of the cell has the last word, for JSON made lists of the tuples in records."""
    return {"study": plan.study, "dataset": plan.dataset, "cell": cell.name, **common, **known}


def _failed(cell: Cell, entry: Entry, traced: bool) -> dict[str, Any]:
    """How it failed, and the name of the file that says where."""
    failure = {"failure": entry.failure} if entry.failure else {}
    return {**failure, **({"traceback": traceback_of(cell.name, entry.seed, entry.attempt)} if traced else {})}


def traceback_of(arm: str, seed: int, attempt: int) -> str:
    """The name of the file with the traceback of a failed trial; no name of an arm leaves its folder."""
    return f"{file_name(f'{arm}/seed-{seed}/attempt-{attempt}')}.txt"


def searched_traceback(arm: str, found: Found) -> str | None:
    """As ``traceback_of``, of a trial of a search; None where it left none."""
    return f"{file_name(f'search/{arm}/trial-{found.trial_id}')}.txt" if found.trace else None


def _measured(facts: dict[str, Any]) -> dict[str, Any]:
    """What a cell's measurement says of each of its trials; size and FLOPs only where it says them."""
    known = {name: facts[name] for name in ("params", "flops") if name in facts}
    return {name: facts.get(name) for name in MEASURED} | known


def _cell_row(plan: Plan, cell: Cell, runs: pd.DataFrame) -> dict[str, Any]:
    complete = runs[runs["status"] == "complete"]
    row: dict[str, Any] = {"cell": cell.name, **cell.levels, "baseline": cell.name == plan.baseline}
    row |= {"n": len(complete), "failed": int((runs["status"] == "failed").sum())}
    for metric in (*METRICS, *([WHERE_UNEQUAL] if WHERE_UNEQUAL in runs else [])):
        summary = interval(complete[metric].astype(float))
        low, high = np.clip((summary.low, summary.high), 0, 1 if metric.endswith("accuracy") else None).tolist()
        row |= {f"{metric}_mean": summary.mean, f"{metric}_sd": summary.sd}
        row |= {f"{metric}_low": low, f"{metric}_high": high}
    first = runs.iloc[0] if len(runs) else pd.Series(dtype=object)
    row |= {"num_tokens": cell.config.num_tokens if cell.setup else None}
    row |= {name: first.get(name) for name in ("params", "flops", *MEASURED)}
    return row | {"unsupported": cell.reason}


def _plain(runs: pd.DataFrame) -> dict[str, str]:
    """Mixed columns (a tuple here, a number there) as text: Parquet wants one type a column."""
    return {
        str(name): "string"
        for name, column in runs.items()
        if column.dtype == object and column.dropna().map(type).nunique() > 1
    }
