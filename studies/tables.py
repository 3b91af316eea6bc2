"""Result tables, derived from the ledger alone: one row a trial, one row an arm, one row an effect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from studies.contrasts import contrasts_against, factor_contrasts
from studies.design import Cell, Plan
from studies.ledger import Entry, Ledger, LedgerError
from studies.statistics import interval

METRICS = ("test_accuracy", "val_accuracy", "test_loss", "val_loss", "train_seconds")
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
    cells = {cell.content_hash: cell for cell in plan.runnable}
    kept = ledger.measurement
    measured = {name: _measured(kept.get(name, {})) for name in cells}
    rows = [
        _row(plan, cells[entry.cell_hash], entry, measured[entry.cell_hash])
        for entry in ledger.entries().values()
        if entry.cell_hash in cells and (entry.seed in plan.seeds or entry.state in ("complete", "failed"))
    ]
    if not rows:
        raise LedgerError(f"{ledger.folder} holds no trial of its plan (an older declaration?): run the study again")
    frame = pd.DataFrame(rows)
    for column in (*LEAD, *METRICS, *MEASURED):
        if column not in frame:
            frame[column] = None
    order = {cell.name: i for i, cell in enumerate(plan.cells)}
    frame = frame.sort_values(["cell", "seed"], key=lambda s: s.map(order) if s.name == "cell" else s)
    columns = [*LEAD, *plan.factors, *METRICS, *MEASURED]
    columns = list(dict.fromkeys(columns))
    return frame[[*columns, *[c for c in frame if c not in columns]]].reset_index(drop=True)


def cells_frame(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    """One row per arm, the best test accuracy first: n, mean, sd and 95 % t interval of every metric."""
    rows = [_cell_row(plan, cell, runs[runs["cell"] == cell.name]) for cell in plan.cells]
    frame = pd.DataFrame(rows)
    return frame.sort_values("test_accuracy_mean", ascending=False, na_position="last").reset_index(drop=True)


def contrasts_frame(plan: Plan, runs: pd.DataFrame, metric: str = "test_accuracy") -> pd.DataFrame:
    """Every arm against the baseline, and every pair of levels within a factor, over paired seeds."""
    done = runs[runs["status"].isin(["complete", "failed"])]
    if not (done["cell"] == plan.baseline).any():
        done = runs
    frames = [contrasts_against(done, plan.baseline, metric)]
    if plan.factors:
        frames.append(factor_contrasts(done, list(plan.factors), metric))
    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)


def effects_frame(plan: Plan, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Every level (a) against the baseline's level (b) of its factor, averaged over the other factors."""
    baseline = next(cell for cell in plan.cells if cell.name == plan.baseline).levels
    rows = []
    for factor, levels in plan.factors.items():
        within = contrasts[contrasts["factor"] == factor]
        for level in levels:
            pair = within[within["a"].isin([level, baseline[factor]]) & within["b"].isin([level, baseline[factor]])]
            if level != baseline[factor] and len(pair):
                rows.append(_oriented(pair.iloc[0], level))
    return pd.DataFrame(rows, columns=contrasts.columns)


def write(folder: Path, name: str, save: Callable[[Path], Any]) -> Path:
    """Write a file by way of a temporary one beside it, so that a reader never sees half of it."""
    target = folder / name
    temporary = folder / f".{name}.tmp"
    try:
        save(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def write_tables(folder: Path, runs: pd.DataFrame, cells: pd.DataFrame, contrasts: pd.DataFrame) -> None:
    """``runs.csv``, ``runs.parquet`` (with curves and per-image outcomes), ``cells.csv``, ``contrasts.csv``."""
    flat = runs.drop(columns=[c for c in NOT_IN_CSV if c in runs])
    write(folder, "runs.csv", lambda path: flat.to_csv(path, index=False))
    write(folder, "runs.parquet", lambda path: runs.astype(_plain(runs)).to_parquet(path, index=False))
    write(folder, "cells.csv", lambda path: cells.to_csv(path, index=False))
    write(folder, "contrasts.csv", lambda path: contrasts.to_csv(path, index=False))


def _oriented(pair: pd.Series[Any], level: Any) -> pd.Series[Any]:
    """The contrast with ``level`` as a."""
    if pair["a"] == level:
        return pair
    turned = pair.copy()
    turned["a"], turned["b"] = pair["b"], pair["a"]
    turned["low"], turned["high"] = -pair["high"], -pair["low"]
    turned["difference"], turned["d_z"] = -pair["difference"], -pair["d_z"]
    turned["p_superiority"] = 1 - pair["p_superiority"]
    turned["verdict"] = {"better": "worse", "worse": "better"}.get(pair["verdict"], pair["verdict"])
    return turned


def _row(plan: Plan, cell: Cell, entry: Entry, measured: dict[str, Any]) -> dict[str, Any]:
    return {
        "study": plan.study,
        "dataset": plan.dataset,
        "trial": entry.content_hash,
        "cell": cell.name,
        "seed": entry.seed,
        "status": entry.state,
        "reason": entry.reason,
        "attempt": entry.attempt,
        **entry.record,
        **cell.levels,  # last: JSON made lists of the tuples in the record
        **measured,
        "config_hash": entry.cell_hash,
    }


def _measured(facts: dict[str, Any]) -> dict[str, Any]:
    """What a cell's measurement says of each of its trials; size and FLOPs only where it says them."""
    known = {name: facts[name] for name in ("params", "flops") if name in facts}
    return {name: facts.get(name) for name in MEASURED} | known


def _cell_row(plan: Plan, cell: Cell, runs: pd.DataFrame) -> dict[str, Any]:
    complete = runs[runs["status"] == "complete"]
    row: dict[str, Any] = {"cell": cell.name, **cell.levels, "baseline": cell.name == plan.baseline}
    row |= {"n": len(complete), "failed": int((runs["status"] == "failed").sum())}
    for metric in METRICS:
        summary = interval(complete[metric].astype(float))
        row |= {
            f"{metric}_mean": summary.mean,
            f"{metric}_sd": summary.sd,
            f"{metric}_low": summary.low,
            f"{metric}_high": summary.high,
        }
    first = runs.iloc[0] if len(runs) else pd.Series(dtype=object)
    row |= {"num_tokens": cell.config.num_tokens if cell.config else None}
    row |= {name: first.get(name) for name in ("params", "flops", *MEASURED)}
    return row | {"unsupported": cell.reason}


def _plain(runs: pd.DataFrame) -> dict[str, str]:
    """Mixed columns (a tuple here, a number there) as text: Parquet wants one type a column."""
    return {
        str(name): "string"
        for name, column in runs.items()
        if column.dtype == object and column.dropna().map(type).nunique() > 1
    }
